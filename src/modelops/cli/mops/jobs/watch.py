"""`mops jobs watch`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._follow import follow
from modelops.cli.mops.jobs._jobs import Job, as_job, find_job, job_lines, open_backend


@dataclass(frozen=True, slots=True)
class Watched:
    """The job when it had ended."""

    job: Job


def render(answer: Watched, screen: Screen) -> Iterator[str]:
    yield from job_lines(answer.job, screen)


@command(answer=Watched, render=render, stream=True)
@click.argument("job", default="last", shell_complete=jobs)
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How often to look.",
)
def watch(call: Call, job: str, interval: float) -> Done:
    """Follow a job to its end. Ctrl-C stops looking; the job goes on.

    The exit code is 0 when the job succeeded, as for `mops run`.
    """
    backend = open_backend(call)
    found = find_job(backend, job).job_id
    record = follow(call, backend, found, interval=interval, stream=True)
    return Done(Watched(as_job(record)), 0 if str(record.state) == "succeeded" else 1)
