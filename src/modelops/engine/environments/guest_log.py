"""What a guest process prints: a file that is capped, and its last lines when they matter."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["GuestLog"]

TAIL_BYTES = 4096


class GuestLog:
    """The log of one slot. Guests append to it; above ``cap`` bytes its older half is dropped.

    The last part before a rotation stays beside it as ``<name>.1``, so that one slot never holds
    more than 1.5 times ``cap``.
    """

    def __init__(self, path: Path, *, cap: int = 16 << 20) -> None:
        self.path = path
        self._cap = cap
        self._mark = 0
        path.parent.mkdir(parents=True, exist_ok=True)

    def open(self) -> int:
        """A descriptor to give to a new process; every write of it goes to the end."""
        return os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def mark(self) -> None:
        """Remember the present end: :meth:`tail` looks no further back."""
        self._mark = self._size()

    def tail(self) -> str:
        """The last lines since the mark."""
        size = self._size()
        start = max(self._mark, size - TAIL_BYTES)
        return self._read(start, size - start).decode("utf-8", "replace")

    def rotate(self) -> None:
        """Make room when the log has grown above its cap."""
        size = self._size()
        if size <= self._cap:
            return
        keep = self._cap // 2
        self.path.with_name(f"{self.path.name}.1").write_bytes(self._read(size - keep, keep))
        os.truncate(self.path, 0)
        self._mark = 0

    def _size(self) -> int:
        try:
            return self.path.stat().st_size
        except FileNotFoundError:
            return 0

    def _read(self, start: int, size: int) -> bytes:
        if size <= 0:
            return b""
        with self.path.open("rb") as stream:
            stream.seek(start)
            return stream.read(size)
