"""`mops bundle refresh`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli.bundle._registry import (
    DecisionRow,
    RegistryChange,
    as_change,
    render,
    tell_findings,
)

if TYPE_CHECKING:
    from modelops_bundle.project.project import Project
    from modelops_bundle.registry import RefreshOptions, RegistryResult

DECIDE = 3
# What keeps refresh from doing anything about an entry.
LEFT_ALONE = frozenset({"parse_failed", "path_outside", "bad_entrypoint", "id_collision"})


@command(answer=RegistryChange, render=render)
@click.option("--check", is_flag=True, help="Write nothing; exit 3 if anything would change.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--add-new", is_flag=True, help="Also register what is new in registered files.")
@click.option(
    "--rename", "renames", multiple=True, metavar="OLD=NEW", help="OLD has become NEW (repeatable)."
)
@click.option("--accept-renames", is_flag=True, help="Take all renames that are likely.")
@click.option("--no-renames", is_flag=True, help="Follow no rename: what is gone is removed.")
def refresh(
    call: Call,
    check: bool,
    dry_run: bool,
    add_new: bool,
    renames: Sequence[str],
    accept_renames: bool,
    no_renames: bool,
) -> Done:
    """Make the registry follow the code: changes, renames, what is gone.

    Twice in a row changes nothing the second time. A rename that is only likely is asked about
    when something would be lost; without a terminal that is exit code 3, and nothing is written.
    """
    from modelops_bundle.project.project import find_project
    from modelops_bundle.registering import refresh as follow
    from modelops_bundle.registry import RefreshOptions

    if accept_renames and no_renames:
        raise click.UsageError("--accept-renames and --no-renames exclude each other")
    project = find_project(call.start)
    options = RefreshOptions(
        renames=read_renames(renames),
        accept_renames=accept_renames,
        follow_renames=not no_renames,
        add_new=add_new,
    )
    if check or dry_run:
        result = follow(project, options, dry_run=True)
    else:
        result = settle(call, project, options)
    answer = as_change("Refreshed", [result])
    tell_findings(call, answer)
    return Done(answer, exit_code(result, answer, check=check))


def exit_code(result: RegistryResult, answer: RegistryChange, *, check: bool) -> int:
    """3 when a decision is open, an entry had to be left, or --check found something to do."""
    changes = result.plan.changes_entries or answer.tracked or answer.untracked
    left = any(finding.code in LEFT_ALONE for finding in answer.findings)
    return DECIDE if answer.decisions or left or (check and changes) else 0


def settle(call: Call, project: Project, options: RefreshOptions) -> RegistryResult:
    """Refresh; ask about open renames where there is somebody to ask."""
    from dataclasses import replace

    from modelops_bundle.registering import refresh as follow

    if not (call.console.may_ask or call.console.yes):
        return follow(project, options)
    preview = follow(project, options, dry_run=True)
    accepted = {
        row.from_: row.to
        for row in as_change("Refreshed", [preview]).decisions
        if confirm(call, row)
    }
    # What was not confirmed is still open: then this raises, and nothing is written.
    return follow(project, replace(options, renames={**options.renames, **accepted}))


def confirm(call: Call, row: DecisionRow) -> bool:
    question = f"Has {row.kind} {row.from_} become {row.to} (similarity {row.similarity:.2f})?"
    return bool(call.console.ask(question, option=f"--rename {row.from_}={row.to}"))


def read_renames(items: Sequence[str]) -> dict[str, str]:
    renames = {}
    for item in items:
        old, equals, new = item.partition("=")
        if not equals or not old or not new:
            raise click.BadParameter(f"{item!r} is not OLD=NEW", param_hint="--rename")
        renames[old] = new
    return renames
