"""Futures that hold what a block or another future gives."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

__all__ = ["map_future", "settling"]

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

    def settle(done: Future[Any]) -> None:
        if not result.set_running_or_notify_cancel():
            return
        if done.cancelled():
            result.set_exception(CancelledError())
        elif (error := done.exception()) is not None:
            result.set_exception(error)
        else:
            with settling(result):
                result.set_result(change(done.result()))

    future.add_done_callback(settle)
    return result


class _Linked(Future[T]):
    def __init__(self, origin: Future[Any]) -> None:
        super().__init__()
        self._origin = origin

    def cancel(self) -> bool:
        return self._origin.cancel() and super().cancel()
