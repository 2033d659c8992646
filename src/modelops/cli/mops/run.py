"""`mops run`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, figure, pairs, plural
from modelops.cli.mops.jobs._jobs import Job, as_job, error_text, open_backend
from modelops.cli.mops.jobs._submission import (
    Submitted,
    choose_settings,
    describe,
    plan,
    plan_lines,
    submission_options,
)
from modelops.cli.mops.results._results import CalibrationSummary, read_summary
from modelops.cli.mops.results.show import calibration_lines
from modelops_contracts.errors import Interrupted

if TYPE_CHECKING:
    from modelops.cli._progress import ConsoleReporter
    from modelops.jobs.folder import JobFolder
    from modelops.jobs.record import JobRecord
    from modelops.jobs.submit import SubmissionPlan


@dataclass(frozen=True, slots=True)
class Ran:
    """A job that was run to its end, submitted (`--detach`) or planned (`--dry-run`)."""

    submission: Submitted
    job: Job | None
    calibration: CalibrationSummary | None
    results: str | None
    report: str | None


def render(answer: Ran, screen: Screen) -> Iterator[str]:
    if answer.job is None:
        yield f"Would run a {answer.submission.kind}"
        yield from plan_lines(answer.submission, screen)
        return
    job = answer.job
    yield f"{job.job}  {screen.bold(job.state)}" + (f"  {job.message}" if job.message else "")
    unit = "trial" if job.kind == "calibration" else "simulation"
    yield from pairs(
        [
            ("Done", f"{plural(job.done, unit)} of {job.total}"),
            ("Failed", job.failed or None),
            ("Reused", plural(job.reused, "simulation") if job.reused else None),
            ("Best", best_text(answer)),
            ("Error", error_text(job.error)),
            ("Hint", (job.error or {}).get("hint")),
            ("Results", answer.results),
            ("Report", answer.report),
        ]
    )
    if answer.calibration is not None:
        yield from calibration_lines(answer.calibration, screen)
    yield f"Next: mops results show {job.job}"


def best_text(answer: Ran) -> str | None:
    """A study's best objective; a calibration's estimate stands below, with its error."""
    assert answer.job is not None
    if answer.job.best is None or answer.calibration is not None:
        return None
    return figure(answer.job.best)


@command(answer=Ran, render=render, stream=True)
@click.argument("spec", type=click.Path(path_type=Path))
@submission_options
@click.option("--detach", is_flag=True, help="Return when the job is running.")
@click.option("--debug", is_flag=True, help="Run in this process; the author's error ends it.")
@click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the report of a calibration (.html or .pdf) when it has ended.",
)
def run(
    call: Call, spec: Path, detach: bool, debug: bool, report: Path | None, **options: Any
) -> Done:
    """Run a study or a calibration here and follow it to its end.

    SPEC is a file that `cb sampling` or `cb calibration` wrote. What is stored already is not
    simulated again. Ctrl-C stops in good order and keeps what is finished; the same command, or
    `mops jobs resume`, goes on from there.
    """
    if detach and (debug or report):
        raise click.UsageError("--detach returns at once: it takes neither --debug nor --report")
    if debug:
        refuse_with_debug(options)
    kind = check_report(call, report)
    choose_settings(call, options)
    made = plan(call, spec, {**options, "debug": debug}, stream=True)
    if report is not None and made.kind != "calibration":
        raise click.UsageError("--report is made of a calibration; this is a study")
    if made.dry_run:
        return Done(Ran(describe(made, job=None, state="planned"), None, None, None, None))
    job_id = store_job(call, made)
    try:
        if detach:
            open_backend(call).launch(job_id)
            return detached(call, made, job_id)
        record = carry(call, job_id, debug=debug)
    except KeyboardInterrupt:
        raise Interrupted(
            f"{job_id} was ended at once; what was stored is kept",
            hint=f"mops jobs resume {job_id}",
        ) from None
    return conclude(call, made, record, report, kind)


def refuse_with_debug(options: Mapping[str, Any]) -> None:
    """Debugging runs simulations one by one in this process: nothing of these can be honoured."""
    given = [name for name in ("workers", "timeout", "executor", "isolation") if options[name]]
    if given:
        raise click.UsageError(f"--debug runs in this process; leave out --{', --'.join(given)}")


def check_report(call: Call, report: Path | None) -> str | None:
    """The format by the file's name; refused before anything runs, like a missing folder."""
    if report is None:
        return None
    from modelops.cli.cb.diagnostics.report import choose_format
    from modelops_contracts.errors import NotFound

    if not (call.start / report).parent.is_dir():
        raise NotFound(
            f"{report}: there is no folder {report.parent}", hint=f"mkdir -p {report.parent}"
        )
    if report.suffix and report.suffix.lower() not in {".pdf", ".html", ".htm"}:
        raise click.UsageError(f"--report {report}: a report is .pdf or .html")
    return choose_format(report, None)


