"""Ctrl-C in a notebook: the first asks to stop, the second ends at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["stopping_on_interrupt"]


@contextmanager
def stopping_on_interrupt() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether somebody pressed Ctrl-C inside the block.

    The second press raises KeyboardInterrupt where the program is. Outside of the main thread, and
    where an application handles interrupts in its own way, nothing is changed.
    """
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    in_main_thread = threading.current_thread() is threading.main_thread()
    if not in_main_thread or before is not signal.default_int_handler:
        yield asked.is_set
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    signal.signal(signal.SIGINT, handle)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)
