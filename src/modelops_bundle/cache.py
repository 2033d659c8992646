"""Bundles as read-only directories on this machine, verified before every use."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops_bundle.fetching import fetch_layers
from modelops_bundle.format_one import is_format_one, read_format_one
from modelops_bundle.manifest import BundleIndex, config_of, read_index
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.raw_layers import note_external
from modelops_bundle.snapshot.index import FileRow, is_racy, stat_key
from modelops_bundle.snapshot.scan import hash_file
from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.errors import IntegrityError, InvalidInput
from modelops_contracts.ports import ArtifactStore

_LOCK_SECONDS = 600.0
_FORMAT = 1
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

    Files are copies, never hard links, and read-only. A tree that was damaged is set aside and
    built again.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)

    @contextmanager
    def use(self, store: ArtifactStore, digest: str) -> Iterator[tuple[Path, BundleIndex]]:
        """Give the verified tree of a bundle; nobody replaces it while the context is open.

        Raises `NotFound`, `IntegrityError`, and `InvalidInput` for what is not a bundle.
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
            return tree, index
        with FileLock(self._lock_path(digest, "build"), timeout=_LOCK_SECONDS):
            if not self._is_good(tree, index):
                self._build(store, index, tree)
        return tree, index

    def trees(self) -> tuple[CachedTree, ...]:
        """Return the trees that are there, those used last first."""
        folder = self.path / "trees"
        names = [item.name for item in folder.iterdir()] if folder.is_dir() else []
        found = [
            CachedTree(
                digest=f"sha256:{name}",
                size=sum(status.st_size for _, status in _walk(folder / name)),
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
    ) -> tuple[CachedTree, ...]:
        """Remove trees beyond a size or an age, those unused for longest first; return them.

        A tree that somebody uses is left alone. Parts of layers and addresses of uploads of that
        age go too.
        """
        removed: list[CachedTree] = []
        kept, now = 0, time.time()
        for tree in self.trees():
            if kept + tree.size <= max_bytes and now - tree.used_at <= older_than:
                kept += tree.size
            elif dry_run or self._remove(tree.digest):
                removed.append(tree)
        if not dry_run:
            self._sweep(now - older_than)
        return tuple(removed)

    def _remove(self, digest: str) -> bool:
        path = self._lock_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            tree = self.tree_path(digest)
            doomed = tree.parent / f".{tree.name}.{secrets.token_hex(6)}.tmp"
            tree.chmod(0o755)
            tree.rename(doomed)
            tree.with_suffix(".json").unlink(missing_ok=True)
            _remove_tree(doomed)
        except BlockingIOError:
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
        for path in sorted((self.path / "trees").glob(".*.tmp")):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < min(before, time.time() - _LOCK_SECONDS):
                    _remove_tree(path)

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
        known = _read_stats(tree.with_suffix(".json"))
        found = dict(_walk(tree))
        if set(found) != {row.path for row in index.files}:
            return False
        fresh: dict[str, list[Any]] = {}
        for row in index.files:
            status = found[row.path]
            if known.get(row.path) == [*stat_key(status), row.sha256] and row.mode != "link":
                continue
            if not _matches(tree, row, index, status):
                return False
            fresh[row.path] = _stat_row(row, status)
        if fresh:
            with contextlib.suppress(OSError):
                _write_stats(tree.with_suffix(".json"), {**known, **fresh})
        return True

    def _build(self, store: ArtifactStore, index: BundleIndex, tree: Path) -> None:
        staging = tree.parent / f".{tree.name}.{secrets.token_hex(6)}.tmp"
        staging.mkdir(parents=True)
        try:
            fetch_layers(
                store, index, range(len(index.layers)), staging, partial_dir=self.path / "partial"
            )
            _seal(staging, index)
            if tree.exists():
                _remove_tree(tree)
            staging.rename(tree)
            tree.chmod(0o555)
        finally:
            _remove_tree(staging)
        stats = {row.path: _stat_row(row, (tree / row.path).lstat()) for row in index.files}
        _write_stats(tree.with_suffix(".json"), stats)


def fetch_index(store: ArtifactStore, digest: str) -> BundleIndex:
    """Read and check what a bundle says about itself, also one of the existing suite."""
    manifest = store.get_manifest(digest)
    with store.get_blob(config_of(manifest)) as stream:
        config = stream.read()
    if not is_format_one(manifest):
        return read_index(manifest, config)
    index = read_format_one(manifest, config)
    note_external(store, index)
    return index


def _walk(tree: Path, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(tree / prefix) as listing:
        items = sorted(listing, key=lambda item: item.name)
    for item in items:
        path = f"{prefix}{item.name}"
        if not item.is_dir(follow_symlinks=False):
            yield path, item.stat(follow_symlinks=False)
        elif item.name != "__pycache__":
            yield from _walk(tree, f"{path}/")


def _matches(tree: Path, row: FileRow, index: BundleIndex, status: os.stat_result) -> bool:
    path = tree / row.path
    if row.mode == "link":
        return stat.S_ISLNK(status.st_mode) and path.readlink() == Path(index.links[row.path])
    if not stat.S_ISREG(status.st_mode) or status.st_size != row.size:
        return False
    executable = bool(status.st_mode & stat.S_IXUSR)
    return executable == (row.mode == "0755") and hash_file(path) == row.sha256


def _stat_row(row: FileRow, status: os.stat_result) -> list[Any]:
    racy = is_racy(status, time.time_ns())
    return [*stat_key(status), "" if racy else row.sha256]


def _read_stats(path: Path) -> dict[str, list[Any]]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return dict(data["rows"]) if data["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_stats(path: Path, rows: dict[str, list[Any]]) -> None:
    text = json.dumps({"format": _FORMAT, "rows": rows}, separators=(",", ":"))
    write_atomically(path, text)


def _seal(tree: Path, index: BundleIndex) -> None:
    for row in index.files:
        if row.mode != "link":
            (tree / row.path).chmod(0o555 if row.mode == "0755" else 0o444)
    for folder in _folders(tree, index) - {tree}:
        folder.chmod(0o555)


def _folders(tree: Path, index: BundleIndex) -> set[Path]:
    return {
        parent
        for row in index.files
        for parent in (tree / row.path).parents
        if parent.is_relative_to(tree)
    }


def _remove_tree(tree: Path) -> None:
    if not tree.exists():
        return
    for folder, _, _ in os.walk(tree):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o755)
    shutil.rmtree(tree)


@contextmanager
def _shared_lock(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def check_tree(tree: Path, index: BundleIndex) -> None:
    """Hash every file of a tree again; `IntegrityError` names the first that differs."""
    found = dict(_walk(tree))
    for row in index.files:
        status = found.get(row.path)
        if status is None or not _matches(tree, row, index, status):
            raise IntegrityError(f"{tree / row.path} is not what the bundle holds")
