"""Deleting a job: only one that has ended, whole, and nobody sees half of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelops.jobs.backends.local import LocalJobBackend
from modelops_contracts.errors import Conflict, NotFound
from modelops_contracts.job_state import JobState
from support.jobs import driver_command, make_job


@pytest.fixture
def backend(tmp_path: Path) -> LocalJobBackend:
    return LocalJobBackend(tmp_path, environ=dict(os.environ), command=driver_command())


def test_a_running_job_is_kept_and_an_ended_one_goes(backend: LocalJobBackend) -> None:
    job_id = backend.submit(make_job(part="wait"))
    with pytest.raises(Conflict, match="is running") as caught:
        backend.delete(job_id)
    assert caught.value.hint == f"mops jobs cancel {job_id}"
    backend.cancel(job_id)
    assert backend.wait(job_id).state is JobState.CANCELLED
    backend.delete(job_id)
    assert list(backend.records()) == []
    assert list((backend.results_root / "jobs").iterdir()) == []
    with pytest.raises(NotFound):
        backend.delete(job_id)


def test_a_lost_job_can_be_deleted(backend: LocalJobBackend) -> None:
    job_id = backend.submit(make_job(part="die"))
    assert backend.wait(job_id).state is JobState.LOST
    backend.delete(job_id)
    assert list(backend.records()) == []


def test_what_the_models_processes_printed_comes_slot_by_slot(backend: LocalJobBackend) -> None:
    job_id = backend.submit(make_job(part="succeed"))
    backend.wait(job_id)
    logs = backend.folder(job_id).logs
    for name, text in (("slot-10.log", "c\n"), ("slot-2.log", "b\n"), ("slot-2.log.1", "a\n")):
        (logs / name).write_text(text)
    assert list(backend.model_logs(job_id)) == ["slot-2  a", "slot-2  b", "slot-10  c"]
