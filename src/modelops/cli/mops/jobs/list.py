"""`mops jobs list`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, figure, plural, table
from modelops.cli._options import limit_option
from modelops.cli.mops.jobs._jobs import Job, as_job, open_backend
from modelops.cli.mops.jobs._submission import read_tags

if TYPE_CHECKING:
    from modelops.jobs.record import JobRecord

STATES = (
    "pending",
    "submitting",
    "queued",
    "running",
    "finalizing",
    "succeeded",
    "partial",
    "failed",
    "cancelled",
    "lost",
)


@dataclass(frozen=True, slots=True)
class Jobs:
    """Jobs, newest first. `total` counts those that fit, shown or not."""

    env: str
    jobs: list[Job]
    total: int


def render(answer: Jobs, screen: Screen) -> Iterator[str]:
    header = ("JOB", "NAME", "KIND", "STATE", "DONE/TOTAL", "FAILED", "BEST", "AGE", "BUNDLE")
    rows = [
        (
            job.job,
            job.name or None,
            job.kind,
            job.state,
            f"{job.done}/{job.total}",
            job.failed,
            figure(job.best),
            screen.when(job.created),
            job.bundle.removeprefix("sha256:")[:12] or None,
        )
        for job in answer.jobs
    ]
    yield from table(header, rows, screen)


@command(answer=Jobs, render=render)
@limit_option("Jobs")
@click.option(
    "-s",
    "--status",
    "states",
    multiple=True,
    type=click.Choice(STATES),
    help="Only jobs in this state (repeatable).",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, min_open=True),
    help="Only jobs submitted in the last HOURS hours.",
)
@click.option("--name", help="Only jobs of this name.")
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="Only jobs with this tag.")
@click.option("-a", "--all", "everything", is_flag=True, help="All jobs, whatever --limit says.")
def list_(
    call: Call,
    limit: int,
    states: Sequence[str],
    hours: float | None,
    name: str | None,
    tags: Sequence[str],
    everything: bool,
) -> Jobs:
    """List the jobs of this project, newest first."""
    since = "" if hours is None else moment(datetime.now(UTC) - timedelta(hours=hours))
    wanted = read_tags(tags)
    records = open_backend(call).records()
    found = [record for record in records if fits(record, states, name, wanted, since)]
    if not found:
        say_empty(call, len(records))
    shown = found if everything else found[:limit]
    if len(shown) < len(found):
        call.console.note(f"{len(shown)} of {len(found)} jobs (all of them: mops jobs list --all)")
    return Jobs(call.config.environment, [as_job(record) for record in shown], len(found))


def say_empty(call: Call, others: int) -> None:
    if others:
        call.console.note(
            f"none of {plural(others, 'job')} fits (all of them: mops jobs list --all)"
        )
    else:
        call.console.note("no job here yet (mops run SPEC)")


def fits(
    record: JobRecord,
    states: Sequence[str],
    name: str | None,
    tags: dict[str, str],
    since: str,
) -> bool:
    return (
        (not states or str(record.state) in states)
        and (name is None or record.name == name)
        and tags.items() <= dict(record.tags).items()
        and record.created >= since
    )


def moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
