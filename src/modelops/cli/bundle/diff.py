"""`mops bundle diff`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural
from modelops.cli.bundle._status import warn_of_interruption
from modelops.cli.bundle._stores import open_project_store


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A file that was changed here and there."""

    path: str
    cause: str


@dataclass(frozen=True, slots=True)
class Difference:
    """How the tracked files of this project and a pushed bundle differ, and who changed them."""

    reference: str
    digest: str
    local_only: list[str]
    remote_only: list[str]
    modified_locally: list[str]
    modified_remotely: list[str]
    deleted_locally: list[str]
    deleted_remotely: list[str]
    conflicts: list[ConflictRow]


def render(answer: Difference, screen: Screen) -> Iterator[str]:
    groups = (
        ("Local only", answer.local_only),
        ("Remote only", answer.remote_only),
        ("Modified locally", answer.modified_locally),
        ("Modified remotely", answer.modified_remotely),
        ("Deleted locally", answer.deleted_locally),
        ("Deleted remotely", answer.deleted_remotely),
        ("Conflicts", [f"{row.path} ({row.cause})" for row in answer.conflicts]),
    )
    if not any(paths for _, paths in groups):
        yield f"No difference from {answer.reference}"
    for title, paths in groups:
        if paths:
            yield f"{title} ({plural(len(paths), 'file')})"
            yield from (f"  {path}" for path in paths)


@command(answer=Difference, render=render)
@click.option("--tag", help="Tag to compare with (default: that of the project).")
def diff(call: Call, tag: str | None) -> Difference:
    """Compare the tracked files here with a pushed bundle; nothing is written."""
    from modelops_bundle.project.project import find_project
    from modelops_bundle.transfer.pull_plan import compare

    project = find_project(call.start)
    store = open_project_store(call, project)
    warn_of_interruption(call, project)
    reference, digest, found = compare(project, store, tag)
    return Difference(
        reference=reference,
        digest=digest,
        local_only=list(found.local_only),
        remote_only=list(found.remote_only),
        modified_locally=list(found.modified_locally),
        modified_remotely=list(found.modified_remotely),
        deleted_locally=list(found.deleted_locally),
        deleted_remotely=list(found.deleted_remotely),
        conflicts=[ConflictRow(item.path, item.cause) for item in found.conflicts],
    )
