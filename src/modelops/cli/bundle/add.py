"""`mops bundle add`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural


@dataclass(frozen=True, slots=True)
class SecretRow:
    """Something that looks like a secret and that the user answers for; never its value."""

    path: str
    rule: str
    line: int | None


@dataclass(frozen=True, slots=True)
class FilesAdded:
    """Files that are tracked now and were not before, and what was left out."""

    added: list[str]
    already_tracked: int
    ignored: list[str]
    skipped: int
    allowed: list[SecretRow]


def render(answer: FilesAdded, screen: Screen) -> Iterator[str]:
    if answer.added:
        yield f"Tracking {plural(len(answer.added), 'file')}:"
        yield from (f"  + {path}" for path in answer.added)
    else:
        yield "Nothing new to track"
    if answer.already_tracked:
        yield f"{plural(answer.already_tracked, 'file')} tracked before"


@command(answer=FilesAdded, render=render)
@click.argument("paths", nargs=-1)
@click.option("--force", is_flag=True, help="Track named paths that an ignore rule covers.")
@click.option(
    "--allow-secret", multiple=True, metavar="PATH",
    help="Track PATH although it looks like a secret (repeatable).",
)  # fmt: skip
def add(call: Call, paths: Sequence[str], force: bool, allow_secret: Sequence[str]) -> FilesAdded:
    """Track files, so that they are part of the bundle. All of them, or none.

    PATH is a file, a folder, or a quoted pattern. What looks like a secret is refused.
    """
    from modelops_bundle.choosing import add_files
    from modelops_bundle.project.project import find_project

    if not paths and not allow_secret:
        raise click.UsageError("which files? name at least one PATH")
    done = add_files(
        find_project(call.start), paths, allow_secret=allow_secret, force=force, cwd=call.start
    )
    for path in done.ignored:
        call.console.warn(f"{path} is ignored, and not tracked (--force tracks it)")
    if done.skipped:
        call.console.warn(f"{plural(done.skipped, 'thing')} left out that are no files")
    return FilesAdded(
        added=list(done.added),
        already_tracked=done.known,
        ignored=list(done.ignored),
        skipped=done.skipped,
        allowed=[SecretRow(item.path, item.rule, item.line) for item in done.allowed],
    )
