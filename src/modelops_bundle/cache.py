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
from pathlib import Path
from typing import Any

from modelops_bundle.manifest import BundleIndex, config_of, read_index
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.packing import unpack_layer
from modelops_bundle.snapshot.index import FileRow, is_racy, stat_key
from modelops_bundle.snapshot.scan import hash_file
from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.errors import IntegrityError, InvalidInput
from modelops_contracts.ports import ArtifactStore

_LOCK_SECONDS = 600.0
_FORMAT = 1


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
        tree, index = self.ensure(store, digest)
        with _shared_lock(self._lock_path(digest)):
            yield tree, index

    def ensure(self, store: ArtifactStore, digest: str) -> tuple[Path, BundleIndex]:
        """Return the verified tree of a bundle, building it when needed."""
        if not is_digest(digest):
            raise InvalidInput(f"{digest!r} is not sha256: and 64 hex digits")
        index = fetch_index(store, digest)
        tree = self.tree_path(digest)
        if self._is_good(tree, index):
            return tree, index
        with FileLock(self._lock_path(digest, "build"), timeout=_LOCK_SECONDS):
            if not self._is_good(tree, index):
                self._build(store, index, tree)
        return tree, index

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
            for number, layer in enumerate(index.layers):
                with store.get_blob(layer.digest) as stream:
                    unpack_layer(stream, layer, index.rows_in(number), dict(index.links), staging)
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
    """Read and check what a bundle says about itself."""
    manifest = store.get_manifest(digest)
    with store.get_blob(config_of(manifest)) as stream:
        return read_index(manifest, stream.read())


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
