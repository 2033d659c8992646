"""`mops bundle ensure`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size
from modelops.cli.bundle._stores import open_store


@dataclass(frozen=True, slots=True)
class Ensured:
    """A directory that holds a bundle's files, or would with `dry_run`."""

    folder: str
    reference: str
    digest: str
    content: str
    files: int
    written: list[str]
    deleted: list[str]
    bytes_written: int
    up_to_date: bool
    dry_run: bool


def render(answer: Ensured, screen: Screen) -> Iterator[str]:
    down, cross = screen.mark("↓", "v"), screen.mark("×", "x")
    if answer.up_to_date:
        yield f"{answer.folder} holds {answer.reference} already"
    else:
        verb = "Would write" if answer.dry_run else "Wrote"
        written = plural(len(answer.written), "file")
        yield f"{verb} {written} ({size(answer.bytes_written)}) to {answer.folder}"
        yield from (f"  {down} {path}" for path in answer.written)
        yield from (f"  {cross} {path}" for path in answer.deleted)
    yield f"Digest: {answer.digest}"


@command(answer=Ensured, render=render)
@click.option("--ref", "reference", required=True, metavar="REF", help="Bundle, as in `clone`.")
@click.option(
    "--dest", required=True, metavar="DIR", type=click.Path(path_type=Path, file_okay=False),
    help="Directory to hold its files.",
)  # fmt: skip
@click.option("--mirror", is_flag=True, help="Make DIR exactly the bundle; the rest of it goes.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def ensure(call: Call, reference: str, dest: Path, mirror: bool, dry_run: bool) -> Ensured:
    """Put a bundle's files into a directory that is no project, and keep it up to date.

    Only what is missing or different is written. A file that was edited there stops it (exit
    code 3). --mirror works on a directory that is empty or was made by this command.
    """
    from modelops_bundle.export import apply_export, plan_export

    store, wanted = open_store(call, reference)
    plan = plan_export(store, wanted, call.start / dest, mirror=mirror)
    if not dry_run:
        reporter, cache_dir = call.reporter(), call.config.paths.bundle_cache
        try:
            apply_export(
                plan, store, cache_dir=cache_dir, tell=call.console.note, reporter=reporter
            )
        finally:
            reporter.close()
    return Ensured(
        folder=str(plan.folder),
        reference=plan.reference,
        digest=plan.manifest,
        content=plan.index.content,
        files=len(plan.index.files),
        written=list(plan.write),
        deleted=list(plan.delete),
        bytes_written=plan.bytes_to_write,
        up_to_date=plan.up_to_date,
        dry_run=dry_run,
    )
