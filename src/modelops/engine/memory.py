"""How much memory a runner process may hold before it is replaced."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["read_memory_limit", "share_memory"]

#: Of the machine or the container, for all runner processes together; the rest is for the driver.
_PART = 0.8
_CGROUP = Path("/sys/fs/cgroup")
_LIMITS = ("memory.max", "memory/memory.limit_in_bytes")


def share_memory(slots: int) -> int:
    """Bytes that each of ``slots`` processes may hold."""
    return int(_PART * read_memory_limit()) // slots


def read_memory_limit(cgroup: Path = _CGROUP) -> int:
    """Bytes of memory that the machine has, or that the container is allowed."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in _LIMITS:
        try:
            text = (cgroup / name).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdecimal():  # "max" where there is none
            limits.append(int(text))
    return min(limits)
