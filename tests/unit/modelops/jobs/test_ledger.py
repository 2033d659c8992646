"""What a driver writes about itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from modelops.jobs import ledger as ledger_module
from modelops.jobs.folder import JobFolder, create_job_folder
from modelops.jobs.ledger import Ledger
from modelops.jobs.lifecycle import Event
from modelops_contracts.errors import Conflict
from modelops_contracts.job_state import JobState
from support.jobs import make_job, make_record


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    return create_job_folder(tmp_path, make_record(), make_job()["documents"])


@pytest.fixture
def clock() -> Iterator[Clock]:
    return Clock()  # type: ignore[return-value]


def test_events_are_on_disk_when_they_have_happened(folder: JobFolder, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    ledger.happen(Event.START)
    record = folder.read_record()
    assert record.state is JobState.RUNNING
    assert record.pid > 0
    assert record.heartbeat
    with pytest.raises(Conflict):
        ledger.happen(Event.SUCCEED)
    assert folder.read_record().state is JobState.RUNNING


def test_progress_is_written_at_most_once_a_second(folder: JobFolder, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    ledger.happen(Event.START)
    clock.now = 10.0
    ledger.begin(total=100, done=10, reused=10)
    for _ in range(5):
        clock.now += 0.1
        ledger.advance(1, failed=1, simulated=1)
    assert folder.read_record().progress.done == 10
    clock.now += 1.0
    ledger.advance(1)
    progress = folder.read_record().progress
    assert (progress.done, progress.failed, progress.reused, progress.simulated) == (16, 5, 10, 5)


def test_reused_rows_do_not_flatter_the_rate(folder: JobFolder, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    ledger.begin(total=110, done=90, reused=90)
    ledger.advance(0, reused=3)
    clock.now = 10.0
    ledger.advance(10)
    progress = ledger.record.progress
    assert progress.rate == pytest.approx(1.0)
    assert progress.eta == pytest.approx(10.0)


def test_the_rate_is_that_of_the_last_half_minute(folder: JobFolder, clock: Clock) -> None:
    ledger = Ledger(folder, clock=clock)
    ledger.begin(total=10_000)
    for _ in range(100):
        clock.now += 1.0
        ledger.advance(1)
    for _ in range(40):
        clock.now += 1.0
        ledger.advance(10)
    assert ledger.record.progress.rate == pytest.approx(10.0)


def test_a_heartbeat_comes_while_the_driver_is_busy(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    monkeypatch.setattr(ledger_module, "HEARTBEAT_SECONDS", 0.01)
    ledger = Ledger(folder)
    ledger.happen(Event.START)
    first = folder.read_record().heartbeat
    beaten = threading.Event()

    def wait_for_beat() -> None:
        while folder.read_record().heartbeat == first:
            pass
        beaten.set()

    with ledger.beating():
        thread = threading.Thread(target=wait_for_beat, daemon=True)
        thread.start()
        assert beaten.wait(20)
    thread.join()
