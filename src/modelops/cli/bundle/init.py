"""`mops bundle init`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural


@dataclass(frozen=True, slots=True)
class Initialised:
    """A folder that became a project, or a project that was completed."""

    root: str
    repository: str
    environment: str
    tag: str
    created: list[str]
    tracked: list[str]


def render(answer: Initialised, screen: Screen) -> Iterator[str]:
    yield f"Project {answer.repository} in {answer.root}"
    for path in answer.created:
        yield f"  + {path}"
    yield f"Bundles: {answer.repository}:{answer.tag} in environment {answer.environment}"
    yield f"Tracking {plural(len(answer.tracked), 'file')}"
    yield "Next: mops bundle register-model FILE"


@command(answer=Initialised, render=render)
@click.argument("directory", required=False, type=click.Path(path_type=Path))
@click.option("--name", help="Name under which bundles are kept (default: that of the folder).")
@click.option("--tag", default="latest", show_default=True, help="Tag that push moves.")
@click.option("--repair", is_flag=True, help="Add what a project lacks, and nothing else.")
@click.option("--bare", is_flag=True, help="Write no .modelopsignore and no pyproject.toml.")
def init(
    call: Call, directory: Path | None, name: str | None, tag: str, repair: bool, bare: bool
) -> Initialised:
    """Make a folder a project. All or nothing; none of your files is changed."""
    from modelops.config.environments import load_environment
    from modelops_bundle.project.project import init_project

    environment = load_environment(call.config.environment, call.config.paths).name
    pinned = call.flags.get("env")
    root = call.start if directory is None else call.start / directory
    done = init_project(root, name=name, env=pinned, tag=tag, bare=bare, repair=repair)
    return Initialised(
        root=str(done.root),
        repository=done.repository,
        environment=environment,
        tag=done.default_tag,
        created=list(done.created),
        tracked=list(done.tracked),
    )
