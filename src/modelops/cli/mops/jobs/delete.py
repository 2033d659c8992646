"""`mops jobs delete`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs as complete_jobs
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._jobs import Job, as_job, find_jobs, is_running, open_backend
from modelops_contracts.errors import Conflict, Interrupted


@dataclass(frozen=True, slots=True)
class Deleted:
    """The jobs as they were before they were deleted."""

    env: str
    jobs: list[Job]


def render(answer: Deleted, screen: Screen) -> Iterator[str]:
    for job in answer.jobs:
        yield f"{job.job}  deleted; its simulations stay in the store"


@command(answer=Deleted, render=render)
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...", shell_complete=complete_jobs)
def delete(call: Call, jobs: Sequence[str]) -> Deleted:
    """Delete jobs that have ended. What they simulated stays in the store."""
    backend = open_backend(call)
    found = [as_job(record) for record in find_jobs(backend, jobs)]
    refuse_running(found)
    confirm(call, [job.job for job in found])
    for job in found:
        backend.delete(job.job)
    return Deleted(call.config.environment, found)


def refuse_running(jobs: Sequence[Job]) -> None:
    """All or none: nothing is deleted when one of them cannot be."""
    active = [job for job in jobs if is_running(job)]
    if active:
        named = ", ".join(f"{job.job} ({job.state})" for job in active)
        raise Conflict(
            f"{named}: only jobs that have ended are deleted; nothing was deleted",
            hint=f"mops jobs cancel {' '.join(job.job for job in active)}",
            code="job.running",
        )


def confirm(call: Call, names: Sequence[str]) -> None:
    """A calibration's search cannot be rebuilt from the store alone: a person must say yes."""
    answer = call.console.ask(f"Delete {', '.join(names)}?", option="--yes")
    if answer is None:
        raise Conflict(
            f"deleting {', '.join(names)} needs a yes, and there is nobody to ask",
            hint=f"mops jobs delete {' '.join(names)} --yes",
            code="confirmation",
            exit_code=3,
        )
    if not answer:
        raise Interrupted("nothing was deleted", code="declined", exit_code=1)
