"""`mops bundle push`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size
from modelops.cli.bundle._registry import FindingRow, as_finding
from modelops.cli.bundle._stores import open_project_store

if TYPE_CHECKING:
    from modelops_bundle.transfer.push_summary import PushSummary


@dataclass(frozen=True, slots=True)
class Pushed:
    """A bundle that was pushed, or would be with `dry_run`.

    `sizes` are those of the files that were added or modified, in bytes. `layers` and
    `bytes_to_pack` are what had to be made, as far as this project knew; `layers_sent` and
    `bytes_sent` what the store did not have.
    """

    reference: str
    digest: str | None
    content: str
    pushed: bool
    up_to_date: bool
    dry_run: bool
    added: list[str]
    modified: list[str]
    deleted: list[str]
    sizes: Mapping[str, int]
    total_files: int
    layers: int
    reused_layers: int
    bytes_to_pack: int
    layers_sent: int
    bytes_sent: int
    bytes_reused: int
    findings: list[FindingRow]


def render(answer: Pushed, screen: Screen) -> Iterator[str]:
    if answer.up_to_date:
        yield "Everything up to date"
    else:
        up, cross = screen.mark("↑", "^"), screen.mark("×", "x")
        changed = len(answer.added) + len(answer.modified) + len(answer.deleted)
        yield f"{up} {plural(changed, 'file')} changed: {_layers(answer)}"
        for path in (*answer.added, *answer.modified):
            yield f"  {up} {path} ({size(answer.sizes[path])})"
        yield from (f"  {cross} {path}" for path in answer.deleted)
    if answer.pushed:
        yield f"Pushed {answer.reference}"
    if answer.digest is not None:
        yield f"Digest: {answer.digest}"
    yield f"Content: {answer.content}"


def _layers(answer: Pushed) -> str:
    """What is sent and what is there already: as planned before a push, as it was after it."""
    if not answer.pushed:
        made, there = plural(answer.layers, "layer"), plural(answer.reused_layers, "layer")
        return f"{made}, {size(answer.bytes_to_pack)} to send, {there} reused"
    there = plural(answer.layers + answer.reused_layers - answer.layers_sent, "layer")
    sent, reused = size(answer.bytes_sent), size(answer.bytes_reused)
    return f"{plural(answer.layers_sent, 'layer')}, {sent} sent, {there} reused ({reused})"


@command(answer=Pushed, render=render)
@click.option("--tag", help="Tag to move (default: that of the project).")
@click.option("--dry-run", is_flag=True, help="Do all but the first write; same exit code.")
@click.option("--force", is_flag=True, help="Even if it undoes somebody else's push.")
@click.option("--refresh", is_flag=True, help="Let the registry follow the code first.")
@click.option("--allow-stale", is_flag=True, help="Even if the registry does not fit the code.")
def push(
    call: Call, tag: str | None, dry_run: bool, force: bool, refresh: bool, allow_stale: bool
) -> Pushed:
    """Pack what changed and move the tag; the bundle describes its own bytes.

    Nothing is pushed when the registry does not fit the code (exit code 3).
    """
    from modelops_bundle.project.project import find_project
    from modelops_bundle.transfer.push import push as push_bundle

    if refresh and dry_run:
        raise click.UsageError("--refresh writes the registry; --dry-run writes nothing")
    project = find_project(call.start)
    store = open_project_store(call, project)
    if refresh:
        from modelops_bundle.registering import refresh as follow

        follow(project)
    if dry_run:
        from modelops_bundle.transfer.push_plan import plan_push

        plan = plan_push(project, store, tag, allow_stale=allow_stale, force=force)
        return as_answer(call, plan.summary, dry_run=True)
    reporter = call.reporter()
    try:
        done = push_bundle(
            project, store, tag, allow_stale=allow_stale, force=force, reporter=reporter
        )
    finally:
        reporter.close()
    for text in done.warnings:
        call.console.warn(text)
    return as_answer(
        call,
        done.summary,
        digest=done.manifest,
        pushed=done.pushed,
        layers_sent=done.layers_sent,
        bytes_sent=done.sent,
        bytes_reused=done.reused,
    )


def as_answer(
    call: Call,
    told: PushSummary,
    *,
    digest: str | None = None,
    pushed: bool = False,
    dry_run: bool = False,
    layers_sent: int = 0,
    bytes_sent: int = 0,
    bytes_reused: int = 0,
) -> Pushed:
    for finding in told.findings:
        if finding.severity == "warning":
            call.console.warn(str(finding))
    return Pushed(
        reference=told.reference,
        digest=digest,
        content=told.content,
        pushed=pushed,
        up_to_date=told.up_to_date,
        dry_run=dry_run,
        added=list(told.changes.added),
        modified=list(told.changes.modified),
        deleted=list(told.changes.deleted),
        sizes=told.sizes,
        total_files=told.total_files,
        layers=told.layers,
        reused_layers=told.reused_layers,
        bytes_to_pack=told.bytes_to_pack,
        layers_sent=layers_sent,
        bytes_sent=bytes_sent,
        bytes_reused=bytes_reused,
        findings=[as_finding(finding) for finding in told.findings],
    )
