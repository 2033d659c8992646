"""Where a clone is put together: a hidden folder beside its target, which cannot outlive its use.

The folder holds the project and a lock. Whoever finds the lock free knows that the clone that made
the folder is dead, and removes it.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from modelops_bundle.cache.tree import remove_tree
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import Conflict

_NAME = re.compile(r"\..+\.[0-9a-f]{12}\.clone", re.DOTALL)
_COMMAND = "mops bundle clone"


@contextlib.contextmanager
def stage_clone(root: Path) -> Iterator[Path]:
    """Give an empty folder that can be renamed to `root`; what is left of it at the end goes."""
    root.parent.mkdir(parents=True, exist_ok=True)
    _sweep(root.parent)
    # A long name would be too long with what is added to it.
    name = os.fsdecode(os.fsencode(root.name)[:200])
    staging = root.parent / f".{name}.{secrets.token_hex(6)}.clone"
    staging.mkdir()
    try:
        # Locked under another name first: under this one nobody sees it unlocked.
        with FileLock(staging / "lock.new", command=_COMMAND) as lock:
            lock.path.rename(staging / "lock")
            (staging / "project").mkdir()
            yield staging / "project"
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what clones beside this one left that were killed."""
    with contextlib.suppress(OSError):
        for item in list(os.scandir(folder)):
            if _NAME.fullmatch(item.name) and item.is_dir(follow_symlinks=False):
                _remove_dead(Path(item.path))


def _remove_dead(staging: Path) -> None:
    """Remove a folder that is provably that of a clone, and of one that runs no more."""
    with contextlib.suppress(OSError, Conflict):
        lock = staging / "lock"
        made_here = staging.lstat().st_uid == os.geteuid() and not lock.is_symlink()
        if made_here and _COMMAND in lock.read_text(encoding="utf-8", errors="replace"):
            with FileLock(lock, timeout=0, command=_COMMAND):
                remove_tree(staging)
