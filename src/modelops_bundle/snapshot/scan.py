"""Content digests of working files, read in parallel and only where they must be."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from modelops_bundle.snapshot.index import FileRow, StatIndex, bundle_mode
from modelops_contracts.errors import Conflict, InvalidInput

_CHUNK = 1024 * 1024
_TRIES = 3
_MOST_THREADS = 8
_WORTH_THREADS = 16

# What stands before and after a file of this path, size and mode in a longer stream; None when
# nobody wants to know the digest of that.
Frame = Callable[[str, int, str], tuple[bytes, bytes] | None]


def _no_frame(path: str, size: int, mode: str) -> None:
    """No second digest."""


class WorkingFiles:
    """Reads digests of root-relative files, believing the stat cache where that is safe.

    With a `frame`, the same pass that hashes a file also finds the digest of the file inside that
    frame; `framed` holds what was found, by row.
    """

    def __init__(self, root: Path, index: StatIndex) -> None:
        self.root = root
        self.frame: Frame = _no_frame
        self.framed: dict[FileRow, str] = {}
        self._index = index
        self._rows: dict[str, FileRow | None] = {}

    def row(self, path: str) -> FileRow | None:
        """Return the row of one file, or None when there is no such file or link."""
        if path not in self._rows:
            self._rows[path] = self._read(path)
        return self._rows[path]

    def rows(self, paths: Iterable[str]) -> dict[str, FileRow | None]:
        """Return the rows of many files; None for those that are not there."""
        wanted = list(dict.fromkeys(paths))
        todo = [path for path in wanted if path not in self._rows and not self._is_known(path)]
        if len(todo) < _WORTH_THREADS:
            return {path: self.row(path) for path in wanted}
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
            self._rows.update(zip(todo, pool.map(self._read, todo), strict=True))
        return {path: self.row(path) for path in wanted}

    def digest(self, path: str) -> str | None:
        """Return `sha256:<hex>` of a file's content, links followed; None when it is missing."""
        row = self.row(path)
        if row is not None and row.mode == "link":
            target = self.root / path
            return self._hash_target(target) if target.is_file() else None
        return row.digest if row is not None else None

    def save(self) -> None:
        """Write the stat cache."""
        self._index.save()

    def _is_known(self, path: str) -> bool:
        """Read the row of a file that need not be hashed."""
        try:
            status = os.lstat(f"{self.root}/{path}")
        except OSError:
            return False
        known = self._index.find(path, status) if stat.S_ISREG(status.st_mode) else None
        if known is None:
            return False
        self._rows[path] = FileRow(path, status.st_size, known, bundle_mode(status))
        return True

    def _hash_target(self, link: Path) -> str:
        with link.open("rb") as stream:
            return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()

    def _read(self, path: str) -> FileRow | None:
        file = self.root / path
        try:
            status = file.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(status.st_mode):
            return None
        if stat.S_ISLNK(status.st_mode):
            target = os.fsencode(os.readlink(file))  # noqa: PTH115  (the text of the link)
            return FileRow(path, len(target), hashlib.sha256(target).hexdigest(), "link")
        if not stat.S_ISREG(status.st_mode):
            raise InvalidInput(f"{path}: neither a file nor a link to one")
        known = self._index.find(path, status)
        if known is not None:
            return FileRow(path, status.st_size, known, bundle_mode(status))
        return self._hash(path, file)

    def _hash(self, path: str, file: Path) -> FileRow | None:
        for _ in range(_TRIES):
            started = time.time_ns()
            before = file.lstat()
            frame = self.frame(path, before.st_size, bundle_mode(before))
            sha256, framed = _hash_both(file, before.st_size, frame)
            after = file.lstat()
            row = FileRow(path, after.st_size, sha256, bundle_mode(after))
            if _same(before, after):
                self._index.record(path, after, sha256, started)
                if framed is not None and row.mode == bundle_mode(before):
                    self.framed[row] = framed
                return row
        raise Conflict(
            f"{path} keeps changing while it is read",
            code="file_changing",
            hint="stop whatever writes it and try again",
            retryable=True,
        )


def hash_file(file: Path) -> str:
    """Return the sha256 of a file's content as 64 hex characters."""
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _hash_both(file: Path, size: int, frame: tuple[bytes, bytes] | None) -> tuple[str, str | None]:
    if frame is None:
        return hash_file(file), None
    from modelops_bundle.snapshot.hashing import hash_framed

    with file.open("rb", buffering=0) as stream:
        sha256, framed, length = hash_framed(stream, size, *frame)
    return sha256, framed if length == size else None


def _same(before: os.stat_result, after: os.stat_result) -> bool:
    return (before.st_size, before.st_mtime_ns, before.st_ctime_ns, before.st_ino) == (
        after.st_size,
        after.st_mtime_ns,
        after.st_ctime_ns,
        after.st_ino,
    )
