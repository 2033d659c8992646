"""The commit that is running: written down in a build, asked of git in a checkout.

`--version` asks here, so nothing heavy is imported: git's own files are read where that is enough.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from modelops._build import COMMIT, DIRTY, VERSION

__all__ = ["find_commit", "is_dirty", "version_line"]

_COMMIT = re.compile("[0-9a-f]{40}")
#: What a wheel is made of, as scripts/build_backend.py has it: no other change makes it dirty.
_BUILT_FROM = (
    "src",
    "examples",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "scripts/build_backend.py",
)


def version_line(console: str, root: Path | None = None) -> str:
    """`mops 0.3.0 (1a2b3c4)`; `, dirty`: built from changed files; `, checkout`: run from one."""
    public = VERSION.partition("+")[0]
    commit = find_commit(root)
    if commit is None:
        return f"{console} {public}"
    remark = ", dirty" if DIRTY else "" if COMMIT else ", checkout"
    return f"{console} {public} ({commit[:7]}{remark})"


def find_commit(root: Path | None = None) -> str | None:
    """The 40 hex digits, or None where nobody wrote them down. `root` is for tests."""
    if COMMIT:
        return COMMIT
    checkout = _find_checkout(root)
    return None if checkout is None else _read_head(checkout / ".git")


def is_dirty(root: Path | None = None) -> bool | None:
    """Whether the files differ from the commit; None where there is no commit or no git to ask."""
    if COMMIT:
        return DIRTY
    checkout = _find_checkout(root)
    return None if checkout is None else _ask_git(checkout)


def _find_checkout(root: Path | None) -> Path | None:
    """The folder of the repository these files are edited in: a wheel lies in no such folder."""
    folder = root or Path(__file__).parents[2]
    mine = (folder / "pyproject.toml").is_file() and (
        folder / "src" / "modelops_contracts"
    ).is_dir()
    return folder if mine and (folder / ".git").exists() else None


def _read_head(place: Path) -> str | None:
    """HEAD of a repository, of a worktree of one (where `.git` is a file), packed or not."""
    try:
        if place.is_file():
            place = place.parent / place.read_text().removeprefix("gitdir:").strip()
        head = (place / "HEAD").read_text().strip()
        return head if _COMMIT.fullmatch(head) else _read_ref(place, head.removeprefix("ref: "))
    except OSError:
        return None


def _read_ref(place: Path, name: str) -> str | None:
    common = place / "commondir"
    folder = place / common.read_text().strip() if common.is_file() else place
    if (folder / name).is_file():
        return (folder / name).read_text().strip()
    packed = folder / "packed-refs"
    lines = packed.read_text().splitlines() if packed.is_file() else []
    return next((line[:40] for line in lines if line[41:] == name), None)


def _ask_git(checkout: Path) -> bool | None:
    import subprocess

    command = [
        "git",
        "--no-optional-locks",
        "-C",
        os.fspath(checkout),
        "status",
        "--porcelain",
        "--",
        *_BUILT_FROM,
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return bool(done.stdout.strip()) if done.returncode == 0 else None
