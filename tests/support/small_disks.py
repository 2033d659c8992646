"""File systems of a few pages, to be filled up; they need the right to mount."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A mounted file system in memory."""

    path: Path

    def fill(self, free: int = 0) -> None:
        """Leave only so many bytes free."""
        self.empty()
        status = os.statvfs(self.path)
        room = status.f_bavail * status.f_frsize - free
        with (self.path / "filling").open("wb") as stream:
            stream.write(b"x" * max(0, room))

    def empty(self) -> None:
        (self.path / "filling").unlink(missing_ok=True)

    def make_read_only(self, *, yes: bool = True) -> None:
        option = f"remount,{'ro' if yes else 'rw'}"
        subprocess.run(["mount", "-o", option, self.path], check=True)


@contextmanager
def small_disk(path: Path, kilobytes: int) -> Iterator[SmallDisk]:
    """Mount a file system of this size at a new directory; skip where that is not allowed."""
    path.mkdir(parents=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k,mode=755", "tmpfs", path],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"no right to mount a small file system: {done.stderr.strip()}")
    try:
        yield SmallDisk(path)
    finally:
        subprocess.run(["umount", "-l", path], check=True)