def store_job(call: Call, made: SubmissionPlan) -> str:
    """Store the job, and say what is about to run."""
    from modelops.jobs.submit import apply_submission

    record = apply_submission(made, config=call.config, project_root=call.project_root)
    told = describe(made, job=record.job_id, state=str(record.state))
    if call.console.json:
        call.event("submitted", submission=told)
    call.console.note(f"{record.job_id}")
    for line in plan_lines(told, call.console.err_screen):
        call.console.note(line)
    return record.job_id


def carry(call: Call, job_id: str, *, debug: bool) -> JobRecord:
    """Be the job's driver: in the foreground, with progress, until it has ended."""
    from modelops.driver import run_job
    from modelops.jobs.interrupt import Interrupt

    reporter = call.reporter(stream=True)
    interrupt = Interrupt(
        on_first=lambda: say_stopping(call, reporter, job_id), on_hang_up=call.console.hang_up
    )
    folder = open_backend(call).folder(job_id).path
    try:
        with interrupt.installed():
            record = run_job(folder, reporter, config=call.config, interrupt=interrupt, debug=debug)
    finally:
        reporter.close()
    if interrupt.by_signal and str(record.state) == "cancelled":
        raise Interrupted(
            f"{job_id} was interrupted; {record.progress.done} of {record.progress.total} are kept",
            hint=f"mops jobs resume {job_id}",
        )
    return record


def say_stopping(call: Call, reporter: ConsoleReporter, job_id: str) -> None:
    reporter.clear()
    call.console.note(
        f"stopping; finished work is kept (Ctrl-C again to end at once). "
        f"To go on: mops jobs resume {job_id}"
    )


def detached(call: Call, made: SubmissionPlan, job_id: str) -> Done:
    backend = open_backend(call)
    record = backend.record(job_id)
    told = describe(made, job=job_id, state=str(record.state))
    return Done(Ran(told, as_job(record), None, str(backend.folder(job_id).path), None))


def conclude(
    call: Call, made: SubmissionPlan, record: JobRecord, report: Path | None, kind: str | None
) -> Done:
    folder = open_backend(call).folder(record.job_id)
    summary = read_summary(folder)
    written = None
    if report is not None and kind is not None:
        written = write_report(call, folder, report, kind)
    answer = Ran(
        submission=describe(made, job=record.job_id, state=str(record.state)),
        job=as_job(record),
        calibration=summary,
        results=str(folder.path),
        report=written,
    )
    traceback = str((record.error or {}).get("traceback") or "")
    if traceback:
        call.console.note(traceback.rstrip())
    return Done(answer, 0 if str(record.state) == "succeeded" else 1)


def write_report(call: Call, folder: JobFolder, report: Path, kind: str) -> str | None:
    """None, with a warning, where the calibration ended without a result to report."""
    if not (folder.result / "result.json").is_file():
        call.console.warn(f"no report was written: {folder.job_id} has no result")
        return None
    target = call.start / report
    drawn = folder.result / f"report.{kind}"
    if drawn.is_file():  # the driver has drawn it when it saved the result
        from modelops_contracts.atomic import write_atomically

        write_atomically(target, drawn.read_bytes())
        return str(target)
    from modelops_calabaria.diagnostics.report import write_report as write

    return str(write(folder.result, target, format=kind))
