"""`mops jobs cancel`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._complete import jobs as complete_jobs
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._jobs import Job, as_job, find_jobs, is_running, open_backend

WAIT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The jobs after they were asked to stop."""

    env: str
    jobs: list[Job]


def render(answer: Cancelled, screen: Screen) -> Iterator[str]:
    for job in answer.jobs:
        yield f"{job.job}  {job.state}, {job.done} of {job.total} finished and kept"


@command(answer=Cancelled, render=render)
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...", shell_complete=complete_jobs)
@click.option("--wait/--no-wait", default=True, show_default=True, help="Wait until they stopped.")
def cancel(call: Call, jobs: Sequence[str], wait: bool) -> Done:
    """Stop jobs; what they have finished stays."""
    backend = open_backend(call)
    records = find_jobs(backend, jobs)
    for record in records:
        backend.cancel(record.job_id)
    if wait:
        records = [backend.wait(record.job_id, timeout=WAIT_SECONDS) for record in records]
    else:
        records = [backend.record(record.job_id) for record in records]
    answer = [as_job(record) for record in records]
    stuck = [job.job for job in answer if wait and is_running(job)]
    if stuck:
        call.console.warn(f"{', '.join(stuck)} did not stop within {WAIT_SECONDS:.0f} s")
    return Done(Cancelled(call.config.environment, answer), 1 if stuck else 0)
