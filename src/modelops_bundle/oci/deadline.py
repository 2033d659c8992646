"""An end to what has no time limit of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

from modelops_bundle.oci.parallel import Caught

R = TypeVar("R")


def within(seconds: float, work: Callable[[], R], name: str) -> R:
    """Return what `work` returns, or raise what it raises; `TimeoutError` when that takes longer.

    It runs on a thread of this name, which is left behind when the time is over.
    """
    results: list[R] = []
    caught = Caught()

    def run() -> None:
        with caught:
            results.append(work())

    thread = threading.Thread(target=run, daemon=True, name=name)
    thread.start()
    thread.join(max(0.0, seconds))
    if caught.error is not None:
        raise caught.error
    if not results:
        raise TimeoutError("no answer in time")
    return results[0]
