"""Reporters of the driver: a log file that outlives it, and several listeners at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from modelops.jobs.folder import JobFolder
from modelops.jobs.record import timestamp
from modelops_contracts.ports import Reporter

__all__ = ["LogReporter", "SeveralReporters"]

_LINE_SECONDS = 10.0


class LogReporter:
    """Writes one line per event and, while counting, one every ten seconds."""

    def __init__(self, folder: JobFolder, *, clock: Callable[[], float] = time.monotonic) -> None:
        folder.logs.mkdir(parents=True, exist_ok=True)
        self._stream: TextIO = folder.driver_log.open("a", encoding="utf-8")
        self._clock = clock
        self._what = ""
        self._total: int | None = None
        self._done = self._failed = 0
        self._told = 0.0

    def __enter__(self) -> LogReporter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stream.close()

    def start(self, what: str, total: int | None) -> None:
        self._what, self._total = what, total
        self._done = self._failed = 0
        self._told = self._clock()
        self.note(f"{what}: {total}" if total is not None else what)

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        self._done += n
        self._failed += failed
        if self._clock() - self._told >= _LINE_SECONDS:
            self._told = self._clock()
            of = "" if self._total is None else f"/{self._total}"
            bad = f", {self._failed} failed" if self._failed else ""
            self.note(f"{self._what}: {self._done}{of}{bad}{f', {note}' if note else ''}")

    def note(self, text: str) -> None:
        for line in text.splitlines() or [""]:
            self._stream.write(f"{timestamp()} {line}\n")
        self._stream.flush()

    def warn(self, text: str) -> None:
        self.note(f"warning: {text}")

    def finish(self, summary: str = "") -> None:
        self.note(f"{self._what}: done{f', {summary}' if summary else ''}")


class SeveralReporters:
    """Tells every one of them, in order."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def start(self, what: str, total: int | None) -> None:
        for reporter in self._reporters:
            reporter.start(what, total)

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        for reporter in self._reporters:
            reporter.advance(n, failed=failed, note=note)

    def note(self, text: str) -> None:
        for reporter in self._reporters:
            reporter.note(text)

    def warn(self, text: str) -> None:
        for reporter in self._reporters:
            reporter.warn(text)

    def finish(self, summary: str = "") -> None:
        for reporter in self._reporters:
            reporter.finish(summary)
