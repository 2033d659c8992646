"""Several transfers at a time, with an end that does not wait for slow servers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import TypeVar

R = TypeVar("R")
_LOOK_EVERY = 0.2


def run_parallel(
    jobs: Sequence[Callable[[], R]], threads: int, *, stopped: threading.Event | None = None
) -> list[R]:
    """Run jobs on up to `threads` threads; return their results in order.

    The first error ends it: `stopped` is set so that running transfers give up, no further job
    begins, and the error is raised. An interrupt of the user is seen within a fraction of a second.
    """
    if threads <= 1 or len(jobs) <= 1:
        return [job() for job in jobs]
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    finished: queue.SimpleQueue[tuple[int, R | None, BaseException | None]] = queue.SimpleQueue()
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                number = waiting.get_nowait()
            except queue.Empty:
                return
            caught = Caught()
            with caught:
                finished.put((number, jobs[number](), None))
            if caught.error is not None:
                finished.put((number, None, caught.error))
                return

    workers = [
        threading.Thread(target=work, daemon=True, name=f"transfer {number}")
        for number in range(min(threads, len(jobs)))
    ]
    for worker in workers:
        worker.start()
    done = False
    try:
        results = _collect(finished, len(jobs))
        done = True
    finally:
        if not done:
            over.set()
            if stopped is not None:
                stopped.set()
            for worker in workers:
                worker.join(_LOOK_EVERY)
    return results


class Caught:
    """Keeps what a job raises, to be raised again by the thread that waits for it."""

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> None:
        """Nothing was raised yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Keep the error."""
        self.error = error
        return True


def _collect(
    finished: queue.SimpleQueue[tuple[int, R | None, BaseException | None]], count: int
) -> list[R]:
    results: dict[int, R] = {}
    while len(results) < count:
        try:
            number, result, error = finished.get(timeout=_LOOK_EVERY)
        except queue.Empty:
            continue
        if error is not None:
            raise error
        results[number] = result  # type: ignore[assignment]
    return [results[number] for number in range(count)]
