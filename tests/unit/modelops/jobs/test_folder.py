"""Job folders: whole or absent, states with their events, drivers that are gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from modelops.jobs.folder import (
    JobFolder,
    create_job_folder,
    list_job_folders,
    new_job_id,
    open_job_folder,
)
from modelops.jobs.lifecycle import Event
from modelops.jobs.record import JobRecord, timestamp
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import Conflict, IntegrityError, NotFound
from modelops_contracts.job_state import JobState
from support.jobs import make_job, make_record


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return create_job_folder(tmp_path, make_record(), make_job()["documents"])


def test_a_new_job_is_queued_with_its_files_and_its_history(folder: JobFolder) -> None:
    assert folder.read_record().state is JobState.QUEUED
    assert {path.name for path in folder.path.iterdir()} >= {
        "spec.json", "bundle.json", "plan.json", "state.json", "events.jsonl",
    }  # fmt: skip
    assert [(e["from"], e["to"]) for e in folder.read_events()] == [
        ("pending", "submitting"),
        ("submitting", "queued"),
    ]


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        create_job_folder(tmp_path, make_record(), {"spec": {"x": object()}})
    assert list((tmp_path / "jobs").iterdir()) == []


def test_records_survive_the_round_trip(folder: JobFolder) -> None:
    record = replace(make_record(tags={"a": "b"}), targets=("t",), error={"code": "x"})
    assert JobRecord.from_json(record.to_json()) == record
    newer = {**record.to_json(), "later": 1}
    assert JobRecord.from_json(newer) == record


def test_another_schema_or_a_damaged_state_is_refused(folder: JobFolder) -> None:
    with pytest.raises(IntegrityError, match=r"mops\.job/9"):
        JobRecord.from_json({**make_record().to_json(), "schema": "mops.job/9"})
    folder.state.write_text("{")
    with pytest.raises(IntegrityError, match="damaged"):
        folder.read_record()


def test_a_running_job_without_a_driver_is_lost_but_its_file_is_left_alone(
    folder: JobFolder,
) -> None:
    with FileLock(folder.lock):
        folder.apply(Event.START, heartbeat=timestamp())
        assert folder.observe().state is JobState.RUNNING
    assert folder.observe().state is JobState.LOST
    assert folder.read_record().state is JobState.RUNNING


def test_a_silent_driver_is_lost_until_it_speaks(folder: JobFolder) -> None:
    with FileLock(folder.lock):
        folder.apply(Event.START, heartbeat=timestamp())
        later = datetime.now(UTC) + timedelta(seconds=20)
        assert folder.observe(later).state is JobState.LOST
        record = replace(folder.read_record(), heartbeat=timestamp(later))
        folder.state.write_text(record.to_text())
        assert folder.observe(later).state is JobState.RUNNING


def test_times_of_start_and_end(folder: JobFolder) -> None:
    started = folder.apply(Event.START)
    assert started.started
    folder.apply(Event.FINALIZE)
    ended = folder.apply(Event.END_PARTIAL, message="2 failed")
    assert ended.ended
    assert ended.message == "2 failed"
    resumed = folder.apply(Event.RESUME)
    assert resumed.ended == ""
    assert resumed.started == started.started


def test_illegal_steps_change_nothing(folder: JobFolder) -> None:
    before = folder.state.read_text()
    with pytest.raises(Conflict):
        folder.apply(Event.SUCCEED)
    assert folder.state.read_text() == before


@pytest.mark.parametrize("job_id", ["job-none", "../jobs", ".hidden"])
def test_a_job_that_is_not_there(tmp_path: Path, job_id: str) -> None:
    with pytest.raises(NotFound):
        open_job_folder(tmp_path, job_id)


def test_listing_an_empty_store(tmp_path: Path) -> None:
    assert list_job_folders(tmp_path) == []


def test_ids_tell_studies_from_calibrations() -> None:
    assert new_job_id("study").startswith("job-")
    assert new_job_id("calibration").startswith("calib-")
