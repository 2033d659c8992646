"""SIGKILL at any moment: the same tables in the end, and only what was missing is computed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from modelops import wiring
from modelops.jobs.folder import JobFolder
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_contracts.job_state import JobState
from support.job_projects import calibration_spec, driver_environ, driver_line, study_spec

STUDY = study_spec([0.1 * i for i in range(12)], n_replicates=10)


def start_driver(place: Any, folder: JobFolder) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        driver_line(folder.path),
        env=driver_environ(place.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def kill_after(place: Any, folder: JobFolder, seconds: float) -> None:
    """Start a driver and kill it; no process of its session may survive it for long."""
    process = start_driver(place, folder)
    time.sleep(seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    wait_for_guests_to_end(place)


def guests_of(place: Any) -> list[int]:
    """Living processes whose program, the guest's archive, comes from the home of this test."""
    home = str(place.home).encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if any(word.startswith(home) for word in words):
            found.append(int(entry.name))
    return found


def wait_for_guests_to_end(place: Any) -> None:
    deadline = time.monotonic() + 20
    while guests_of(place) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert guests_of(place) == []


def stored_keys(place: Any, folder: JobFolder) -> int:
    plan = folder.read_document(folder.plan)
    if not folder.reuse.is_file():
        return 0
    keys = pl.read_parquet(folder.reuse)["sim_key"].to_list()
    return len(wiring.open_results(place.config, place.root).known(plan["code"], keys))


@pytest.mark.slow
def test_a_killed_study_run_again_gives_the_same_tables(
    slow_place: Any, another_slow_place: Any
) -> None:
    place = slow_place
    whole = another_slow_place.run(STUDY)
    chance = random.Random(1978)
    folder = place.submit(STUDY)
    for _ in range(10):
        kill_after(place, folder, chance.uniform(0.2, 2.5))
        if folder.read_record().state.ended:
            break
        assert folder.observe().state in {JobState.LOST, JobState.QUEUED}
        folder = place.submit(STUDY)
    before = place.plan(STUDY).reused
    record = place.run(STUDY)
    assert record.state is JobState.SUCCEEDED
    assert record.progress.reused == before
    assert record.progress.simulated == 120 - before
    for name, table in another_slow_place.tables(whole.job_id).items():
        assert_frame_equal(place.tables(record.job_id)[name], table)
    assert wiring.open_results(place.config, place.root).verify() == []


def test_a_killed_study_is_lost_and_its_own_driver_goes_on(slow_place: Any) -> None:
    place = slow_place
    folder = place.submit(STUDY)
    process = start_driver(place, folder)
    deadline = time.monotonic() + 60
    while stored_keys(place, folder) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert folder.observe().state is JobState.LOST
    kept = stored_keys(place, folder)
    assert 0 < kept < 120
    record = place.carry(folder)
    assert record.state is JobState.SUCCEEDED
    assert record.progress.done == 120
    assert record.progress.simulated == 120 - kept
    states = [event["to"] for event in folder.read_events()]
    assert states[-5:] == ["lost", "queued", "running", "finalizing", "succeeded"]


@pytest.mark.slow
@pytest.mark.parametrize("again", ["resume", "new job"])
def test_a_killed_calibration_finds_what_it_would_have_found(
    slow_place: Any, another_slow_place: Any, again: str
) -> None:
    place, spec = slow_place, calibration_spec(max_trials=30, sampler={"type": "tpe"})
    whole = another_slow_place.run(spec)
    chance = random.Random(len(again))
    folder = place.submit(spec)
    for _ in range(4):
        kill_after(place, folder, chance.uniform(0.8, 2.5))
        if again == "new job":
            folder = place.submit(spec)
    record = place.carry(folder)
    assert record.state is JobState.SUCCEEDED
    drop = ["seconds", "reused"]
    ours = CalibrationResult.load(folder.result)
    theirs = CalibrationResult.load(another_slow_place.folder(whole.job_id).result)
    assert_frame_equal(ours.trials.drop(drop), theirs.trials.drop(drop))
    assert ours.best.objective == theirs.best.objective
    assert_frame_equal(ours.fit, theirs.fit)


def test_sigterm_stops_in_good_order(slow_place: Any) -> None:
    place = slow_place
    folder = place.submit(STUDY)
    process = start_driver(place, folder)
    deadline = time.monotonic() + 60
    while stored_keys(place, folder) == 0 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.terminate()
    assert process.wait(30) == 130
    record = folder.read_record()
    assert record.state is JobState.CANCELLED
    assert record.progress.done == stored_keys(place, folder)


def test_cancelling_through_the_backend_ends_simulations_soon(slow_place: Any) -> None:
    place = slow_place
    backend = wiring.open_backend(place.config, project_root=place.root)
    folder = place.submit(study_spec([0.5], n_replicates=2000))
    backend.launch(folder.job_id)
    backend.wait(folder.job_id, started_is_enough=True)
    deadline = time.monotonic() + 60
    while not guests_of(place) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert guests_of(place)
    backend.cancel(folder.job_id)
    record = backend.wait(folder.job_id, timeout=30)
    assert record.state is JobState.CANCELLED
    assert guests_of(place) == []
    backend.resume(folder.job_id)
    assert backend.record(folder.job_id).state is JobState.QUEUED
