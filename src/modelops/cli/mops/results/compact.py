"""`mops results compact`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size


@dataclass(frozen=True, slots=True)
class Compacted:
    """How many files were merged (with `dry_run`: would be), and the store before and after."""

    merged: int
    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    dry_run: bool


def render(answer: Compacted, screen: Screen) -> Iterator[str]:
    if answer.dry_run:
        yield f"Would merge {plural(answer.merged, 'file')} of {answer.files_before}"
        return
    arrow = screen.mark("→", "->")
    yield (
        f"{answer.files_before} {arrow} {plural(answer.files_after, 'file')}, "
        f"{size(answer.bytes_before)} {arrow} {size(answer.bytes_after)}"
    )


@command(answer=Compacted, render=render)
@click.option("--dry-run", is_flag=True, help="Say what would be merged, and do nothing.")
def compact(call: Call, dry_run: bool) -> Compacted:
    """Merge the small files of the store into few; nothing that is stored changes."""
    from modelops import wiring

    store = wiring.open_results(call.config, call.project_root)
    before = store.usage()
    merged = store.mergeable() if dry_run else store.compact()
    after = store.usage()
    return Compacted(merged, before.files, after.files, before.bytes, after.bytes, dry_run)
