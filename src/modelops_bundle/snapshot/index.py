"""The stat cache: which content digests may be believed without reading the file again.

A row is believed only when size, mtime, ctime, inode and mode are those that were seen when the
file was hashed, and the file had been left alone for long enough at that moment: an edit within
the same tick of the file system's clock would otherwise go unnoticed.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops_contracts.atomic import write_atomically

_FORMAT = 1
_QUIET_NS = 20_000_000
_COARSE_QUIET_NS = 2_000_000_000
_SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file as the bundle sees it.

    `mode` is `0644`, `0755` or `link`; size and digest of a link are those of its target text.
    `sha256` is 64 hex characters without a prefix.
    """

    path: str
    size: int
    sha256: str
    mode: str

    @property
    def digest(self) -> str:
        """The digest with its prefix."""
        return f"sha256:{self.sha256}"


def stat_key(status: os.stat_result) -> tuple[int, int, int, int, int]:
    """The five facts that must all be unchanged for a row to be believed."""
    return (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_mode)


def is_racy(status: os.stat_result, hashed_at_ns: int) -> bool:
    """True when a later edit could leave the same times behind."""
    coarse = status.st_mtime_ns % _SECOND_NS == 0 and status.st_ctime_ns % _SECOND_NS == 0
    quiet = _COARSE_QUIET_NS if coarse else _QUIET_NS
    return max(status.st_mtime_ns, status.st_ctime_ns) + quiet > hashed_at_ns


def bundle_mode(status: os.stat_result) -> str:
    """The mode a file has inside a bundle."""
    if stat.S_ISLNK(status.st_mode):
        return "link"
    return "0755" if status.st_mode & stat.S_IXUSR else "0644"


class StatIndex:
    """Rows of `index.json`; losing the file costs time and nothing else."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._rows: dict[str, tuple[tuple[int, ...], str]] = _load(path)
        self._changed = False

    def find(self, path: str, status: os.stat_result) -> str | None:
        """Return the sha256 of an unchanged file, or None when it must be read."""
        row = self._rows.get(path)
        return row[1] if row is not None and row[0] == stat_key(status) else None

    def record(self, path: str, status: os.stat_result, sha256: str, hashed_at_ns: int) -> None:
        """Remember a digest, unless the file is too young for its times to be trusted."""
        if is_racy(status, hashed_at_ns):
            self._changed |= self._rows.pop(path, None) is not None
            return
        self._rows[path] = (stat_key(status), sha256)
        self._changed = True

    def save(self) -> None:
        """Write what changed; a place that cannot be written to is no error."""
        if self._path is None or not self._changed:
            return
        rows = [[path, *key, sha256] for path, (key, sha256) in sorted(self._rows.items())]
        text = json.dumps({"format": _FORMAT, "rows": rows}, separators=(",", ":"))
        with contextlib.suppress(OSError):
            write_atomically(self._path, text)
        self._changed = False


def _load(path: Path | None) -> dict[str, tuple[tuple[int, ...], str]]:
    if path is None:
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        rows = _rows_of(data) if data["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}
    return rows


def _rows_of(data: Mapping[str, list[list[Any]]]) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return rows as they are: one that is garbage equals no file and is hashed anew."""
    return {
        str(path): ((size, mtime, ctime, inode, mode), str(sha256))
        for path, size, mtime, ctime, inode, mode, sha256 in data["rows"]
    }
