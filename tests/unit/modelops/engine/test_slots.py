"""Guests end before the threads they are bound to, and not in the middle of a call."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest

from modelops.engine.executors.process_pool import ProcessPool
from modelops.engine.service import EngineService
from modelops.engine.slots import SlotGuests


class Watched:
    """A guest that knows its thread, and what was so when it was closed."""

    def __init__(self) -> None:
        self.asked, self.go_on = threading.Event(), threading.Event()
        self.at_close: list[tuple[bool, bool]] = []

    def describe(self, _kind: str, reference: str) -> Mapping[str, Any]:
        self.thread, self.busy = threading.current_thread(), True
        self.asked.set()
        assert self.go_on.wait(30)
        self.busy = False
        return {"reference": reference}

    def close(self) -> None:
        self.at_close.append((self.thread.is_alive(), self.busy))


def test_a_guest_is_closed_after_its_call_and_before_its_thread_ends(tmp_path: Path) -> None:
    guest = Watched()
    guests, pool = SlotGuests(lambda _number: guest), ProcessPool(1)  # type: ignore[arg-type, return-value]
    answer = pool.submit(guests.describe, threading.Event(), "model", "m:x")
    assert guest.asked.wait(30)
    closing = threading.Thread(target=EngineService(pool, guests, spill=tmp_path).close)
    closing.start()
    guest.go_on.set()
    closing.join(30)
    assert answer.result() == {"reference": "m:x"}
    assert guest.at_close == [(True, False)]


def test_afterwards_nothing_is_asked(tmp_path: Path) -> None:
    guests = SlotGuests(lambda _number: Watched())  # type: ignore[arg-type, return-value]
    guests.close()
    with pytest.raises(CancelledError):
        guests.describe(threading.Event(), "model", "m:x")
