"""Files that are on this machine already: in a cached tree, or elsewhere in the project.

What a cache says about its trees is only where to look. Every copy is hashed on its way, and a
file that turns out to be another is fetched instead.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from modelops_bundle.cache.tree import read_stats
from modelops_bundle.snapshot.hashing import Sha256, read_blocks
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError

_MOST_TREES = 8
_FICLONE = 0x40049409  # Linux: share the blocks of another file until one of both is changed

_CANNOT_SHARE = frozenset({
    errno.EOPNOTSUPP, errno.EXDEV, errno.EINVAL, errno.ENOTTY, errno.ENOSYS, errno.EPERM,
    errno.ETXTBSY, errno.EBADF,
})  # fmt: skip

_NOT_THERE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.EISDIR})

# Content (64 hex characters) to a file that should have it.
Known = Mapping[str, Path]


def find_in_trees(trees: Path, wanted: Collection[str]) -> dict[str, Path]:
    """Return where contents may be found in the cached trees used last, by their records."""
    found: dict[str, Path] = {}
    for record in _newest(trees):
        tree = record.with_suffix("")
        for path, row in read_stats(record).items():
            if row and row[-1] in wanted:
                found.setdefault(str(row[-1]), tree / path)
        if len(found) == len(wanted):
            break
    return found


def place_known(
    rows: Sequence[FileRow], links: Mapping[str, str], known: Known, root: Path
) -> bool:
    """Put all files of a layer below `root` from copies; False, and none of them, if one fails."""
    if not rows or any(row.mode != "link" and row.sha256 not in known for row in rows):
        return False
    done: list[Path] = []
    for row in rows:
        target = root / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if row.mode == "link":
            target.symlink_to(links[row.path])
        elif not copy_known(row, known, target):
            for path in done:
                path.unlink()
            return False
        done.append(target)
    return True


def copy_known(row: FileRow, known: Known, target: Path) -> bool:
    """Copy the content of a row from where it is known to be; False when it is not there."""
    source = known.get(row.sha256)
    if source is None:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        copy_verified(source, target, row)
    except IntegrityError:
        return False
    except OSError as error:
        if error.errno not in _NOT_THERE:
            raise
        return False
    return True


def copy_verified(source: Path, target: Path, row: FileRow) -> None:
    """Make a new file with the content of a row, sharing blocks where the file system can.

    Raises `IntegrityError` when the source has other bytes; there is no copy then.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    origin = os.open(source, os.O_RDONLY | os.O_NOFOLLOW)
    with os.fdopen(origin, "rb", buffering=0) as stream:
        good, descriptor = False, os.open(target, flags, 0o644)
        try:
            with os.fdopen(descriptor, "r+b", buffering=0) as copy, Sha256(row.size) as digest:
                for block in _blocks_of(stream, copy, row.size + 1):
                    digest.update(block)
                good = digest.hexdigest() == row.sha256
        finally:
            if not good:
                target.unlink()
    if not good:
        raise IntegrityError(f"{row.path} does not have the content that the bundle declares")


def _blocks_of(source: io.FileIO, copy: io.FileIO, size: int) -> Iterator[bytes]:
    """Yield what is in the copy, which shares the blocks of the source or is written here."""
    try:
        fcntl.ioctl(copy.fileno(), _FICLONE, source.fileno())
    except OSError as error:
        if error.errno not in _CANNOT_SHARE:
            raise
        for block in read_blocks(source, size):
            copy.write(block)
            yield block
        return
    yield from read_blocks(copy, size)


def _newest(trees: Path) -> Iterable[Path]:
    found: list[tuple[float, Path]] = []
    for path in trees.glob("[0-9a-f]*.json"):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)[:_MOST_TREES]]
