"""`mops jobs status`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs as complete_jobs
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._jobs import Job, as_job, find_jobs, job_lines, open_backend


@dataclass(frozen=True, slots=True)
class Status:
    """The jobs that were asked for."""

    env: str
    jobs: list[Job]


def render(answer: Status, screen: Screen) -> Iterator[str]:
    for number, job in enumerate(answer.jobs):
        if number:
            yield ""
        yield from job_lines(job, screen)


@command(answer=Status, render=render)
@click.argument("jobs", nargs=-1, metavar="[JOB]...", shell_complete=complete_jobs)
@click.option("--wait", is_flag=True, help="Wait until each of them has ended.")
def status(call: Call, jobs: Sequence[str], wait: bool) -> Status:
    """Say how jobs are doing.

    JOB is a full id, the beginning of one, `last` (the default), or @name for the newest job of
    that name.
    """
    backend = open_backend(call)
    records = find_jobs(backend, jobs or ["last"])
    if wait:
        records = [backend.wait(record.job_id) for record in records]
    return Status(call.config.environment, [as_job(record) for record in records])
