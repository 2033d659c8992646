"""The local backend beyond the port: lost drivers, resume, waiting."""

from __future__ import annotations

import os
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from modelops.jobs.backends.local import LocalJobBackend
from modelops.jobs.lifecycle import Event
from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.errors import Conflict
from modelops_contracts.job_state import JobState
from support.jobs import driver_command, make_job


@pytest.fixture
def backend(tmp_path: Path) -> LocalJobBackend:
    return LocalJobBackend(tmp_path, environ=dict(os.environ), command=driver_command())


def test_a_driver_killed_by_the_kernel_leaves_a_lost_job_that_can_be_resumed(
    backend: LocalJobBackend,
) -> None:
    job_id = backend.submit(make_job(part="die"))
    assert backend.wait(job_id).state is JobState.LOST
    folder = backend.folder(job_id)
    folder.spec.write_text('{"part": "succeed"}')
    assert backend.resume(job_id).state is JobState.QUEUED
    backend.launch(job_id)
    assert backend.wait(job_id).state is JobState.SUCCEEDED
    assert [e["to"] for e in folder.read_events()][-6:] == [
        "running", "lost", "queued", "running", "finalizing", "succeeded",
    ]  # fmt: skip


def test_resuming_a_running_job_names_its_driver(backend: LocalJobBackend) -> None:
    job_id = backend.submit(make_job(part="wait"))
    with pytest.raises(Conflict, match=f"{job_id} is running: .*locked by process") as caught:
        backend.resume(job_id)
    assert caught.value.hint == f"mops jobs wait {job_id}, or mops jobs cancel {job_id}"
    with pytest.raises(Conflict, match="running already"):
        backend.launch(job_id)
    backend.cancel(job_id)
    assert backend.wait(job_id).state is JobState.CANCELLED


def test_a_resume_forgets_the_cancel_request_and_takes_new_settings(
    backend: LocalJobBackend,
) -> None:
    job_id = backend.submit(make_job(part="wait"))
    backend.cancel(job_id)
    backend.wait(job_id)
    backend.resume(job_id, changes={"max_failed": "5"})
    folder = backend.folder(job_id)
    assert folder.read_document(folder.plan)["settings"] == {"max_failed": "5"}
    backend.launch(job_id)
    assert backend.wait(job_id, started_is_enough=True).state is JobState.RUNNING
    backend.cancel(job_id)
    backend.wait(job_id)


def test_a_succeeded_job_has_nothing_to_resume(backend: LocalJobBackend) -> None:
    job_id = backend.submit(make_job())
    backend.wait(job_id)
    with pytest.raises(Conflict, match="nothing is missing"):
        backend.resume(job_id)


def test_a_job_without_a_driver_is_cancelled_at_once(backend: LocalJobBackend) -> None:
    job_id = backend.create(make_job()).job_id
    backend.cancel(job_id)
    assert backend.record(job_id).state is JobState.CANCELLED


def test_waiting_has_an_end(backend: LocalJobBackend) -> None:
    job_id = backend.create(make_job()).job_id
    assert backend.wait(job_id, timeout=0.0).state is JobState.QUEUED


def test_a_driver_that_is_silent_for_a_while_is_waited_for(backend: LocalJobBackend) -> None:
    """A machine that slept, or whose clock was set: the last heartbeat looks old."""
    job_id = backend.create(make_job()).job_id
    folder = backend.folder(job_id)
    running = folder.apply(Event.START)
    asleep = replace(running, updated="2020-01-01T00:00:00.000Z", heartbeat="")

    def wake_up() -> None:
        write_atomically(folder.state, asleep.with_state(JobState.FAILED).to_text())

    with FileLock(folder.lock):
        write_atomically(folder.state, asleep.to_text())
        assert backend.record(job_id).state is JobState.LOST
        awake = threading.Timer(0.3, wake_up)
        awake.start()
        assert backend.wait(job_id, timeout=30).state is JobState.FAILED
        awake.join()
        write_atomically(folder.state, asleep.to_text())
    assert backend.wait(job_id).state is JobState.LOST


def test_a_damaged_job_hides_no_other(backend: LocalJobBackend) -> None:
    good = backend.create(make_job("job-00000001")).job_id
    bad = backend.create(make_job("job-00000002")).job_id
    backend.folder(bad).state.write_text("{")
    shown = {record.job_id: record for record in backend.records()}
    assert shown[good].state is JobState.QUEUED
    assert shown[bad].state is JobState.LOST
    assert "damaged" in shown[bad].message
