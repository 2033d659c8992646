"""Files that are written whole or not at all, and a lock that says who holds it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sys
import time
from pathlib import Path
from types import TracebackType

from modelops_contracts.errors import Conflict, is_disk_full
from modelops_contracts.exclusive_file import ExclusiveFile

__all__ = ["FileLock", "write_atomically"]

_FIRST_PAUSE = 0.002
_LONGEST_PAUSE = 0.1
# What the kernel answers where a file system is mounted without locks (Lustre, some NFS).
_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})


def write_atomically(path: str | os.PathLike[str], data: bytes | str, *, mode: int = 0o644) -> None:
    """Replace a file so that readers see the old or the new content, never a part.

    Missing parent directories are created. ``mode`` holds from the first byte (less the umask).
    A symbolic link keeps pointing where it points; its target is replaced. Text is UTF-8 with
    the newlines it has. When this raises (OSError that names the file; on a full disk also the
    bytes needed and free), the old file is untouched.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.parent / f".{target.name}.{os.urandom(6).hex()}.tmp"
    content = data.encode() if isinstance(data, str) else data
    try:
        _write_durably(temporary, content, mode)
        os.replace(temporary, target)  # noqa: PTH105  (the primitive this module is about)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        if isinstance(error, OSError) and error.errno is not None:
            # A full disk names no file, and nobody knows the temporary one.
            reason = error.strerror
            if is_disk_full(error):
                reason = f"{reason} ({len(content)} bytes needed, {_free_bytes(target)} free)"
            raise type(error)(error.errno, reason, str(target)) from error
        raise
    _sync_directory(target.parent)


def _free_bytes(path: Path) -> int:
    disk = os.statvfs(path.parent)
    return disk.f_bavail * disk.f_frsize


def _write_durably(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(descriptor)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        # Some network filesystems refuse to sync a directory; the rename has happened all the same.
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


class FileLock:
    """An exclusive lock between processes, as a context manager.

    The operating system frees it when the holder dies, so a stale file never blocks. ``timeout``
    seconds are waited for it (0: one try); then Conflict (retryable) names process, command and
    start of the holder. The file stays behind on purpose: removing it would let two processes
    lock two different files of one name. Not reentrant. Where the file system has no locks, an
    ``ExclusiveFile`` beside it does the same less perfectly.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, timeout: float = 10.0, command: str = ""
    ) -> None:
        self.path = Path(path)
        self.timeout = timeout
        self.command = command or Path(sys.argv[0] if sys.argv else "").name
        self._descriptor: int | None = None
        self._instead: ExclusiveFile | None = None

    def __enter__(self) -> FileLock:
        assert self._descriptor is None, "FileLock is not reentrant"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            self._wait_for(descriptor)
            _write_holder(descriptor, self.command)
        except BaseException:
            self._give_back(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            self._give_back(descriptor)

    @property
    def held(self) -> bool:
        """True while this object holds the lock."""
        return self._descriptor is not None

    def _give_back(self, descriptor: int) -> None:
        instead, self._instead = self._instead, None
        if instead is not None:
            instead.release()
        os.close(descriptor)

    def _wait_for(self, descriptor: int) -> None:
        deadline = time.monotonic() + self.timeout
        pause = _FIRST_PAUSE
        while not self._try_lock(descriptor):
            left = deadline - time.monotonic()
            if left <= 0:
                raise self._taken(descriptor)
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _try_lock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            instead = ExclusiveFile(self.path.with_name(f"{self.path.name}.held"))
            if instead.take(self.command):
                self._instead = instead
            return self._instead is not None
        return True

    def _taken(self, descriptor: int) -> Conflict:
        instead = ExclusiveFile(self.path.with_name(f"{self.path.name}.held"))
        holder = _describe_holder(descriptor)
        if instead.path.exists():
            holder = instead.describe_holder()
        return Conflict(
            f"{self.path} is locked by {holder}",
            hint="wait until it has finished, or stop it, and try again",
            code="locked",
            retryable=True,
        )


def _write_holder(descriptor: int, command: str) -> None:
    from datetime import UTC, datetime  # for those who write: most commands only read

    since = datetime.now(UTC).isoformat(timespec="seconds")
    text = json.dumps({"pid": os.getpid(), "command": command, "since": since})
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode(), 0)


def _describe_holder(descriptor: int) -> str:
    try:
        holder = json.loads(os.pread(descriptor, 4096, 0))
        return f"process {holder['pid']} ({holder['command']}, since {holder['since']})"
    except (ValueError, TypeError, KeyError):
        # The holder has the lock but has not written its line yet.
        return "another process"
