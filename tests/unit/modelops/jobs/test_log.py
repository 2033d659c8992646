"""The driver's log."""

from __future__ import annotations

from pathlib import Path

from modelops.jobs.folder import JobFolder
from modelops.jobs.log import LogReporter, SeveralReporters


def texts(folder: JobFolder) -> list[str]:
    return [line.split(" ", 1)[1] for line in folder.driver_log.read_text().splitlines()]


def test_one_line_per_event_and_one_per_ten_seconds_of_counting(tmp_path: Path) -> None:
    now = [0.0]
    folder = JobFolder(tmp_path / "job-00000001")
    with LogReporter(folder, clock=lambda: now[0]) as log:
        log.start("simulations", 100)
        for _ in range(25):
            now[0] += 1.0
            log.advance(2, failed=1, note="best 3")
        log.warn("odd\nvery odd")
        log.finish("1 failed")
    assert texts(folder) == [
        "simulations: 100",
        "simulations: 20/100, 10 failed, best 3",
        "simulations: 40/100, 20 failed, best 3",
        "warning: odd",
        "very odd",
        "simulations: done, 1 failed",
    ]


def test_a_second_driver_appends(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "job-00000001")
    for text in ("first", "second"):
        with LogReporter(folder) as log:
            SeveralReporters(log).note(text)
    assert texts(folder) == ["first", "second"]
