"""Several jobs at a time: results in order, the first error ends it."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from modelops_bundle.oci.parallel import run_parallel


@pytest.mark.parametrize("threads", [1, 3, 50])
def test_results_come_in_order(threads: int) -> None:
    jobs = [partial(pow, number, 2) for number in range(20)]
    assert run_parallel(jobs, threads) == [number**2 for number in range(20)]
    assert run_parallel([], threads) == []


def test_as_many_as_asked_run_at_once() -> None:
    meeting = threading.Barrier(4, timeout=10)
    run_parallel([meeting.wait] * 4, 4)


def test_the_first_error_stops_the_others() -> None:
    stopped = threading.Event()
    begun: list[int] = []

    def job(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError("broken")
        stopped.wait(10)

    with pytest.raises(ValueError, match="broken"):
        run_parallel([partial(job, number) for number in range(100)], 4, stopped=stopped)
    assert stopped.is_set()
    assert len(begun) < 100


def test_an_interrupt_is_not_swallowed() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_parallel([interrupted, interrupted], 2)
