"""One bundle as a read-only directory, and how it is known to be whole without reading it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from modelops_bundle.artifact.manifest import BundleIndex
from modelops_bundle.snapshot.index import FileRow, is_racy, stat_key
from modelops_bundle.snapshot.scan import hash_file
from modelops_contracts.atomic import write_atomically

_FORMAT = 1


def walk(tree: Path, prefix: str = "") -> Iterator[tuple[str, os.stat_result]]:
    """Yield the files of a tree by name, with their facts; caches of bytecode do not count."""
    with os.scandir(tree / prefix) as listing:
        items = sorted(listing, key=lambda item: item.name)
    for item in items:
        path = f"{prefix}{item.name}"
        if not item.is_dir(follow_symlinks=False):
            yield path, item.stat(follow_symlinks=False)
        elif item.name != "__pycache__":
            yield from walk(tree, f"{path}/")


def matches(tree: Path, row: FileRow, index: BundleIndex, status: os.stat_result) -> bool:
    """True when a file of a tree is what the bundle says, byte for byte."""
    path = tree / row.path
    if row.mode == "link":
        return stat.S_ISLNK(status.st_mode) and path.readlink() == Path(index.links[row.path])
    if not stat.S_ISREG(status.st_mode) or status.st_size != row.size:
        return False
    executable = bool(status.st_mode & stat.S_IXUSR)
    return executable == (row.mode == "0755") and hash_file(path) == row.sha256


def stat_row(row: FileRow, status: os.stat_result) -> list[Any]:
    """Return what a verified file is known by: five times and numbers, and its digest."""
    racy = is_racy(status, time.time_ns())
    # Times that prove nothing yet equal no file's: it is hashed again before it is believed.
    return [*((0,) * 5 if racy else stat_key(status)), row.sha256]


def read_stats(path: Path) -> dict[str, list[Any]]:
    """Return what was verified before; nothing when that cannot be read."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return dict(data["rows"]) if data["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def write_stats(path: Path, rows: dict[str, list[Any]]) -> None:
    """Remember what was verified; a place that cannot be written to is no error."""
    text = json.dumps({"format": _FORMAT, "rows": rows}, separators=(",", ":"))
    with contextlib.suppress(OSError):
        write_atomically(path, text)


def seal(tree: Path, index: BundleIndex) -> None:
    """Take away all rights to write below a tree."""
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


def remove_tree(tree: Path) -> None:
    """Delete a tree, sealed or not; another process may be doing the same."""
    if not tree.exists():
        return
    for folder, _, _ in os.walk(tree):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o755)
    shutil.rmtree(tree, ignore_errors=True)
