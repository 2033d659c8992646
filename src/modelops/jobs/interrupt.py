"""Ctrl-C, told apart: the first asks to stop, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

__all__ = ["Interrupt"]


class Interrupt:
    """Whether somebody wants the work to stop.

    ``should_stop`` is cheap enough to be asked between batches: it looks at a flag and at a file
    that another process may have left. ``on_first`` is called once, from the signal handler, so
    that a console can say how to go on; ``on_hang_up`` before it, when the terminal is gone.
    """

    def __init__(
        self,
        *,
        request_file: Path | None = None,
        on_first: Callable[[], None] | None = None,
        on_hang_up: Callable[[], None] | None = None,
    ) -> None:
        self._asked = threading.Event()
        self._by_signal = False
        self._request_file = request_file
        self._on_first = on_first
        self._on_hang_up = on_hang_up

    def request(self) -> None:
        """Ask for an orderly stop."""
        self._asked.set()

    def should_stop(self) -> bool:
        if not self._asked.is_set() and self._request_file and self._request_file.exists():
            self._asked.set()
        return self._asked.is_set()

    @property
    def by_signal(self) -> bool:
        """True when a signal asked, rather than a cancel request."""
        return self._by_signal

    def watch(self, request_file: Path) -> None:
        """From now on, this file's existence is a request too."""
        self._request_file = request_file

    @contextmanager
    def installed(self) -> Iterator[Interrupt]:
        """Take SIGINT, SIGTERM and SIGHUP for as long as the block runs (main thread only).

        A second signal raises KeyboardInterrupt wherever the main thread is. A hang-up asks once
        however often it comes, and is left alone where the caller ignores it, as nohup does.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        caught = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            caught.append(signal.SIGHUP)
        before = [signal.signal(number, self._handle) for number in caught]
        try:
            yield self
        finally:
            for number, handler in zip(caught, before, strict=True):
                signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP and self._on_hang_up is not None:
            self._on_hang_up()
        if self._by_signal:
            if number == signal.SIGHUP:  # closing a terminal may send more than one
                return
            raise KeyboardInterrupt
        self._by_signal = True
        self._asked.set()
        if self._on_first is not None:
            self._on_first()
