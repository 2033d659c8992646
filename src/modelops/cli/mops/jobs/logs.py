"""`mops jobs logs`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._jobs import find_job, open_backend
from modelops_contracts.errors import NotFound

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True, slots=True)
class Logs:
    """Lines of a job's log, oldest first. Empty when they were followed: then they are events."""

    job: str
    lines: list[str]


def render(answer: Logs, screen: Screen) -> Iterator[str]:
    yield from answer.lines


@command(answer=Logs, render=render, stream=True)
@click.argument("job", default="last", shell_complete=jobs)
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option(
    "--tail",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Lines to show at most; 0 for all.",
)
@click.option("--search", metavar="RE", help="Only lines that match this regular expression.")
@click.option(
    "--since", metavar="WHEN", help="Only lines since then: 10m, 2h, 1d, or an ISO 8601 time."
)
@click.option(
    "--source",
    type=click.Choice(("driver", "model")),
    default="driver",
    show_default=True,
    help="The driver's own lines, or what the model's processes printed.",
)
@click.option("--failed", is_flag=True, help="Errors and tracebacks of what failed, instead.")
@click.option("--sim", metavar="KEY", help="The same of one simulation, by the start of its key.")
def logs(
    call: Call,
    job: str,
    follow: bool,
    tail: int,
    search: str | None,
    since: str | None,
    source: str,
    failed: bool,
    sim: str | None,
) -> Logs:
    """Print what a job's driver wrote down, what the model printed, or what failed."""
    pattern = compile_pattern(search)
    start = read_since(since)
    special = failed or sim is not None or source == "model"
    if special and (follow or start):
        raise click.UsageError(
            "--follow and --since are about the driver's lines, which have times"
        )
    if (failed or sim is not None) and source == "model":
        raise click.UsageError("--failed and --sim name what to show already: leave out --source")
    backend = open_backend(call)
    found = find_job(backend, job).job_id
    if follow:
        for line in later(matching(backend.logs(found, follow=True), pattern), start):
            if call.console.json:
                call.event("line", job=found, text=line)
            else:
                call.console.print([line])
        return Logs(found, [])
    if failed or sim is not None:
        lines = failure_lines(call, found, sim)
    elif source == "model":
        lines = backend.model_logs(found)
    else:
        lines = later(backend.logs(found), start)
    return Logs(found, last_lines(matching(lines, pattern), tail))


def failure_lines(call: Call, job_id: str, sim: str | None) -> Iterator[str]:
    """Per failed simulation: its key, parameters, error, traceback, last words."""
    from modelops.cli.mops.results._results import read_tables

    folder = open_backend(call).folder(job_id).path
    table = read_tables(call, folder, ["failures"])["failures"]
    rows = [row for row in table.iter_rows(named=True) if row["sim_key"].startswith(sim or "")]
    if sim is not None and not rows:
        raise NotFound(
            f"no failed simulation of {job_id} begins with {sim}",
            hint=f"mops results show {job_id} --table failures",
            code="sim.not_found",
        )
    for row in rows:
        yield f"{row['sim_key']}  {row['status']}  seed {row['seed']}  {row['params']}"
        told = row["traceback"] or f"{row['error_type'] or ''}: {row['error_message'] or ''}"
        yield from (f"  {line}" for line in told.rstrip().splitlines())
        yield from (f"  | {line}" for line in (row["stderr_tail"] or "").rstrip().splitlines())


def read_since(text: str | None) -> str | None:
    """`10m` ago, or a time; as the log writes times."""
    if text is None:
        return None
    ago = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text)
    try:
        if ago is not None:
            moment = datetime.now(UTC) - timedelta(**{UNITS[ago[2]]: float(ago[1])})
        else:
            moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r} is neither an age (10m, 2h, 1d) nor an ISO 8601 time", param_hint="--since"
        ) from None
    at = moment.astimezone(UTC)  # a time without a zone is local
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def later(lines: Iterable[str], start: str | None) -> Iterator[str]:
    """Lines from a moment on. A line without a time belongs to the one before it."""
    shown = start is None
    for line in lines:
        if start is not None and re.match(r"\d{4}-\d\d-\d\dT\S+Z ", line):
            shown = line.partition(" ")[0] >= start
        if shown:
            yield line


def compile_pattern(search: str | None) -> re.Pattern[str]:
    try:
        return re.compile(search or "")
    except re.error as error:
        raise click.BadParameter(
            f"{search!r} is no regular expression: {error}", param_hint="--search"
        ) from None


def matching(lines: Iterable[str], pattern: re.Pattern[str]) -> Iterator[str]:
    return (line for line in lines if pattern.search(line))


def last_lines(lines: Iterable[str], count: int) -> list[str]:
    return list(deque(lines, maxlen=count or None))
