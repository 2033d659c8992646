"""`mops bundle pull`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size
from modelops.cli.bundle._status import warn_of_interruption
from modelops.cli.bundle._stores import open_project_store

if TYPE_CHECKING:
    from modelops_bundle.transfer.pull_plan import PullPlan

CONFLICT = 3


@dataclass(frozen=True, slots=True)
class Pulled:
    """A bundle that came into this project, or would with `dry_run`.

    `left` are files that were edited while the pull ran: they stay as they are. `kept` differ from
    the bundle because of changes made here.
    """

    reference: str
    digest: str
    content: str
    up_to_date: bool
    dry_run: bool
    written: list[str]
    deleted: list[str]
    registry_changed: bool
    kept: list[str]
    left: list[str]
    bytes_written: int
    backup: str | None


def render(answer: Pulled, screen: Screen) -> Iterator[str]:
    down, cross = screen.mark("↓", "v"), screen.mark("×", "x")
    if answer.up_to_date:
        yield "Everything up to date"
        return
    yield f"{down} {plural(len(answer.written), 'file')} ({size(answer.bytes_written)})"
    yield from (f"  {down} {path}" for path in answer.written)
    yield from (f"  {cross} {path}" for path in answer.deleted)
    if not answer.dry_run:
        yield f"Pulled {plural(len(answer.written), 'file')}, deleted {len(answer.deleted)}"
    if answer.backup is not None:
        yield f"Your versions are kept in {answer.backup}"
    yield f"Digest: {answer.digest}"


@command(answer=Pulled, render=render)
@click.option("--tag", help="Tag to pull (default: that of the project).")
@click.option("--overwrite", is_flag=True, help="Take the bundle's side of conflicts; keep copies.")
@click.option("--keep-local", is_flag=True, help="Keep your side of conflicts; take the rest.")
@click.option("--restore-deleted", is_flag=True, help="Bring back what was deleted here.")
@click.option("--dry-run", is_flag=True, help="Say what would be done; same exit code.")
def pull(
    call: Call,
    tag: str | None,
    overwrite: bool,
    keep_local: bool,
    restore_deleted: bool,
    dry_run: bool,
) -> Pulled | Done:
    """Bring the files of a tag into this project; your own changes stay.

    Nothing is written when a file was changed here and there (exit code 3).
    """
    from modelops_bundle.project.project import find_project
    from modelops_bundle.transfer.pull import pull as pull_bundle
    from modelops_bundle.transfer.pull_plan import plan_pull, refuse_conflicts

    if overwrite and keep_local:
        raise click.UsageError("--overwrite and --keep-local exclude each other")
    project = find_project(call.start)
    store = open_project_store(call, project)
    choices = {
        "overwrite": overwrite, "keep_local": keep_local, "restore_deleted": restore_deleted,
    }  # fmt: skip
    if dry_run:
        warn_of_interruption(call, project)
        plan = plan_pull(project, store, tag, **choices)
        refuse_conflicts(plan)
        return as_answer(plan, dry_run=True)
    reporter = call.reporter()
    cache = call.config.paths.bundle_cache
    try:
        done = pull_bundle(
            project,
            store,
            tag,
            **choices,
            partial_dir=cache / "partial",
            trees=cache / "trees",
            reporter=reporter,
        )
    finally:
        reporter.close()
    answer = as_answer(done.plan, left=list(done.left), backup=done.backup)
    if not done.left:
        return answer
    call.console.warn(f"edited meanwhile and left alone: {', '.join(done.left)}")
    call.console.hint("mops bundle pull")
    return Done(answer, CONFLICT)


def as_answer(
    plan: PullPlan, *, left: list[str] | None = None, backup: str | None = None,
    dry_run: bool = False,
) -> Pulled:  # fmt: skip
    spared = set(left or ())
    return Pulled(
        reference=plan.reference,
        digest=plan.manifest,
        content=plan.index.content,
        up_to_date=plan.up_to_date,
        dry_run=dry_run,
        written=[path for path in plan.take if path not in spared],
        deleted=[path for path in plan.deletions if path not in spared],
        registry_changed=plan.registry is not None,
        kept=list(plan.files.keep),
        left=sorted(spared),
        bytes_written=plan.bytes_to_write,
        backup=backup,
    )
