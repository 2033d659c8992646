"""`mops results gc`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size
from modelops.cli.mops.jobs._jobs import open_backend
from modelops_contracts.errors import Conflict, Interrupted


@dataclass(frozen=True, slots=True)
class Removed:
    """What nothing refers to any more: beginnings of digests of code and of sets of targets."""

    codes: list[str]
    targets: list[str]
    files: int
    bytes: int
    dry_run: bool


def render(answer: Removed, screen: Screen) -> Iterator[str]:
    verb = "Would remove" if answer.dry_run else "Removed"
    yield f"{verb} {plural(answer.files, 'file')}, {size(answer.bytes)}"
    for code in answer.codes:
        yield f"  simulations of code {code}"
    for target in answer.targets:
        yield f"  evaluations of targets {target}"


@command(answer=Removed, render=render)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and do nothing.")
def gc(call: Call, dry_run: bool) -> Removed:
    """Remove simulations of code, and scores of targets, that no job and no bundle refers to."""
    from modelops import wiring
    from modelops.jobs.keep import find_kept

    backend = open_backend(call)
    records = backend.records()
    folders = [backend.folder(record.job_id) for record in records]
    kept = find_kept(records, folders, call.config, call.project_root)
    store = wiring.open_results(call.config, call.project_root)
    found = store.collect(kept.codes, kept.targets, dry_run=True)
    if found.removed.files and not dry_run:
        confirm(call, f"Remove {plural(found.removed.files, 'file')}?")
        found = store.collect(kept.codes, kept.targets)
    removed = found.removed
    return Removed(list(found.codes), list(found.targets), removed.files, removed.bytes, dry_run)


def confirm(call: Call, question: str) -> None:
    answer = call.console.ask(question, option="--yes")
    if answer is None:
        raise Conflict(
            "removing simulations needs a yes, and there is nobody to ask",
            hint="mops results gc --yes; mops results gc --dry-run says what it would remove",
            code="confirmation",
            exit_code=3,
        )
    if not answer:
        raise Interrupted("nothing was removed", code="declined", exit_code=1)
