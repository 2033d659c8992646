"""The driver around the work: states, errors, locks. The work itself is replaced."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelops import driver
from modelops.config.sources import load_config
from modelops.jobs.folder import JobFolder, create_job_folder
from modelops.jobs.interrupt import Interrupt
from modelops.jobs.lifecycle import Event
from modelops.jobs.record import JobRecord
from modelops.jobs.work import Carried
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import Conflict, Interrupted, InvalidInput, SimulationFailed
from modelops_contracts.job_state import JobState
from support.jobs import make_job, make_record
from support.plans import MANIFEST, make_plan


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    documents = {
        **make_job()["documents"],
        "bundle": {"repository": "walk", "manifest": MANIFEST},
        "plan": make_plan().to_json(),
    }
    return create_job_folder(tmp_path, make_record(), documents)


def run(
    folder: JobFolder, work: Callable[[], Carried], monkeypatch: pytest.MonkeyPatch, **more: Any
) -> JobRecord:
    def carry(self: Any) -> Carried:
        carried = work()
        self._ledger.happen(Event.FINALIZE)
        return carried

    monkeypatch.setattr(driver._Driver, "_carry", carry)
    config = load_config({}, {"MODELOPS_HOME": str(folder.path / "home")}, folder.path)
    return driver.run_job(folder.path, config=config, **more)


def raising(error: BaseException) -> Callable[[], Carried]:
    def work() -> Carried:
        raise error

    return work


def well() -> Carried:
    return Carried(Event.SUCCEED, "all well")


def log_of(folder: JobFolder) -> str:
    return folder.driver_log.read_text()


def test_a_good_end(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run(folder, well, monkeypatch)
    assert record == folder.read_record()
    assert record.state is JobState.SUCCEEDED
    assert record.message == "all well"
    assert record.ended
    assert "all well" in log_of(folder)


def test_a_partial_end(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run(folder, lambda: Carried(Event.END_PARTIAL, "2 failed"), monkeypatch)
    assert record.state is JobState.PARTIAL


def test_an_error_becomes_the_jobs_error_with_hint_and_code(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = InvalidInput("no such output", hint="cb models", code="target.output")
    record = run(folder, raising(error), monkeypatch)
    assert record.state is JobState.FAILED
    assert record.error is not None
    assert record.error["message"] == "no such output"
    assert record.error["hint"] == "cb models"
    assert record.error["code"] == "target.output"
    assert "no such output" in log_of(folder)
    assert "Traceback" not in log_of(folder)


def test_the_authors_traceback_is_kept(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    error = SimulationFailed("boom", remote_traceback="File walk.py, line 3")
    record = run(folder, raising(error), monkeypatch)
    assert record.error is not None
    assert record.error["traceback"] == "File walk.py, line 3"
    assert "File walk.py, line 3" in log_of(folder)


def test_a_defect_of_ours_fails_the_job_with_its_traceback(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = run(folder, raising(AssertionError("impossible")), monkeypatch)
    assert record.state is JobState.FAILED
    assert record.message == "AssertionError: impossible"
    assert record.error is not None
    assert "test_driver.py" in record.error["traceback"]


def test_debug_lets_the_exception_through(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ZeroDivisionError):
        run(folder, raising(ZeroDivisionError("x")), monkeypatch, debug=True)
    assert folder.read_record().state is JobState.FAILED


def test_an_interruption_cancels(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    record = run(folder, raising(Interrupted("stopped; 3 are kept")), monkeypatch)
    assert record.state is JobState.CANCELLED
    assert record.message == "stopped; 3 are kept"


def test_the_second_ctrl_c_ends_at_once_and_leaves_a_cancelled_job(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def work() -> Carried:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        return well()

    interrupt = Interrupt()
    with interrupt.installed(), pytest.raises(KeyboardInterrupt):
        run(folder, work, monkeypatch, interrupt=interrupt)
    assert folder.read_record().state is JobState.CANCELLED


def test_one_driver_at_a_time(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_LOCK_SECONDS", 0.0)
    with FileLock(folder.lock, command="the first"), pytest.raises(Conflict, match="the first"):
        run(folder, well, monkeypatch)
    assert folder.read_record().state is JobState.QUEUED


@pytest.mark.parametrize("events", [[Event.START], [Event.START, Event.FINALIZE]])
def test_what_a_dead_driver_left_is_taken_up(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, events: list[Event]
) -> None:
    for event in events:
        folder.apply(event)
    assert run(folder, well, monkeypatch).state is JobState.SUCCEEDED
    assert "lost" in [entry["to"] for entry in folder.read_events()]


@pytest.mark.parametrize("end", [Event.FAIL, Event.CANCEL])
def test_an_ended_job_can_be_carried_again(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch, end: Event
) -> None:
    folder.apply(Event.START)
    folder.apply(end)
    folder.cancel_request.write_text("")
    record = run(folder, well, monkeypatch)
    assert record.state is JobState.SUCCEEDED
    assert record.error is None
    assert not folder.cancel_request.exists()


def test_another_schema_is_refused_not_guessed(folder: JobFolder) -> None:
    folder.plan.write_text(json.dumps({"schema": "mops.plan/9"}))
    config = load_config({}, {"MODELOPS_HOME": str(folder.path / "home")}, folder.path)
    (folder.spec).write_text('{"model": "m", "scenario": "baseline", "parameter_sets": [{"x": 1}]}')
    record = driver.run_job(folder.path, config=config)
    assert record.state is JobState.FAILED
    assert "mops.plan/9" in record.message


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert driver.main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_a_folder_that_is_no_job(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert driver.main([str(tmp_path / "nothing")]) == 1
    assert "error:" in capsys.readouterr().err
