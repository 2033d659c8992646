"""Emptying the cache of bundles: all that nobody uses at this moment."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from modelops_bundle.cache.bundle_cache import BundleCache, CachedTree
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import Conflict

# What is kept beside the trees: documents, and what was received or packed of layers so far.
_FOLDERS = ("manifests", "configs", "partial", "uploads", "spool")


@dataclass(frozen=True, slots=True)
class Cleared:
    """What left the cache: trees, and files beside them with their bytes together."""

    trees: tuple[CachedTree, ...]
    files: int
    file_bytes: int

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(tree.size for tree in self.trees) + self.file_bytes


def clear_cache(cache: BundleCache, *, dry_run: bool = False) -> Cleared:
    """Remove every tree that is not in use and everything kept beside the trees.

    A download that is going on keeps what it has. With `dry_run` nothing is removed, and a tree
    counts although it may be in use.
    """
    trees = cache.collect(max_bytes=-1, dry_run=dry_run)
    count = total = 0
    for path in _files(cache.path):
        size = _remove(path, dry_run=dry_run)
        if size is not None:
            count, total = count + 1, total + size
    return Cleared(trees, count, total)


def _files(root: Path) -> list[Path]:
    found = [path for name in _FOLDERS for path in sorted((root / name).glob("*"))]
    return [path for path in found if path.is_file() and path.suffix != ".lock"]


def _remove(path: Path, *, dry_run: bool) -> int | None:
    """Remove one file unless somebody holds its lock; return its size."""
    lock = path.with_suffix(".lock")
    with contextlib.ExitStack() as held:
        if lock.exists():
            try:
                held.enter_context(FileLock(lock, timeout=0))
            except Conflict:
                return None
        try:
            size = path.stat().st_size
            if not dry_run:
                path.unlink()
        except FileNotFoundError:
            return None
    return size
