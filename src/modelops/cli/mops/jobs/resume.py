"""`mops jobs resume`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen
from modelops.cli._options import max_failed_option
from modelops.cli.mops.jobs._jobs import Job, as_job, find_job, open_backend

if TYPE_CHECKING:
    from modelops.jobs.folder import JobFolder


def render(answer: Job, screen: Screen) -> Iterator[str]:
    yield f"{answer.job}  {answer.state}, {answer.done} of {answer.total} finished before"
    yield f"Next: mops jobs status {answer.job}"


@command(answer=Job, render=render)
@click.argument("job", default="last", shell_complete=jobs)
@max_failed_option
@click.option("--retry-failed", is_flag=True, help="Run again what failed before.")
@click.option(
    "--spec",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Go on with this file: stop rules and rescoring may differ, a calibration.",
)
@click.option(
    "--rescore",
    is_flag=True,
    help="Score all trials again with the targets, weights and policies of today.",
)
@click.option(
    "--as-submitted",
    is_flag=True,
    help="Go on with what was submitted, whatever the project is today.",
)
def resume(
    call: Call,
    job: str,
    max_failed: str | None,
    retry_failed: bool,
    spec: Path | None,
    rescore: bool,
    as_submitted: bool,
) -> Job:
    """Go on with a job that was cancelled, failed or lost; only what is missing runs.

    A calibration is refused when the project of today would give its trials other objectives. When
    only targets, weights or policies differ, --rescore scores its stored simulations again, also
    of a job that has succeeded; none of them is run again.
    """
    from modelops.jobs.resuming import ResumeWish, prepare_resume

    backend = open_backend(call)
    record = find_job(backend, job)
    given = {"max_failed": max_failed, "retry_failed": retry_failed or None}
    changes = {key: value for key, value in given.items() if value is not None}
    wish = ResumeWish(None if spec is None else call.start / spec, rescore, as_submitted)

    def prepare(folder: JobFolder) -> Mapping[str, Any] | None:
        reporter = call.reporter(stream=False)
        try:
            return prepare_resume(
                folder, wish, project_root=call.project_root, config=call.config, reporter=reporter
            )
        finally:
            reporter.close()

    backend.resume(record.job_id, changes=changes or None, prepare=prepare)
    backend.launch(record.job_id)
    return as_job(backend.record(record.job_id))
