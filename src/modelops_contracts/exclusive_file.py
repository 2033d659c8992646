"""A lock for file systems without `flock`: a file that only one process can create."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path


class ExclusiveFile:
    """A lock that is held while its file exists, and says in it who holds it.

    Nobody frees it when the holder dies: a holder of this machine that is gone is noticed and its
    file taken away; of another machine nothing is known, so its file stays until it is deleted.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def take(self, command: str) -> bool:
        """Take the lock if it is free, once; True when it is ours."""
        if _create(self.path, command):
            return True
        return self._clear_dead() and _create(self.path, command)

    def release(self) -> None:
        """Give the lock back."""
        self.path.unlink(missing_ok=True)

    def describe_holder(self) -> str:
        """Say who holds it, and how to free it by hand."""
        holder = _read(self.path)
        freed = f"if that has ended, delete {self.path}"
        if holder is None:
            return f"another process; {freed}"
        return (
            f"process {holder['pid']} on {holder['host']} "
            f"({holder['command']}, since {holder['since']}); {freed}"
        )

    def _clear_dead(self) -> bool:
        """Delete the file of a dead process; one process at a time looks and deletes."""
        if not _is_dead(_read(self.path)):
            return False
        breaking = self.path.with_name(f"{self.path.name}.breaking")
        if not _create(breaking, "clearing"):
            return False
        try:
            if _is_dead(_read(self.path)):
                self.path.unlink(missing_ok=True)
                return True
            return False
        finally:
            breaking.unlink(missing_ok=True)


def _create(path: Path, command: str) -> bool:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    except FileExistsError:
        return False
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(_holder_line(command))
    except OSError:
        with contextlib.suppress(OSError):
            path.unlink()
        raise
    return True


def _holder_line(command: str) -> bytes:
    from datetime import UTC, datetime  # for those who write: most commands only read

    since = datetime.now(UTC).isoformat(timespec="seconds")
    host = os.uname().nodename
    facts = {"pid": os.getpid(), "host": host, "command": command, "since": since}
    return json.dumps(facts).encode()


def _read(path: Path) -> dict[str, object] | None:
    try:
        holder = json.loads(path.read_bytes())
        return {name: holder[name] for name in ("pid", "host", "command", "since")}
    except (OSError, ValueError, TypeError, KeyError):
        return None  # just made and not written yet, or given back meanwhile


def _is_dead(holder: dict[str, object] | None) -> bool:
    if holder is None or holder["host"] != os.uname().nodename:
        return False
    if not isinstance(holder["pid"], int):
        return False
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
