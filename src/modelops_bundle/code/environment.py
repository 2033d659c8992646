"""What a project declares about the software its models run with."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops_bundle.project.project import LOCK_FILES
from modelops_contracts.digests import file_sha256
from modelops_contracts.registry import EnvironmentRecord

PROJECT_FILE = "pyproject.toml"


@dataclass(frozen=True, slots=True)
class EnvironmentFacts:
    """The declared environment; `error` says why `pyproject.toml` could not be read."""

    record: EnvironmentRecord
    dependencies: tuple[str, ...] = ()
    requires_python: str = ""
    has_wire: bool = False
    project_file: bool = False
    error: str = ""

    @property
    def locked(self) -> bool:
        """True when a lock file pins every version."""
        return self.record.lock is not None


def read_environment(root: Path) -> EnvironmentFacts:
    """Read the lock file or, without one, the declared dependencies.

    Without a lock file the digest covers `requires-python` and the normalised, sorted
    dependencies, so that unrelated edits of `pyproject.toml` leave it alone.
    """
    data, error = _read_project_file(root / PROJECT_FILE)
    project = data.get("project", {})
    dependencies = tuple(_texts(project.get("dependencies")))
    requires = str(project.get("requires-python", ""))
    wires = project.get("entry-points", {}).get("modelops.wire", {})
    return EnvironmentFacts(
        record=_lock_record(root) or _declared_record(requires, dependencies),
        dependencies=dependencies,
        requires_python=requires,
        has_wire=bool(wires),
        project_file=(root / PROJECT_FILE).is_file(),
        error=error,
    )


def distribution_name(requirement: str) -> str:
    """Return the normalised distribution name of a requirement such as `NumPy >=2`."""
    name = re.match(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)", requirement)
    return re.sub(r"[-_.]+", "-", name.group(1)).lower() if name else ""


def _read_project_file(path: Path) -> tuple[dict[str, Any], str]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), ""
    except FileNotFoundError:
        return {}, ""
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, f"cannot parse {PROJECT_FILE}: {error}"


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _lock_record(root: Path) -> EnvironmentRecord | None:
    for name in LOCK_FILES:
        if (root / name).is_file():
            return EnvironmentRecord(digest=file_sha256(root / name), lock=name)
    return None


def _declared_record(requires: str, dependencies: tuple[str, ...]) -> EnvironmentRecord:
    declared: Mapping[str, object] = {
        "requires-python": re.sub(r"\s+", "", requires),
        "dependencies": sorted(_normalised(item) for item in dependencies),
    }
    text = json.dumps(declared, sort_keys=True, separators=(",", ":"))
    return EnvironmentRecord(digest="sha256:" + hashlib.sha256(text.encode()).hexdigest())


def _normalised(requirement: str) -> str:
    name = distribution_name(requirement)
    rest = re.sub(r"\s+", "", requirement.strip()[len(name) :])
    return name + rest
