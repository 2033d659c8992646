"""What an interpreter has installed. Also run as a program, by any Python from 3.9 on.

A version names the code of a distribution that came from an index. What was installed from a folder
or a repository changes under one version: there, what is in it counts as well.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

__all__ = ["describe_interpreter", "digest_of_source", "local_folder", "version_of"]

#: Files above this size count by their size and time: data beside the code, not code.
_LARGE = 1 << 20
_SKIPPED = {"__pycache__", "node_modules", "venv", "env"}


def describe_interpreter() -> dict[str, Any]:
    """``python``, ``platform``, and ``versions`` by name of all distributions."""
    named = ((one.metadata["Name"], one) for one in distributions())
    return {
        "python": platform.python_version(),
        "platform": sysconfig.get_platform(),
        "versions": {name: version_of(one) for name, one in named if name},
    }


def version_of(distribution: Distribution) -> str:
    """Its version; of one that no index vouches for, with a mark of what is in it."""
    mark = _mark(_origin(distribution), distribution)
    return f"{distribution.version} ({mark})" if mark else distribution.version


def _origin(distribution: Distribution) -> dict[str, Any]:
    """Where it was installed from (PEP 610); empty for an index."""
    try:
        found = json.loads(distribution.read_text("direct_url.json") or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _mark(origin: dict[str, Any], distribution: Distribution) -> str:
    if not origin:
        return ""
    if "vcs_info" in origin:
        return str(origin["vcs_info"].get("commit_id", ""))
    digest = hashlib.sha256(_recorded(distribution))
    folder = local_folder(str(origin.get("url", "")))
    if folder is not None and origin.get("dir_info", {}).get("editable"):
        digest.update(digest_of_source(folder).encode())
    return digest.hexdigest()[:16]


def local_folder(url: str) -> Path | None:
    """The folder that a ``file:`` URL names; None for any other."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def _recorded(distribution: Distribution) -> bytes:
    """Installed files with their hashes, without what differs from machine to machine."""
    rows = csv.reader((distribution.read_text("RECORD") or "").splitlines())
    kept = [
        f"{row[0]} {row[1]}"
        for row in rows
        if len(row) > 1 and row[1] and not row[0].startswith("..") and ".dist-info/" not in row[0]
    ]
    return "\n".join(sorted(kept)).encode()


def digest_of_source(folder: Path) -> str:
    """Over names and contents of a source folder's files: of its ``src`` when it has one."""
    digest = hashlib.sha256()
    for line in _lines_of(folder / "src" if (folder / "src").is_dir() else folder):
        digest.update(line)
    return digest.hexdigest()


def _lines_of(root: Path) -> Iterator[bytes]:
    for path in sorted(_files_below(root)):
        try:
            size = path.stat().st_size
            content = (
                hashlib.sha256(path.read_bytes()).hexdigest()
                if size <= _LARGE
                else f"{size} {path.stat().st_mtime_ns}"
            )
        except OSError:  # removed meanwhile, or not ours to read
            continue
        yield f"{path.relative_to(root).as_posix()} {content}\n".encode("utf-8", "surrogateescape")


def _files_below(root: Path) -> Iterator[Path]:
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = [name for name in subfolders if not _is_skipped(name)]
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _is_skipped(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED or name.endswith(".egg-info")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(describe_interpreter()))
