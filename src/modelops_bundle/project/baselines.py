"""What this project and a store last agreed on, per reference.

These records are hints: deleting them costs time or asks a question, and never loses data.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from modelops_bundle.diff import State
from modelops_bundle.project.project import Project
from modelops_contracts.atomic import write_atomically
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_PATH

BEFORE_PUSH = "before-push.yaml"


Facts = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Baseline:
    """The files, manifest and content that a reference and this project had in common.

    When they do since a push of this project, `replaced` holds what its files were before, None for
    those that were not there: a reference that has them again was moved by somebody who had not
    seen the push.
    """

    reference: str
    manifest: str
    content: str
    files: Mapping[str, Facts]
    replaced: Mapping[str, Facts | None] = field(default_factory=dict)


def read_baseline(project: Project, reference: str) -> Baseline | None:
    """Return the baseline of a reference; None without one, or when it cannot be read."""
    try:
        data = json.loads(
            (project.root / baseline_path(project, reference)).read_text(encoding="utf-8")
        )
        if data["reference"] != reference:
            return None
        files = {str(path): (str(sha), str(mode)) for path, sha, mode in data["files"]}
        replaced = {
            str(path): tuple(was) if was else None for path, was in data.get("replaced", [])
        }
        return Baseline(reference, str(data["manifest"]), str(data["content"]), files, replaced)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_baseline(
    project: Project,
    reference: str,
    manifest: str,
    content: str,
    files: State,
    registry: bytes,
    *,
    pushed: bool = False,
) -> None:
    """Remember what was agreed on, with the registry for later merging.

    `pushed` when it is agreed because this project pushed it.
    """
    replaced = _replaced(project, reference, manifest, files) if pushed else {}
    if replaced:
        _keep_registry_before(project)
    data = {
        "reference": reference,
        "manifest": manifest,
        "content": content,
        "files": [[path, *files[path]] for path in sorted(files)],
        "replaced": sorted(replaced.items()),
    }
    write_atomically(
        (project.root / baseline_path(project, reference)), json.dumps(data, separators=(",", ":"))
    )
    write_atomically(base_registry_path(project), registry)


def _replaced(
    project: Project, reference: str, manifest: str, files: State
) -> Mapping[str, Facts | None]:
    earlier = read_baseline(project, reference)
    if earlier is not None and earlier.manifest == manifest:
        return earlier.replaced
    was = earlier.files if earlier is not None else {}
    return {path: was.get(path) for path in {*was, *files} if was.get(path) != files.get(path)}


def _keep_registry_before(project: Project) -> None:
    base = base_registry_path(project)
    with contextlib.suppress(FileNotFoundError):
        write_atomically(base.with_name(BEFORE_PUSH), base.read_bytes())


def registry_before_push(project: Project, baseline: Baseline) -> bytes | None:
    """Return the registry that a push of this project replaced; None where that is not known."""
    if REGISTRY_PATH not in baseline.replaced:
        return None
    was = baseline.replaced[REGISTRY_PATH]
    if was is None:
        return b""
    with contextlib.suppress(FileNotFoundError):
        data = base_registry_path(project).with_name(BEFORE_PUSH).read_bytes()
        if hashlib.sha256(data).hexdigest() == was[0]:
            return data
    return None


def base_registry_path(project: Project) -> Path:
    """Return where the registry of the last baseline is kept."""
    return project.storage / "base" / "registry.yaml"


def record_push(project: Project, reference: str, manifest: str, content: str) -> None:
    """Note when a reference was last pushed; nothing that is digested holds this."""
    from datetime import UTC, datetime

    path = project.storage / "state.json"
    state = read_pushes(project)
    state.pop(reference, None)  # the latest stands last
    state[reference] = {
        "manifest": manifest,
        "content": content,
        "pushed_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_atomically(path, json.dumps({"pushes": state}, indent=1), mode=0o600)


def read_pushes(project: Project) -> dict[str, dict[str, Any]]:
    """Return what was last pushed, by reference."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads((project.storage / "state.json").read_text(encoding="utf-8"))
        return {str(key): dict(value) for key, value in data["pushes"].items()}
    return {}


def baseline_path(project: Project, reference: str) -> str:
    """Return the root-relative file of a reference's baseline."""
    name = hashlib.sha256(reference.encode()).hexdigest()[:16]
    return f"{BUNDLE_STORAGE_DIR}/baselines/{name}.json"
