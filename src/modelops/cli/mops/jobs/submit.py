"""`mops jobs submit`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._jobs import open_backend
from modelops.cli.mops.jobs._submission import (
    Submitted,
    choose_settings,
    describe,
    plan,
    plan_lines,
    submission_options,
)


def render(answer: Submitted, screen: Screen) -> Iterator[str]:
    if answer.job is None:
        yield f"Would submit a {answer.kind}"
        yield from plan_lines(answer, screen)
        return
    if not screen.terminal:
        yield answer.job
        return
    yield f"Submitted {answer.job}"
    yield from plan_lines(answer, screen)
    yield f"State: {answer.state}"
    yield f"Next: mops jobs status {answer.job}"
    yield f"      mops results show {answer.job}"


@command(answer=Submitted, render=render)
@click.argument("spec", type=click.Path(path_type=Path))
@submission_options
@click.option("-f", "--follow", is_flag=True, help="Follow it to its end; exit as the job does.")
def submit(call: Call, spec: Path, follow: bool, **options: Any) -> Done:
    """Submit a study or a calibration as a job that runs in the background.

    SPEC is a file that `cb sampling` or `cb calibration` wrote. The command returns when the job is
    stored and running; without a terminal it prints the id alone.
    """
    from modelops.cli.mops.jobs._follow import follow as follow_job
    from modelops.jobs.submit import apply_submission

    choose_settings(call, options)
    made = plan(call, spec, options, stream=False)
    if made.dry_run:
        return Done(describe(made, job=None, state="planned"))
    record = apply_submission(made, config=call.config, project_root=call.project_root)
    backend = open_backend(call)
    backend.launch(record.job_id)
    if not follow:
        state = str(backend.record(record.job_id).state)
        return Done(describe(made, job=record.job_id, state=state))
    state = str(follow_job(call, backend, record.job_id).state)
    told = describe(made, job=record.job_id, state=state)
    return Done(told, 0 if state == "succeeded" else 1)
