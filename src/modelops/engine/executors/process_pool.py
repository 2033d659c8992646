"""Slots on this machine: one supervising thread each, with a guest process of its own.

The threads only wait and pass bytes on; the author's code runs in the guests. A guest is bound to
the thread that started it (the kernel ends it with that thread); threads live as long as the pool.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

__all__ = ["ProcessPool"]

T = TypeVar("T")
A = TypeVar("A")


class ProcessPool:
    """An Executor of ``slots`` supervising threads, each started when a call finds none idle."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._threads = ThreadPoolExecutor(slots, thread_name_prefix="slot")

    @property
    def slots(self) -> int:
        return self._slots

    def submit(self, call: Callable[..., T], /, *args: Any) -> Future[T]:
        return self._threads.submit(call, *args)

    def map_batches(
        self, call: Callable[[A], T], batches: Iterable[A], *, in_flight: int | None = None
    ) -> Iterator[T]:
        ahead = in_flight or 2 * self._slots
        source = iter(batches)
        waiting = deque(self.submit(call, batch) for batch in itertools.islice(source, ahead))
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(self.submit(call, batch) for batch in itertools.islice(source, 1))
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
