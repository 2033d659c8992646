"""Jobs without simulations: records to store, and a driver that plays a part."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from modelops.jobs.folder import JobFolder
from modelops.jobs.interrupt import Interrupt
from modelops.jobs.lifecycle import Event
from modelops.jobs.record import JobRecord, Progress, timestamp
from modelops_contracts.atomic import FileLock
from modelops_contracts.job_state import JobState


def make_record(job_id: str = "job-00000001", **changes: Any) -> JobRecord:
    now = timestamp()
    fields: dict[str, Any] = {
        "kind": "study",
        "name": "study",
        "state": JobState.PENDING,
        "created": now,
        "updated": now,
        "progress": Progress(total=4),
    }
    return JobRecord(job_id=job_id, **{**fields, **changes})


def make_job(
    job_id: str = "job-00000001", *, part: str = "succeed", **changes: Any
) -> dict[str, Any]:
    """What LocalJobBackend.submit takes; ``part`` is what the driver below will do."""
    return {
        "record": make_record(job_id, **changes).to_json(),
        "documents": {"spec": {"part": part}, "bundle": {}, "plan": {"settings": {}}},
    }


def driver_command() -> tuple[str, ...]:
    return (sys.executable, __file__)


def play(folder: JobFolder) -> None:
    part = folder.read_document(folder.spec)["part"]
    if part == "refuse":
        sys.exit(7)
    interrupt = Interrupt(request_file=folder.cancel_request)
    with interrupt.installed(), FileLock(folder.lock, command="driver"):
        folder.apply(Event.START, pid=os.getpid(), heartbeat=timestamp())
        sys.stderr.write(f"playing {part}\n")
        sys.stderr.flush()
        if part == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        while part == "wait" and not interrupt.should_stop():
            time.sleep(0.01)
        if interrupt.should_stop():
            folder.apply(Event.CANCEL)
            return
        folder.apply(Event.FINALIZE)
        folder.apply(Event.FAIL if part == "fail" else Event.SUCCEED)


if __name__ == "__main__":
    play(JobFolder(Path(sys.argv[1])))
