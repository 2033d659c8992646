"""Append-only files of JSON lines that survive a crash at any moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from modelops_contracts.errors import IntegrityError

__all__ = ["FileJournal", "read_lines"]


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a journal, oldest first; none when the file is not there.

    A last line without its newline was being written when the writer died: it is dropped. Raises
    IntegrityError for any other line that is no JSON object.
    """
    if not path.is_file():
        return
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n"):
                return
            yield _parse(line, path, number)


def _parse(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except ValueError as error:
        raise IntegrityError(f"{path}:{number}: not a journal line") from error
    if not isinstance(record, dict):
        raise IntegrityError(f"{path}:{number}: not a JSON object")
    return record


class FileJournal:
    """One journal. ``append`` has reached the disk when it returns.

    One writer at a time; it keeps the file open until ``close``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def records(self) -> Iterator[dict[str, Any]]:
        """Everything appended so far, also by an earlier process."""
        return read_lines(self.path)

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one line. NaN and infinities must be encoded by the caller."""
        line = json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        descriptor = self._open()
        view = memoryview(line)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open(self) -> int:
        if self._descriptor is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _cut_half_line(self.path)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(self.path, flags, 0o644)
        return self._descriptor


def _cut_half_line(path: Path) -> None:
    """Remove what a dead writer left after the last newline, or the next line would join it."""
    if not path.is_file():
        return
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        os.truncate(path, end)
