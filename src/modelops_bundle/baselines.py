"""What this project and a store last agreed on, per reference.

These records are hints: deleting them costs time or asks a question, and never loses data.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelops_bundle.diff import State
from modelops_bundle.project import Project
from modelops_contracts.atomic import write_atomically
from modelops_contracts.places import BUNDLE_STORAGE_DIR


@dataclass(frozen=True, slots=True)
class Baseline:
    """The files, manifest and content that a reference and this project had in common."""

    reference: str
    manifest: str
    content: str
    files: Mapping[str, tuple[str, str]]


def read_baseline(project: Project, reference: str) -> Baseline | None:
    """Return the baseline of a reference; None without one, or when it cannot be read."""
    try:
        data = json.loads(
            (project.root / baseline_path(project, reference)).read_text(encoding="utf-8")
        )
        if data["reference"] != reference:
            return None
        files = {str(path): (str(sha), str(mode)) for path, sha, mode in data["files"]}
        return Baseline(reference, str(data["manifest"]), str(data["content"]), files)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_baseline(
    project: Project, reference: str, manifest: str, content: str, files: State, registry: bytes
) -> None:
    """Remember what was agreed on, with the registry for later merging."""
    data = {
        "reference": reference,
        "manifest": manifest,
        "content": content,
        "files": [[path, *files[path]] for path in sorted(files)],
    }
    write_atomically(
        (project.root / baseline_path(project, reference)), json.dumps(data, separators=(",", ":"))
    )
    write_atomically(project.storage / "base" / "registry.yaml", registry)


def record_push(project: Project, reference: str, manifest: str, content: str) -> None:
    """Note when a reference was last pushed; nothing that is digested holds this."""
    from datetime import UTC, datetime

    path = project.storage / "state.json"
    state = read_pushes(project)
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
