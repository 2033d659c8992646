"""Answers about a project, believed only while everything they were read from is the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modelops_bundle.findings import Finding
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import TRACKED_FILE
from modelops_bundle.snapshot.index import StatIndex, is_racy, stat_key
from modelops_bundle.snapshot.scan import WorkingFiles
from modelops_contracts.atomic import write_atomically
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_PATH

if TYPE_CHECKING:
    from modelops_bundle.code.codebase import Evidence

T = TypeVar("T")

_FORMAT = 3
_OWN_FILES = (
    REGISTRY_PATH, TRACKED_FILE, f"{BUNDLE_STORAGE_DIR}/config.yaml", f"{BUNDLE_STORAGE_DIR}/env",
)  # fmt: skip


def recall(
    project: Project, name: str, question: list[str], decode: Callable[[Any], T]
) -> T | None:
    """Return the remembered answer to a question, or None when anything changed since.

    `name` is what the answers are about, and their file; `decode` makes the answer of plain data.
    """
    try:
        data = json.loads(_path(project, name).read_bytes())
        if data["maker"] != _maker(project) or data["question"] != question:
            return None
        if not _same_folders(project.root, data["folders"]):
            return None
        doubtful = _doubtful(project.root, data["files"])
        if not _same_content(project, doubtful):
            return None
        answer = decode(data["answer"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if doubtful:
        rows = {row[0]: row for row in [*data["files"], *_look(project, doubtful)]}
        _write(project, name, {**data, "files": list(rows.values())})
    return answer


def remember(
    project: Project,
    name: str,
    question: list[str],
    answer: Mapping[str, Any],
    *,
    findings: Iterable[Finding],
    evidence: Evidence,
    also: Iterable[str],
    started_ns: int,
) -> None:
    """Write an answer down as plain data, with what it was read from.

    An answer that depends on what is installed in this interpreter, as its `findings` tell, is not
    kept, nor one whose files may have changed since `started_ns`, when reading them began.
    """
    if any(item.code in {"unresolved_import", "outside_project"} for item in findings):
        return
    paths = sorted({*evidence.files, *_OWN_FILES, *also})
    if any(_is_fresh(project.root / path, started_ns) for path in paths):
        return
    data = {
        "maker": _maker(project),
        "question": question,
        "folders": dict(evidence.folders),
        "files": _look(project, dict.fromkeys(paths)),
        "answer": answer,
    }
    _write(project, name, data)


def _write(project: Project, name: str, data: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        write_atomically(_path(project, name), json.dumps(data, separators=(",", ":")))


def _is_fresh(path: Path, started_ns: int) -> bool:
    try:
        return is_racy(path.lstat(), started_ns)
    except (FileNotFoundError, NotADirectoryError):
        return False


# --- what was seen ---------------------------------------------------------------------------


def _look(project: Project, paths: Mapping[str, object]) -> list[list[Any]]:
    """Return `[path, what is there, the times it is believed by]` for each path."""
    index = StatIndex(project.storage / "index.json")
    files = WorkingFiles(project.root, index)
    found = []
    for path in paths:
        started = time.time_ns()
        seen = _seen(files, path)
        believed = None
        if seen is not None and seen[0] != "link":
            status = os.lstat(project.root / path)
            if not is_racy(status, started):
                believed = list(stat_key(status))
        found.append([path, seen, believed])
    index.save()
    return found


def _doubtful(root: Path, rows: Iterable[list[Any]]) -> dict[str, Any]:
    """Return what was seen at the paths where the times alone prove nothing."""
    found: dict[str, Any] = {}
    # From the root on: names are looked up a tenth faster than whole paths.
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for path, seen, believed in rows:
            try:
                status = os.stat(path, dir_fd=folder, follow_symlinks=False)
            except (FileNotFoundError, NotADirectoryError):
                if seen is not None:
                    raise  # it is gone: nothing is to be believed
                continue
            if believed != list(stat_key(status)):
                found[path] = seen
    finally:
        os.close(folder)
    return found


def _same_content(project: Project, seen: Mapping[str, Any]) -> bool:
    if not seen:
        return True
    index = StatIndex(project.storage / "index.json")
    files = WorkingFiles(project.root, index)
    same = all(_seen(files, path) == expected for path, expected in seen.items())
    index.save()
    return same


def _path(project: Project, name: str) -> Path:
    return project.storage / f"{name}.json"


def _maker(project: Project) -> list[Any]:
    """Return what else an answer depends on: our own code, the interpreter, the place."""
    with os.scandir(Path(__file__).parent) as listing:
        newest = max(item.stat().st_mtime_ns for item in listing)
    return [_FORMAT, newest, list(sys.version_info[:3]), str(project.root)]


def _seen(files: WorkingFiles, path: str) -> list[str] | None:
    row = files.row(path)
    if row is None:
        return None
    if row.mode != "link":
        return [row.mode, row.sha256]
    return [row.mode, row.sha256, files.digest(path) or ""]


def _same_folders(root: Path, folders: Mapping[str, str]) -> bool:
    for folder, digest in folders.items():
        try:
            names = os.listdir(root / folder)  # noqa: PTH208  (names only)
        except OSError:
            names = []
        text = "\0".join(sorted(names))
        if hashlib.sha256(os.fsencode(text)).hexdigest() != digest:
            return False
    return True
