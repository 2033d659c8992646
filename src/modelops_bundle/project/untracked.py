"""Files of a project that are in no bundle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from modelops_bundle.project.tracking import read_tracked
from modelops_contracts.places import BUNDLE_STORAGE_DIR

if TYPE_CHECKING:
    from modelops_bundle.project.project import Project

# Not even with ignored files asked for: what can never be tracked is not "untracked".
_NEVER = frozenset({".git", ".hg", ".svn", ".modelops", BUNDLE_STORAGE_DIR})


def find_untracked(project: Project, *, include_ignored: bool = False) -> tuple[str, ...]:
    """Return the root-relative paths that `add` would take, sorted; ignored ones when asked for."""
    tracked = set(read_tracked(project.root))
    found = _everything(project) if include_ignored else project.ignore_rules().walk()
    return tuple(sorted(path for path in found if path not in tracked))


def _everything(project: Project) -> Iterator[str]:
    root = str(project.root)
    for folder, names, files in os.walk(root):
        inner = os.path.relpath(folder, root)
        if inner == ".":
            names[:] = [name for name in names if name not in _NEVER]
        prefix = "" if inner == "." else f"{inner}/"
        links = [name for name in names if os.path.islink(f"{folder}/{name}")]  # noqa: PTH114
        yield from (prefix + name for name in (*files, *links))
