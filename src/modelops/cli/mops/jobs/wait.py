"""`mops jobs wait`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen, duration
from modelops.cli.mops.jobs._jobs import Job, as_job, find_job, open_backend


def render(answer: Job, screen: Screen) -> Iterator[str]:
    yield answer.state


@command(answer=Job, render=render)
@click.argument("job", default="last", shell_complete=jobs)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Give up after that long, with exit code 1.",
)
@click.option(
    "--for",
    "goal",
    type=click.Choice(("running", "done")),
    default="done",
    show_default=True,
    help="What to wait for.",
)
def wait(call: Call, job: str, timeout: float | None, goal: str) -> Done:
    """Wait for a job to end, or to run. The exit code is 0 when it succeeded, or runs."""
    backend = open_backend(call)
    record = find_job(backend, job)
    call.console.info(f"waiting for {record.job_id}")
    record = backend.wait(record.job_id, timeout=timeout, started_is_enough=goal == "running")
    state = str(record.state)
    over = record.state.ended or state == "lost"
    reached = over or (goal == "running" and state in {"running", "finalizing"})
    if not reached:
        call.console.warn(f"{record.job_id} is still {state} after {duration(timeout or 0.0)}")
    good = state == "succeeded" or (goal == "running" and reached and state != "lost")
    return Done(as_job(record), 0 if good else 1)
