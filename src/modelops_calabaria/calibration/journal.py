"""Append-only records of a calibration: enough to continue it after any interruption."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

from modelops_contracts.errors import IntegrityError

__all__ = ["FileJournal", "Journal", "MemoryJournal"]


class Journal(Protocol):
    """Where a calibration writes down what happened."""

    def records(self) -> Iterable[dict[str, Any]]:
        """The records of earlier runs, oldest first."""
        ...

    def append(self, record: dict[str, Any]) -> None:
        """Keep one JSON record. It is durable when this returns."""
        ...


class MemoryJournal:
    """A journal that lasts as long as the process."""

    def __init__(self, records: Iterable[Mapping[str, Any]] = ()) -> None:
        self.lines: list[dict[str, Any]] = [dict(record) for record in records]

    def records(self) -> list[dict[str, Any]]:
        return list(self.lines)

    def append(self, record: dict[str, Any]) -> None:
        self.lines.append(json.loads(json.dumps(record)))


class FileJournal:
    """One JSON object per line. A half-written last line, left by a crash, is dropped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[dict[str, Any]]:
        """Raises IntegrityError for a damaged line that is not the last one."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")
        unfinished = lines.pop()
        if unfinished:
            self._drop(len(unfinished))
        return [self._parse(line, number) for number, line in enumerate(lines, 1)]

    def append(self, record: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as stream:
            stream.write(
                json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
            )
            stream.flush()
            os.fsync(stream.fileno())

    def _drop(self, n_bytes: int) -> None:
        with self.path.open("r+b") as stream:
            stream.truncate(self.path.stat().st_size - n_bytes)

    def _parse(self, line: bytes, number: int) -> dict[str, Any]:
        try:
            record = json.loads(line)
        except ValueError as error:
            raise IntegrityError(
                f"{self.path}, line {number}: not a JSON record ({error})",
                hint="the journal is damaged; restore it, or start a new calibration",
            ) from error
        if not isinstance(record, dict):
            raise IntegrityError(f"{self.path}, line {number}: not an object")
        return record
