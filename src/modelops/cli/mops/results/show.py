"""`mops results show`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen, figure, pairs, table
from modelops.cli._options import limit_option
from modelops.cli.mops.jobs._jobs import Job, as_job, is_running, progress_note
from modelops.cli.mops.results._results import (
    CalibrationSummary,
    Rows,
    best_candidates,
    best_sets,
    frame_rows,
    open_job,
    read_frame,
    read_summary,
    sort_frame,
)

DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Shown:
    """A job's results: a summary with the best parameter sets, or one table."""

    job: Job
    calibration: CalibrationSummary | None
    best: Rows | None
    table: Rows | None
    path: str


def render(answer: Shown, screen: Screen) -> Iterator[str]:
    if answer.table is not None:
        yield from table_lines(answer.table, screen)
        if answer.table.name == "failures" and answer.table.rows:
            yield f"In full: mops jobs logs {answer.job.job} --failed"
        return
    job = answer.job
    yield f"{job.job}  {screen.bold(job.state)}" + (f"  {job.message}" if job.message else "")
    yield from pairs(
        [
            ("Name", job.name or None),
            ("Model", job.model or None),
            ("Targets", ", ".join(job.targets) or "none"),
            ("Done", f"{job.done}/{job.total}{progress_note(job)}"),
            ("Files", answer.path),
        ]
    )
    if answer.calibration is not None:
        yield from calibration_lines(answer.calibration, screen)
    if answer.best is not None and answer.best.rows:
        yield ""
        yield f"Best {len(answer.best.rows)} of {answer.best.total}"
        yield from table_lines(answer.best, screen)


def calibration_lines(found: CalibrationSummary, screen: Screen) -> Iterator[str]:
    yield ""
    if found.failure:
        yield f"No result: {found.failure}"
        return
    spread = "" if found.objective_se is None else f" ± {figure(found.objective_se, 3)}"
    yield from pairs(
        [
            ("Verdict", found.verdict),
            ("Objective", f"{figure(found.objective, 8)}{spread} (confirmed)"),
            ("Search", f"{figure(found.search_value, 8)} (optimism {optimism(found)})"),
            ("Stopped", found.stop_reason),
        ]
    )
    yield from pairs([(name, number(value, screen)) for name, value in found.parameters.items()])
    for finding in found.findings:
        yield f"  {finding.severity} {finding.code}: {finding.message}"


def optimism(found: CalibrationSummary) -> str:
    return figure(found.optimism, 3)


def table_lines(rows: Rows, screen: Screen) -> Iterator[str]:
    short = last_line if rows.name == "failures" else number
    cells = [[short(value, screen) for value in row] for row in rows.rows]
    yield from table([*rows.columns], cells, screen)


def last_line(value: Any, screen: Screen) -> object:
    """Of a traceback or of what was printed: what was said last."""
    if isinstance(value, str):
        value = next((line for line in reversed(value.splitlines()) if line.strip()), "")
    return number(value, screen)


def number(value: Any, screen: Screen) -> object:
    """Six digits, and the beginning of a digest, for people; all of it for a file."""
    if not screen.terminal:
        return value
    if isinstance(value, str) and DIGEST.fullmatch(value):
        return value[:12]
    return figure(value) if isinstance(value, float) else value


@command(answer=Shown, render=render)
@click.argument("job", default="last", shell_complete=jobs)
@click.option(
    "--table",
    "name",
    metavar="NAME",
    help="parameters, targets, failures, an output; of a calibration also trials, candidates, fit.",
)
@click.option("--best", type=click.IntRange(min=1), help="The best so many parameter sets.")
@click.option("--sort", metavar="COLUMN", help="Order of --table; -COLUMN for the largest first.")
@limit_option("Rows of --table")
def show(
    call: Call, job: str, name: str | None, best: int | None, sort: str | None, limit: int
) -> Shown:
    """Show what a job has found.

    Without --table: a summary. For a study it has the best parameter sets, for a calibration the
    estimates, their confirmed objective, and what to think of them.
    """
    if sort is not None and name is None:
        raise click.UsageError("--sort orders a --table; the summary has its own order")
    record, folder = open_job(call, job)
    shown = as_job(record)
    if is_running(shown):
        call.console.warn(f"{shown.job} is {shown.state}: its results are not complete")
    if name is not None:
        frame = sort_frame(read_frame(call, folder, name), sort, name)
        if frame.is_empty():
            call.console.note(f"table {name} of {shown.job} has no rows")
        return Shown(shown, None, None, frame_rows(name, frame, limit), str(folder.path))
    summary = read_summary(folder)
    if shown.kind == "calibration":
        found = best_candidates(folder, best) if best else None
    else:
        found = best_sets(call, folder, best or 5)
    return Shown(shown, summary, found, None, str(folder.path))
