"""What a process has started, as far as the system tells (Linux)."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path

__all__ = ["Child", "find_children", "kill_children"]

#: Process id and time of its start: an id alone may belong to a stranger by the time it is used.
Child = tuple[int, str]


def find_children(pid: int) -> set[Child]:
    """All that descends from ``pid``, also in sessions of its own; empty where nobody can tell."""
    found: set[Child] = set()
    for child in _direct_children(pid):
        started = _start_of(child)
        if started is not None:
            found |= {(child, started)} | find_children(child)
    return found


def kill_children(children: Iterable[Child]) -> None:
    """End those that still run."""
    for pid, started in children:
        if _start_of(pid) == started:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _direct_children(pid: int) -> list[int]:
    lists = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for path in lists for word in _read(path).split()]


def _start_of(pid: int) -> str | None:
    """Field 22 of proc(5)'s stat, counted behind the name, which may hold blanks and brackets."""
    fields = _read(Path(f"/proc/{pid}/stat")).rpartition(")")[2].split()
    return fields[19] if len(fields) > 19 else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:  # it has ended meanwhile
        return ""
