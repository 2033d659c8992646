"""Watching a job that somebody else carries."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modelops.cli._call import Call
from modelops.cli._console import figure
from modelops.cli.mops.jobs._jobs import Backend
from modelops.jobs.record import SILENCE_SECONDS
from modelops_contracts.errors import Interrupted

if TYPE_CHECKING:
    from modelops.cli._progress import ConsoleReporter
    from modelops.jobs.record import JobRecord

INTERVAL = 0.5


def follow(
    call: Call, backend: Backend, job_id: str, *, interval: float = INTERVAL, stream: bool = False
) -> JobRecord:
    """Show a job's progress until it has ended or is lost. Raises Interrupted on Ctrl-C."""
    reporter = call.reporter(stream=stream)
    shown = Shown(reporter)
    try:
        while True:
            record = backend.record(job_id)
            shown.update(record)
            if record.state == "lost":  # or only silent: the backend knows
                record = backend.wait(job_id, timeout=SILENCE_SECONDS + interval)
                if record.state == "lost":
                    return record
            if record.state.ended:
                return record
            time.sleep(interval)
    except KeyboardInterrupt:
        raise Interrupted(
            f"stopped looking at {job_id}; it goes on", hint=f"mops jobs watch {job_id}"
        ) from None
    finally:
        reporter.close()


class Shown:
    """What a reporter has been told so far of a job's progress."""

    def __init__(self, reporter: ConsoleReporter) -> None:
        self.reporter = reporter
        self.done = self.failed = 0
        self.started = False

    def update(self, record: JobRecord) -> None:
        progress = record.progress
        if not self.started and record.started:
            what = "trials" if record.kind == "calibration" else "simulations"
            self.reporter.start(what, progress.total or None)
            self.started = True
        more, failed = progress.done - self.done, progress.failed - self.failed
        if self.started and (more > 0 or failed > 0):
            note = "" if progress.best is None else f"best {figure(progress.best)}"
            self.reporter.advance(max(more, 0), failed=max(failed, 0), note=note)
            self.done, self.failed = progress.done, progress.failed
