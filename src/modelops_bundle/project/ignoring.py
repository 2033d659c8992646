"""Which files of a project are never picked up unasked."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Protocol

IGNORE_FILE = ".modelopsignore"

BUILT_IN = (
    ".git/", ".hg/", ".svn/", ".modelops/", "__pycache__/", "*.py[cod]", "*.egg-info/", "dist/",
    "build/", ".venv/", "venv/", "env/", "node_modules/", ".ipynb_checkpoints/", ".tox/", ".nox/",
    ".*_cache/", ".idea/", ".vscode/", "*.swp", "*~", ".DS_Store", "Thumbs.db", ".coverage",
    "htmlcov/", ".env", ".env.*",
)  # fmt: skip
STORAGE_DIR = ".modelops-bundle"


class _Spec(Protocol):
    def check_file(self, file: str) -> object: ...


class IgnoreRules:
    """Answers whether a path is ignored; later rules win.

    The order is: built-in names, the project's `.gitignore` files from the root down (when asked
    for), extra patterns of the configuration, and `.modelopsignore` in the root.
    """

    def __init__(
        self, root: Path, *, use_gitignore: bool = False, extra: Sequence[str] = ()
    ) -> None:
        self._root = root
        self._use_gitignore = use_gitignore
        self._extra = extra
        self._git: dict[str, _Spec | None] = {}
        self.walked: set[str] = set()

    @property
    def consulted(self) -> tuple[str, ...]:
        """Prefixes of the directories whose `.gitignore` was looked for."""
        return tuple(self._git)

    # Compiled when first asked: most commands ask about no path.
    @cached_property
    def _before(self) -> list[tuple[str, _Spec | None]]:
        return [("", _compile(BUILT_IN))]

    @cached_property
    def _after(self) -> list[tuple[str, _Spec | None]]:
        return [("", _compile(self._extra)), ("", _read(self._root / IGNORE_FILE))]

    def is_ignored(self, path: str) -> bool:
        """Say whether a root-relative path is ignored; a directory's path ends with a slash."""
        if path.partition("/")[0] == STORAGE_DIR:
            return True
        ignored = False
        for prefix, spec in (*self._before, *self._git_specs(path), *self._after):
            if spec is not None:
                verdict = getattr(spec.check_file(path[len(prefix) :]), "include", None)
                ignored = ignored if verdict is None else bool(verdict)
        return ignored

    def walk(self, directory: str = "") -> Iterator[str]:
        """Yield the root-relative paths of all files below a directory that are not ignored.

        Symbolic links are yielded as files and never followed; anything that is neither file,
        directory nor link is skipped.
        """
        self.walked.add(directory)
        prefix = f"{directory}/" if directory else ""
        try:
            with os.scandir(self._root / directory) as listing:
                items = sorted(listing, key=lambda item: item.name)
        except OSError:
            return
        for item in items:
            path = prefix + item.name
            if item.is_dir(follow_symlinks=False):
                if not self.is_ignored(path + "/"):
                    yield from self.walk(path)
            elif (item.is_symlink() or item.is_file()) and not self.is_ignored(path):
                yield path

    def _git_specs(self, path: str) -> Iterator[tuple[str, _Spec | None]]:
        if not self._use_gitignore:
            return
        parts = path.rstrip("/").split("/")
        for count in range(len(parts)):
            prefix = "".join(f"{part}/" for part in parts[:count])
            if prefix not in self._git:
                self._git[prefix] = _read(self._root / prefix / ".gitignore")
            yield prefix, self._git[prefix]


def _compile(patterns: Sequence[str]) -> _Spec | None:
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec

    return GitIgnoreSpec.from_lines(patterns)


def _read(path: Path) -> _Spec | None:
    try:
        return _compile(path.read_text(encoding="utf-8", errors="replace").splitlines())
    except OSError:
        return None
