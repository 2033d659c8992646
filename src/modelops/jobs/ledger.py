"""What the driver writes about itself while it works: state, progress, heartbeat."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from modelops.jobs.folder import JobFolder, move
from modelops.jobs.lifecycle import Event
from modelops.jobs.record import HEARTBEAT_SECONDS, JobRecord, Progress, timestamp
from modelops_contracts.atomic import write_atomically

__all__ = ["Ledger"]

#: The state is not written more often than this, whatever the number of batches.
_WRITE_SECONDS = 1.0
#: The rate is that of the last half minute, so that an ETA follows what is happening now.
_RATE_SECONDS = 30.0


class Ledger:
    """The one writer of a running job's state. May be used from several threads."""

    def __init__(self, folder: JobFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._record = folder.read_record()
        self._written = -_WRITE_SECONDS
        self._samples: deque[tuple[float, int]] = deque()
        self._done_before = 0

    @property
    def record(self) -> JobRecord:
        return self._record

    def happen(self, event: Event, *, message: str = "", **changes: Any) -> JobRecord:
        """Change the state, durably. Raises Conflict when the event cannot happen now."""
        with self._lock:
            before = self._record
            beat = {"heartbeat": timestamp(), "pid": os.getpid()}
            after = move(before, event, message=message, **{**beat, **changes})
            if after.state.ended:  # nothing is left to estimate
                after = replace(after, progress=replace(after.progress, eta=None))
            self._record = after
            self._folder.store(self._record, event, before.state, message)
            self._written = self._clock()
            return self._record

    def begin(self, *, total: int, done: int = 0, failed: int = 0, reused: int = 0) -> None:
        """Set the counts to start from; what is done already does not count for the rate."""
        with self._lock:
            self._samples.clear()
            self._done_before = done
            progress = Progress(total=total, done=done, failed=failed, reused=reused)
            self._record = replace(self._record, progress=progress)
            self._write()

    def advance(
        self,
        n: int,
        *,
        failed: int = 0,
        reused: int = 0,
        simulated: int = 0,
        best: float | None = None,
    ) -> None:
        """Count finished units; written at most once a second."""
        with self._lock:
            old = self._record.progress
            done = old.done + n
            rate = self._rate(done - self._done_before)
            left = max(old.total - done, 0)
            progress = replace(
                old,
                done=done,
                failed=old.failed + failed,
                reused=old.reused + reused,
                simulated=old.simulated + simulated,
                rate=rate,
                eta=left / rate if rate else None,
                best=old.best if best is None else best,
            )
            self._record = replace(self._record, progress=progress)
            if self._clock() - self._written >= _WRITE_SECONDS:
                self._write()

    @contextmanager
    def beating(self) -> Iterator[None]:
        """Say every few seconds that the driver lives, for as long as the block runs."""
        over = threading.Event()
        thread = threading.Thread(target=self._beat, args=(over,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _beat(self, over: threading.Event) -> None:
        while not over.wait(HEARTBEAT_SECONDS):
            with self._lock:
                if not self._record.state.ended:
                    self._write()

    def _write(self) -> None:
        now = timestamp()
        self._record = replace(self._record, heartbeat=now, updated=now)
        write_atomically(self._folder.state, self._record.to_text())
        self._written = self._clock()

    def _rate(self, count: int) -> float | None:
        now = self._clock()
        self._samples.append((now, count))
        while now - self._samples[0][0] > _RATE_SECONDS:
            self._samples.popleft()
        since, first = self._samples[0]
        return (count - first) / (now - since) if now > since and count > first else None
