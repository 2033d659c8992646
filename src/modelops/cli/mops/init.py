"""`mops init`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, table
from modelops_contracts.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class TemplateRow:
    """A template. `needs_index`: its environment is built once, from a package index."""

    name: str
    alias: str
    title: str
    needs_index: bool


@dataclass(frozen=True, slots=True)
class NewProject:
    """A project that was made, with what to type next; or the templates there are."""

    root: str | None
    repository: str | None
    template: str | None
    created: list[str]
    next: list[str]
    templates: list[TemplateRow]


def render(answer: NewProject, screen: Screen) -> Iterator[str]:
    if answer.root is None:
        rows = [(row.name, row.alias, row.title) for row in answer.templates]
        yield from table(("TEMPLATE", "SHORT", "WHAT"), rows, screen)
        return
    origin = f" from {answer.template}" if answer.template else ""
    yield f"Project {answer.repository}{origin} in {answer.root}"
    for path in answer.created:
        yield f"  + {path}"
    yield "Next:"
    for line in answer.next:
        yield f"  {line}"


@command(answer=NewProject, render=render)
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option(
    "--template", metavar="NAME", help="Example to start from (default: sir, the boarding school)."
)
@click.option("--list-templates", is_flag=True, help="List the examples there are, and stop.")
@click.option("--bare", is_flag=True, help="An empty project: no example.")
@click.option("--name", help="Name under which bundles are kept (default: that of the folder).")
@click.option(
    "-i",
    "-o",
    "-f",
    "old",
    is_flag=False,
    flag_value="",
    hidden=True,
    help="Of earlier releases; refused.",
)
def init(
    call: Call,
    directory: Path | None,
    template: str | None,
    list_templates: bool,
    bare: bool,
    name: str | None,
    old: str | None,
) -> NewProject:
    """Start a project from a tested example. No file of yours is overwritten."""
    from modelops.templates import TEMPLATES, create_project, find_template

    if old is not None:
        raise InvalidInput(
            "mops init makes a project now; -i, -o and -f, which wrote a cloud configuration, "
            "are gone",
            hint="mops env list",
            code="usage",
            exit_code=2,
        )
    if bare and template is not None:
        raise click.UsageError("--bare is a project without an example: leave out --template")
    if list_templates:
        rows = [TemplateRow(t.name, t.alias, t.title, t.needs_index) for t in TEMPLATES]
        return NewProject(None, None, None, [], [], rows)
    chosen = None if bare else find_template(template or TEMPLATES[0].name)
    call.check_environment()
    root = call.start if directory is None else call.start / directory
    made = create_project(root, chosen, name=name, env=call.flags.get("env"))
    if chosen is not None and chosen.needs_index:
        call.console.note("Its environment is built by the first command that needs the model.")
    return NewProject(
        root=str(made.root),
        repository=made.repository,
        template=None if chosen is None else chosen.name,
        created=list(made.files),
        next=next_commands(directory, chosen.commands if chosen else BARE),
        templates=[],
    )


BARE = ("mops bundle register-model FILE", "mops bundle register-target FILE")


def next_commands(directory: Path | None, commands: tuple[str, ...]) -> list[str]:
    """What to type, from the folder that the shell stands in."""
    moved = directory is not None and directory != Path()
    return [f"cd {shlex.quote(str(directory))}", *commands] if moved else list(commands)
