"""The last status of a project, believed only while everything it was read from is the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops_bundle.changes import Change, Decision
from modelops_bundle.diff import FileChanges
from modelops_bundle.findings import Finding
from modelops_bundle.project import Project
from modelops_bundle.project_state import EntryStatus, ProjectStatus, SetStatus
from modelops_bundle.snapshot.index import StatIndex, is_racy, stat_key
from modelops_bundle.snapshot.scan import WorkingFiles
from modelops_bundle.staleness import Reason
from modelops_bundle.tracking import TRACKED_FILE
from modelops_contracts.atomic import write_atomically
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_PATH

if TYPE_CHECKING:
    from modelops_bundle.codebase import Evidence

_FORMAT = 1
_OWN_FILES = (
    REGISTRY_PATH, TRACKED_FILE, f"{BUNDLE_STORAGE_DIR}/config.yaml", f"{BUNDLE_STORAGE_DIR}/env",
)  # fmt: skip


def recall_status(project: Project, question: list[str]) -> ProjectStatus | None:
    """Return the remembered answer to a question, or None when anything changed since."""
    try:
        data = json.loads(_path(project).read_bytes())
        if data["maker"] != _maker(project) or data["question"] != question:
            return None
        if not _same_folders(project.root, data["folders"]):
            return None
        doubtful = _doubtful(str(project.root), data["files"])
        if not _same_content(project, doubtful):
            return None
        status = _decode(data["status"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    if doubtful:
        rows = {row[0]: row for row in [*data["files"], *_look(project, doubtful)]}
        _write(project, {**data, "files": list(rows.values())})
    return status


def remember_status(
    project: Project,
    question: list[str],
    status: ProjectStatus,
    evidence: Evidence,
    also: Iterable[str],
    started_ns: int,
) -> None:
    """Write an answer down, with what it was read from.

    An answer that depends on what is installed in this interpreter is not kept, nor one whose
    files may have changed since `started_ns`, when reading them began.
    """
    if any(item.code in {"unresolved_import", "outside_project"} for item in status.findings):
        return
    paths = sorted({*evidence.files, *_OWN_FILES, *also})
    if any(_is_fresh(project.root / path, started_ns) for path in paths):
        return
    data = {
        "maker": _maker(project),
        "question": question,
        "folders": dict(evidence.folders),
        "files": _look(project, dict.fromkeys(paths)),
        "status": _encode(status),
    }
    _write(project, data)


def _write(project: Project, data: Mapping[str, Any]) -> None:
    with contextlib.suppress(OSError):
        write_atomically(_path(project), json.dumps(data, separators=(",", ":")))


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
        if seen is not None and seen[1] != "link":
            status = os.lstat(project.root / path)
            if not is_racy(status, started):
                believed = list(stat_key(status))
        found.append([path, seen, believed])
    index.save()
    return found


def _doubtful(root: str, rows: Iterable[list[Any]]) -> dict[str, Any]:
    """Return what was seen at the paths where the times alone prove nothing."""
    found: dict[str, Any] = {}
    for path, seen, believed in rows:
        try:
            status = os.lstat(f"{root}/{path}")
        except (FileNotFoundError, NotADirectoryError):
            if seen is not None:
                raise  # it is gone: nothing is to be believed
            continue
        if believed != list(stat_key(status)):
            found[path] = seen
    return found


def _same_content(project: Project, seen: Mapping[str, Any]) -> bool:
    if not seen:
        return True
    index = StatIndex(project.storage / "index.json")
    files = WorkingFiles(project.root, index)
    same = all(_seen(files, path) == expected for path, expected in seen.items())
    index.save()
    return same


def _path(project: Project) -> Path:
    return project.storage / "status.json"


def _maker(project: Project) -> list[Any]:
    """Return what else an answer depends on: our own code, the interpreter, the place."""
    with os.scandir(Path(__file__).parent) as listing:
        newest = max(item.stat().st_mtime_ns for item in listing)
    return [_FORMAT, newest, list(sys.version_info[:3]), str(project.root)]


def _seen(files: WorkingFiles, path: str) -> list[str] | None:
    row = files.row(path)
    if row is None:
        return None
    return [files.digest(path) or "", row.mode, row.sha256]


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


# --- the value as plain data -----------------------------------------------------------------

_STATUS_FIELDS = ("root", "repository", "tag", "environment", "tracked", "sync")
_ENTRY_FIELDS = (
    "kind", "id", "state", "path", "entrypoint", "weight", "labels", "digest", "renamed_to",
    "similarity",
)  # fmt: skip
_CHANGE_FIELDS = ("action", "kind", "id", "path", "old_id", "symbol")
_DECISION_FIELDS = ("kind", "old_id", "new_symbol", "new_path", "similarity", "command")


def _fields(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _encode(status: ProjectStatus) -> dict[str, Any]:
    return {
        **_fields(status, _STATUS_FIELDS),
        "models": [_encode_entry(item) for item in status.models],
        "targets": [_encode_entry(item) for item in status.targets],
        "sets": [item.to_json() for item in status.sets],
        "new": [
            {**_fields(item, _CHANGE_FIELDS), "reasons": list(item.reasons)} for item in status.new
        ],
        "files": status.files.to_json(),
        "findings": [item.to_json() for item in status.findings],
        "decisions": [_fields(item, _DECISION_FIELDS) for item in status.decisions],
    }


def _encode_entry(item: EntryStatus) -> dict[str, Any]:
    labels = dict(item.labels) if item.labels is not None else None
    return {
        **_fields(item, _ENTRY_FIELDS),
        "labels": labels,
        "outputs": list(item.outputs),
        "reasons": [reason.to_json() for reason in item.reasons],
        "findings": [finding.to_json() for finding in item.findings],
    }


def _decode(data: Mapping[str, Any]) -> ProjectStatus:
    return ProjectStatus(
        **{name: data[name] for name in _STATUS_FIELDS},
        models=tuple(_decode_entry(item) for item in data["models"]),
        targets=tuple(_decode_entry(item) for item in data["targets"]),
        sets=tuple(
            SetStatus(item["name"], tuple(item["targets"]), item["weights"])
            for item in data["sets"]
        ),
        new=tuple(Change(**{**item, "reasons": tuple(item["reasons"])}) for item in data["new"]),
        files=FileChanges(**{name: tuple(paths) for name, paths in data["files"].items()}),
        findings=tuple(_decode_finding(item) for item in data["findings"]),
        decisions=tuple(Decision(**item) for item in data["decisions"]),
    )


def _decode_entry(data: Mapping[str, Any]) -> EntryStatus:
    return EntryStatus(
        **{name: data[name] for name in _ENTRY_FIELDS},
        outputs=tuple(data["outputs"]),
        reasons=tuple(
            Reason(**{**item, "chain": tuple(item["chain"])}) for item in data["reasons"]
        ),
        findings=tuple(_decode_finding(item) for item in data["findings"]),
    )


def _decode_finding(data: Mapping[str, Any]) -> Finding:
    return Finding(data["message"], **{key: data[key] for key in data if key != "message"})
