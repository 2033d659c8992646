"""Bundles as read-only directories on this machine, verified before every use."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops_bundle.artifact.format_one import is_format_one, read_format_one
from modelops_bundle.artifact.manifest import LARGEST_INDEX, BundleIndex, config_of, read_index
from modelops_bundle.artifact.raw_layers import note_external
from modelops_bundle.cache.tree import (
    matches,
    read_stats,
    remove_tree,
    seal,
    stat_row,
    walk,
    write_stats,
)
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.recovery.full_disk import free_bytes, naming_room
from modelops_bundle.snapshot.hashing import read_blocks
from modelops_bundle.snapshot.index import stat_key
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import IntegrityError, InvalidInput, is_disk_full

if TYPE_CHECKING:
    from modelops_contracts.ports import ArtifactStore, Reporter

_LOCK_SECONDS = 600.0
_DAY = 86400.0
MOST_BYTES = 20 * 1024**3
OLDEST_SECONDS = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class CachedTree:
    """One bundle in the cache: bytes of its files, and when it was last asked for (epoch)."""

    digest: str
    size: int
    used_at: float


class BundleCache:
    """Trees by manifest digest: `trees/<hex>/`, with what was verified in `trees/<hex>.json`.

    Files are copies, never hard links, and read-only. A tree that was damaged is set aside, told
    about, and built again. Once a day what nobody used for long goes, and when the disk is full
    what is used least.
    """

    def __init__(
        self,
        path: Path,
        *,
        tell: Callable[[str], None] | None = None,
        reporter: Reporter | None = None,
    ) -> None:
        self.path = Path(path)
        self._tell = tell or _say_nothing
        self._reporter = reporter

    @contextmanager
    def use(self, store: ArtifactStore, digest: str) -> Iterator[tuple[Path, BundleIndex]]:
        """Give the verified tree of a bundle; nobody replaces it while the context is open.

        Raises `NotFound`, `IntegrityError`, `DiskFull`, and `InvalidInput` for what is not a
        bundle.
        """
        self._check(digest)
        with _shared_lock(self._lock_path(digest)):
            yield self.ensure(store, digest)

    def ensure(self, store: ArtifactStore, digest: str) -> tuple[Path, BundleIndex]:
        """Return the verified tree of a bundle, building it when needed."""
        self._check(digest)
        index = fetch_index(store, digest)
        tree = self.tree_path(digest)
        self._mark_used(digest)
        if self._is_good(tree, index):
            self._collect_daily(digest)
            return tree, index
        with FileLock(self._lock_path(digest, "build"), timeout=_LOCK_SECONDS):
            if not self._is_good(tree, index):
                self._build_with_room(store, index, tree)
        self._collect_daily(digest)
        return tree, index

    def trees(self) -> tuple[CachedTree, ...]:
        """Return the trees that are there, those used last first."""
        folder = self.path / "trees"
        names = [item.name for item in folder.iterdir()] if folder.is_dir() else []
        found = [
            CachedTree(
                digest=f"sha256:{name}",
                size=sum(status.st_size for _, status in walk(folder / name)),
                used_at=self._used_at(f"sha256:{name}"),
            )
            for name in names
            if is_digest(f"sha256:{name}")
        ]
        return tuple(sorted(found, key=lambda tree: (-tree.used_at, tree.digest)))

    def collect(
        self,
        *,
        max_bytes: int = MOST_BYTES,
        older_than: float = OLDEST_SECONDS,
        dry_run: bool = False,
        keep: str | None = None,
    ) -> tuple[CachedTree, ...]:
        """Remove trees beyond a size or an age, those unused for longest first; return them.

        A tree that somebody uses, and that of the digest `keep`, are left alone. Parts of layers
        and addresses of uploads of that age go too.
        """
        removed: list[CachedTree] = []
        kept, now = 0, time.time()
        for tree in self.trees():
            if kept + tree.size <= max_bytes and now - tree.used_at <= older_than:
                kept += tree.size
            elif tree.digest != keep and (dry_run or self._remove(tree.digest)):
                removed.append(tree)
        if not dry_run:
            self._sweep(now - older_than)
        return tuple(removed)

    def _collect_daily(self, keep: str) -> None:
        """Collect unless somebody did within a day."""
        marker = self.path / "locks" / "collected"
        with contextlib.suppress(OSError):  # a cache that may only be read is one all the same
            if time.time() - _modified_at(marker) < _DAY:
                return
            marker.touch()  # first, so that no second process begins the same
            for tree in self.collect(keep=keep):
                self._tell(f"removed {tree.digest} from the cache: unused for long, or no room")

    def _make_room(self, needed: int, keep: str) -> bool:
        """Remove what is not in use, least recently used first, until so many bytes are free."""
        removed = False
        for path in (self.path / "trees").glob(".*.damaged"):
            remove_tree(path)
            removed = True
        for tree in reversed(self.trees()):
            if free_bytes(self.path) >= needed:
                break
            removed |= tree.digest != keep and self._remove(tree.digest)
        return removed

    def _remove(self, digest: str) -> bool:
        path = self._lock_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tree = self.tree_path(digest)
            doomed = tree.parent / f".{tree.name}.{secrets.token_hex(6)}.doomed"
            tree.chmod(0o755)
            tree.rename(doomed)
            tree.with_suffix(".json").unlink(missing_ok=True)
            remove_tree(doomed)
        except (BlockingIOError, FileNotFoundError):
            return False
        finally:
            os.close(descriptor)
        return True

    def _sweep(self, before: float) -> None:
        for folder in ("partial", "uploads"):
            for path in sorted((self.path / folder).glob("*")):
                with contextlib.suppress(OSError):
                    if path.stat().st_mtime < before:
                        path.unlink()
        for path in (self.path / "trees").glob(".*.doomed"):
            remove_tree(path)  # somebody began, and did not get to the end
        for path in sorted((self.path / "trees").glob(".*.*")):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < min(before, time.time() - _LOCK_SECONDS):
                    remove_tree(path)

    def _mark_used(self, digest: str) -> None:
        path = self._lock_path(digest)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()

    def _used_at(self, digest: str) -> float:
        for path in (self._lock_path(digest), self.tree_path(digest)):
            with contextlib.suppress(OSError):
                return path.stat().st_mtime
        return 0.0

    def _check(self, digest: str) -> None:
        if not is_digest(digest):
            raise InvalidInput(f"{digest!r} is not sha256: and 64 hex digits")

    def tree_path(self, digest: str) -> Path:
        """Return where the tree of a manifest is, whether it is there or not."""
        return self.path / "trees" / digest.removeprefix("sha256:")

    def _lock_path(self, digest: str, suffix: str = "use") -> Path:
        return self.path / "locks" / f"{digest.removeprefix('sha256:')}.{suffix}"

    def _is_good(self, tree: Path, index: BundleIndex) -> bool:
        if not tree.is_dir():
            return False
        known = read_stats(tree.with_suffix(".json"))
        found = dict(walk(tree))
        if set(found) != {row.path for row in index.files}:
            return False
        fresh: dict[str, list[Any]] = {}
        for row in index.files:
            status = found[row.path]
            if known.get(row.path) == [*stat_key(status), row.sha256] and row.mode != "link":
                continue
            if not matches(tree, row, index, status):
                return False
            fresh[row.path] = stat_row(row, status)
        if fresh:
            write_stats(tree.with_suffix(".json"), {**known, **fresh})
        return True

    def _build_with_room(self, store: ArtifactStore, index: BundleIndex, tree: Path) -> None:
        """Build a tree; when the disk is full, make room once and try once more."""
        needed = sum(row.size for row in index.files)
        with naming_room(self.path, needed, "the bundle"):
            try:
                self._build(store, index, tree)
            except OSError as error:
                if not is_disk_full(error) or not self._make_room(needed, f"sha256:{tree.name}"):
                    raise
                self._tell(f"the disk of {self.path} was full: bundles used least were removed")
                self._build(store, index, tree)

    def _build(self, store: ArtifactStore, index: BundleIndex, tree: Path) -> None:
        from modelops_bundle.cache.fetching import fetch_layers

        staging = tree.parent / f".{tree.name}.{secrets.token_hex(6)}.tmp"
        staging.mkdir(parents=True)
        try:
            fetch_layers(
                store, index, range(len(index.layers)), staging,
                partial_dir=self.path / "partial", trees=tree.parent, reporter=self._reporter,
            )  # fmt: skip
            seal(staging, index)
            if tree.exists():
                self._set_aside(tree)
            staging.rename(tree)
            tree.chmod(0o555)
        finally:
            remove_tree(staging)
        stats = {row.path: stat_row(row, (tree / row.path).lstat()) for row in index.files}
        write_stats(tree.with_suffix(".json"), stats)

    def _set_aside(self, tree: Path) -> None:
        """Move a damaged tree out of the way; whoever reads in it goes on reading."""
        aside = tree.parent / f".{tree.name}.{secrets.token_hex(6)}.damaged"
        tree.chmod(0o755)
        tree.rename(aside)
        os.utime(aside)
        self._tell(f"{tree} was damaged: it is set aside as {aside.name} and built again")


def _say_nothing(_: str) -> None:
    pass


def _modified_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def fetch_index(store: ArtifactStore, digest: str) -> BundleIndex:
    """Read and check what a bundle says about itself, also one of the existing suite."""
    manifest = store.get_manifest(digest)
    with store.get_blob(config_of(manifest)) as stream:
        # In blocks: one large read would set aside memory for the largest index there may be.
        config = b"".join(read_blocks(stream, LARGEST_INDEX + 1))
    if len(config) > LARGEST_INDEX:
        raise IntegrityError(
            f"{digest} lists its files in more than {LARGEST_INDEX // 1024**2} MiB; no bundle that "
            "modelops makes does"
        )
    if not is_format_one(manifest):
        return read_index(manifest, config)
    index = read_format_one(manifest, config)
    note_external(store, index)
    return index


@contextmanager
def _shared_lock(path: Path) -> Iterator[None]:
    descriptor = _open_lock(path)
    try:
        if descriptor is not None:
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open_lock(path: Path) -> int | None:
    """Open a lock; None in a cache that may only be read, from which we can remove nothing."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        if error.errno not in {errno.EROFS, errno.EACCES, errno.EPERM}:
            raise
    with contextlib.suppress(OSError):
        return os.open(path, os.O_RDONLY)
    return None
