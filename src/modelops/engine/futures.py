"""Futures that hold what a block or another future gives."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

__all__ = ["hand_over", "map_future", "settling", "when_all"]

T = TypeVar("T")


@contextlib.contextmanager
def settling(future: Future[Any], *, everything_escapes: bool = False) -> Iterator[None]:
    """Hands an exception of its block to a future; interrupts are nobody's result and escape."""
    with contextlib.ExitStack() as stack:
        if not everything_escapes:
            stack.push(lambda _kind, error, _traceback: _take(future, error))
        yield


def _take(future: Future[Any], error: BaseException | None) -> bool:
    if not isinstance(error, Exception):
        return False
    future.set_exception(error)
    return True


def map_future(future: Future[Any], change: Callable[[Any], T]) -> Future[T]:
    """A future of the changed result; cancelling it cancels the original."""
    result: Future[T] = _Linked(future)
    result.set_running_or_notify_cancel()
    hand_over(future, result, change)
    return result


def hand_over(source: Future[Any], target: Future[T], change: Callable[[Any], T]) -> None:
    """Settle ``target`` with the changed result of ``source``, or with its exception."""

    def settle(done: Future[Any]) -> None:
        if done.cancelled():
            target.set_exception(CancelledError())
            return
        with settling(target):
            target.set_result(change(done.result()))

    source.add_done_callback(settle)


def when_all(futures: Sequence[Future[Any]], call: Callable[[], None]) -> None:
    """Call once, after the last of ``futures`` is done or cancelled, in the thread that ends it."""
    left = len(futures)
    lock = threading.Lock()

    def count(_done: Future[Any]) -> None:
        nonlocal left
        with lock:
            left -= 1
            last = left == 0
        if last:
            call()

    for future in futures:
        future.add_done_callback(count)


class _Linked(Future[T]):
    def __init__(self, origin: Future[Any]) -> None:
        super().__init__()
        self._origin = origin

    def cancel(self) -> bool:
        # Cancelling the original settles this one.
        return self._origin.cancel()
