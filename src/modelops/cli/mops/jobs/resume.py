"""`mops jobs resume`."""

from __future__ import annotations

from collections.abc import Iterator

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._jobs import Job, as_job, find_job, open_backend


def render(answer: Job, screen: Screen) -> Iterator[str]:
    yield f"{answer.job}  {answer.state}, {answer.done} of {answer.total} finished before"
    yield f"Next: mops jobs status {answer.job}"


@command(answer=Job, render=render)
@click.argument("job", default="last", shell_complete=jobs)
@click.option("--max-failed", metavar="N|P%", help="Failures it may have and still succeed.")
@click.option("--retry-failed", is_flag=True, help="Run again what failed before.")
def resume(call: Call, job: str, max_failed: str | None, retry_failed: bool) -> Job:
    """Go on with a job that was cancelled, failed or lost; only what is missing runs."""
    backend = open_backend(call)
    record = find_job(backend, job)
    given = {"max_failed": max_failed, "retry_failed": retry_failed or None}
    changes = {key: value for key, value in given.items() if value is not None}
    backend.resume(record.job_id, changes=changes or None)
    backend.launch(record.job_id)
    return as_job(backend.record(record.job_id))
