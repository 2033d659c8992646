"""`mops bundle remove`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural


@dataclass(frozen=True, slots=True)
class FilesRemoved:
    """Files that are no longer tracked; `needed` are those that the registry still names."""

    removed: list[str]
    deleted: list[str]
    needed: list[str]


def render(answer: FilesRemoved, screen: Screen) -> Iterator[str]:
    yield f"No longer tracking {plural(len(answer.removed), 'file')}:"
    for path in answer.removed:
        yield f"  - {path}{' (deleted)' if path in answer.deleted else ''}"


@command(answer=FilesRemoved, render=render)
@click.argument("paths", nargs=-1, required=True)
@click.option("--rm", "delete", is_flag=True, help="Delete the files too.")
def remove(call: Call, paths: Sequence[str], delete: bool) -> FilesRemoved:
    """Stop tracking files; they stay where they are unless --rm is given.

    PATH is a tracked file, or a folder that holds some. All of them, or none.
    """
    from modelops_bundle.choosing import remove_files
    from modelops_bundle.project.project import find_project

    done = remove_files(find_project(call.start), paths, delete=delete, cwd=call.start)
    for path in done.needed:
        call.console.warn(f"the registry names {path}: refresh and push track it again")
    return FilesRemoved(list(done.removed), list(done.deleted), list(done.needed))
