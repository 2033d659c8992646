"""Where a project's files come from: what git knows of them, asked with a limit in time.

Nothing of this is ever part of a bundle; it goes into the record of a push beside it.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import threading
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

GIT_SECONDS = 5.0
_CHUNK = 1024 * 1024
# A project may be a stranger's: nothing that its git configuration names is started.
_GIT = (
    "git", "--no-optional-locks", "--no-pager",
    "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "diff.external=",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Provenance:
    """The commit that the files of a project stand on.

    `dirty` says whether files of the bundle differ from it, and `diff` is the sha256 of what git
    prints for the difference. `source` is the address of the repository, without user and password.
    """

    commit: str
    dirty: bool
    diff: str | None = None
    source: str | None = None


def read_provenance(
    root: Path, tracked: Collection[str], *, seconds: float = GIT_SECONDS
) -> Provenance | None:
    """Ask git about a project; None without git, outside a repository, or when it takes too long.

    `tracked` are the root-relative files of the bundle; changes of others do not count.
    """
    deadline = time.monotonic() + seconds
    head = _ask(root, deadline, "rev-parse", "--verify", "HEAD")
    if head is None or not re.fullmatch(rb"[0-9a-f]{40,64}\s*", head):
        return None
    changed = _ask(root, deadline, "status", "--porcelain=v1", "-z", "--untracked-files=all",
                   "--no-renames", "--", ".")  # fmt: skip
    prefix = _ask(root, deadline, "rev-parse", "--show-prefix")
    if changed is None or prefix is None:
        return None
    dirty = bool(_paths_of(changed, prefix.decode().strip()) & set(tracked))
    diff = _digest_of_diff(root, deadline) if dirty else None
    address = _ask(root, deadline, "config", "--get", "remote.origin.url")
    source = without_login(address.decode(errors="replace").strip()) if address else None
    return Provenance(head.decode().strip(), dirty, diff, source or None)


def without_login(address: str) -> str:
    """Take user name and password out of a URL (`git@host:path` keeps its fixed user)."""
    return re.sub(r"^([a-z][a-z0-9+.-]*://)[^/@]*@", r"\1", address, flags=re.IGNORECASE)


def _paths_of(status: bytes, prefix: str) -> set[str]:
    """Return the root-relative paths of `git status -z`, which counts from the repository's top."""
    lines = [line for line in status.decode(errors="surrogateescape").split("\0") if line]
    paths = (line[3:] for line in lines)
    return {path.removeprefix(prefix) for path in paths if path.startswith(prefix)}


def _ask(root: Path, deadline: float, *words: str) -> bytes | None:
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    try:
        done = subprocess.run(
            [*_GIT, *words], cwd=root, stdin=subprocess.DEVNULL, capture_output=True,
            timeout=left, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _digest_of_diff(root: Path, deadline: float) -> str | None:
    words = [*_GIT, "diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD", "--", "."]
    digest = hashlib.sha256()
    try:
        process = subprocess.Popen(
            words, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None
    limit = threading.Timer(max(0.0, deadline - time.monotonic()), process.kill)
    limit.start()
    with process:
        assert process.stdout is not None
        while chunk := process.stdout.read(_CHUNK):
            digest.update(chunk)
    limit.cancel()
    return f"sha256:{digest.hexdigest()}" if process.returncode == 0 else None
