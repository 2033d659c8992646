"""Everything in this process, one call after the other: notebooks and debugging."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from modelops.engine.futures import settling

__all__ = ["InlineExecutor"]

T = TypeVar("T")
A = TypeVar("A")


class InlineExecutor:
    """An Executor whose ``submit`` returns when the call has ended.

    With ``debug`` the call's exception is raised by ``submit`` itself, where a debugger sees
    the author's frames.
    """

    def __init__(self, *, debug: bool = False) -> None:
        self._debug = debug
        self._closed = False

    @property
    def slots(self) -> int:
        return 1

    def submit(self, call: Callable[..., T], /, *args: Any) -> Future[T]:
        if self._closed:
            raise RuntimeError("the executor is closed")
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        with settling(future, everything_escapes=self._debug):
            future.set_result(call(*args))
        return future

    def map_batches(
        self, call: Callable[[A], T], batches: Iterable[A], *, in_flight: int | None = None
    ) -> Iterator[T]:
        for batch in batches:
            yield self.submit(call, batch).result()

    def close(self) -> None:
        self._closed = True
