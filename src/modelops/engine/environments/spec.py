"""Which interpreter runs a project's models, and under which digest results are kept."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

__all__ = ["READY_FILE", "EnvironmentSpec", "environment_folder", "import_roots", "read_ready"]

READY_FILE = "ready.json"


@dataclass(frozen=True, slots=True)
class EnvironmentSpec:
    """``python`` runs the models; ``digest`` names interpreter, platform and dependencies.

    ``kind`` is ``direct`` (an environment that is there already) or ``isolated`` (one that is
    built for ``project`` with ``interpreter``, from ``lock`` if there is one, else from its
    declared ``requirements``). ``ready`` is False while an isolated one has not been built; its
    digest is provisional until then. ``wire`` names the module with the wire functions when it
    is not the one that the environment registers.
    """

    kind: str
    python: Path
    digest: str
    detail: str = ""
    ready: bool = True
    build_key: str = ""
    project: Path | None = None
    interpreter: str = ""
    requirements: tuple[str, ...] = ()
    lock: Path | None = None
    wire: str | None = None
    versions: tuple[tuple[str, str], ...] = field(default=(), repr=False)


def import_roots(root: Path) -> tuple[str, ...]:
    """Directories the author's modules are imported from: ``src`` if it is no package, the root."""
    source = root / "src"
    if source.is_dir() and not (source / "__init__.py").exists():
        return (str(source), str(root))
    return (str(root),)


def environment_folder(spec: EnvironmentSpec, cache_dir: Path) -> Path:
    """Where an isolated environment is built."""
    return cache_dir / spec.build_key[:16]


def read_ready(spec: EnvironmentSpec, cache_dir: Path) -> EnvironmentSpec | None:
    """The spec of an isolated environment that has been built completely, else None."""
    folder = environment_folder(spec, cache_dir)
    try:
        found = json.loads((folder / READY_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    python = folder / "bin" / "python"
    if found.get("build_key") != spec.build_key or not python.exists():
        return None
    with contextlib.suppress(OSError):  # a cache that others own
        os.utime(folder / READY_FILE)  # it has been used: not to be collected
    versions = tuple(sorted((str(k), str(v)) for k, v in found["versions"].items()))
    return replace(spec, python=python, digest=found["digest"], ready=True, versions=versions)
