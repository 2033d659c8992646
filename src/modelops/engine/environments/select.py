"""Chooses the environment a project's models run in. Builds nothing."""

from __future__ import annotations

import json
import platform
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from modelops.engine.environments import installed
from modelops.engine.environments.imported import find_imported
from modelops.engine.environments.own_wheel import guest_digest
from modelops.engine.environments.requirements import (
    OWN_DISTRIBUTIONS,
    closure,
    local_sources,
    normalise,
    python_fits,
    unmet,
)
from modelops.engine.environments.spec import EnvironmentSpec, import_roots, read_ready
from modelops_bundle.code.environment import EnvironmentFacts, read_environment
from modelops_contracts.digests import canonical_json, digest_bytes, environment_digest, file_sha256
from modelops_contracts.errors import InvalidInput, nearest

__all__ = ["KINDS", "ask_interpreter", "digest_of_versions", "plan_environment"]

KINDS = ("auto", "direct", "isolated")


def plan_environment(
    project_root: Path,
    *,
    kind: str = "auto",
    python: str | Path | None = None,
    cache_dir: Path | None = None,
) -> EnvironmentSpec:
    """Which interpreter will run the models of a project, and the digest of its environment.

    ``auto`` is ``direct`` when no other interpreter is asked for and this one has what
    pyproject.toml declares, else ``isolated``. ``direct`` with ``python`` is an environment
    that exists already and holds modelops. An isolated environment that has not been built yet
    has ``ready=False`` and a provisional digest: ``ensure_environment`` gives the final one. With
    ``cache_dir`` one that was built before is found. Raises InvalidInput when a ``direct``
    environment lacks a dependency, with the ones it lacks.
    """
    _check_kind(kind)
    facts = read_environment(project_root)
    if facts.error:
        raise InvalidInput(f"pyproject.toml of {project_root} cannot be read: {facts.error}")
    if kind == "direct" and python is not None:
        return _foreign(Path(python))
    if kind == "isolated" or python is not None:
        return _isolated(project_root, facts, python, cache_dir, "as asked")
    lacking = _lacking(facts)
    if not lacking:
        return _direct(project_root, facts)
    if kind == "direct":
        raise InvalidInput(
            f"this environment ({sys.prefix}) does not have {', '.join(lacking)}",
            hint="install what is missing into it, or let the project have an isolated environment",
            code="environment.unmet",
        )
    return _isolated(project_root, facts, None, cache_dir, f"needs {', '.join(lacking)}")


def digest_of_versions(python: str, platform_tag: str, versions: dict[str, str]) -> str:
    """Digest of an environment: interpreter, platform, and all that is installed but ourselves."""
    named = {normalise(name): version for name, version in versions.items()}
    return environment_digest(
        python=python,
        platform=platform_tag,
        dependencies={name: v for name, v in named.items() if name not in OWN_DISTRIBUTIONS},
        container=None,
        cuda=None,
        rng="PCG64",
        threads=1,
    )


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        close = nearest(kind, KINDS) or KINDS
        raise InvalidInput(
            f"unknown kind of environment {kind!r}", hint=f"choose from {', '.join(close)}"
        )


def _lacking(facts: EnvironmentFacts) -> list[str]:
    lacking = unmet(facts.dependencies) if facts.dependencies else []
    if facts.requires_python and not python_fits(facts.requires_python):
        lacking.insert(0, f"Python {facts.requires_python}")
    return lacking


def _direct(root: Path, facts: EnvironmentFacts) -> EnvironmentSpec:
    """What is imported without being declared can be here as well, and changes results as much."""
    declared = closure(facts.dependencies)
    imported = find_imported(root, import_roots(root), known=declared)
    versions = closure((*facts.dependencies, *imported)) if imported else declared
    return EnvironmentSpec(
        kind="direct",
        python=Path(sys.executable),
        digest=digest_of_versions(platform.python_version(), sysconfig.get_platform(), versions),
        detail=f"Python {platform.python_version()} of {sys.prefix}",
        versions=tuple(sorted(versions.items())),
    )


def _foreign(python: Path) -> EnvironmentSpec:
    """An environment made by somebody else: everything it has installed counts."""
    seen = ask_interpreter(python)
    return EnvironmentSpec(
        kind="direct",
        python=python,
        digest=digest_of_versions(seen["python"], seen["platform"], seen["versions"]),
        detail=f"Python {seen['python']} of {python}",
        versions=tuple(sorted(seen["versions"].items())),
    )


def ask_interpreter(python: Path) -> dict[str, Any]:
    """What :func:`installed.describe_interpreter` says in another interpreter."""
    source = Path(installed.__file__).read_text(encoding="utf-8")
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", source], capture_output=True, check=True, text=True
        )
    except OSError as error:
        raise InvalidInput(f"{python} cannot be started: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        last = error.stderr.strip().rpartition("\n")[2]
        raise InvalidInput(f"{python} is no Python interpreter that works: {last}") from error
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def _isolated(
    root: Path,
    facts: EnvironmentFacts,
    python: str | Path | None,
    cache_dir: Path | None,
    why: str,
) -> EnvironmentSpec:
    request = _interpreter_request(facts, python)
    lock = root / "uv.lock"
    key = _build_key(facts, lock if lock.is_file() else None, request)
    spec = EnvironmentSpec(
        kind="isolated",
        python=Path(),
        digest=key,
        detail=f"its own environment ({why})",
        ready=False,
        build_key=key,
        project=root,
        interpreter=request,
        requirements=facts.dependencies,
        lock=lock if lock.is_file() else None,
    )
    built = None if cache_dir is None else read_ready(spec, cache_dir)
    return spec if built is None else built


def _interpreter_request(facts: EnvironmentFacts, python: str | Path | None) -> str:
    """What uv is asked for: the given one, this one if it fits, else any that fits."""
    if python is not None:
        return str(python)
    if not facts.requires_python or python_fits(facts.requires_python):
        return sys.executable
    return facts.requires_python


def _build_key(facts: EnvironmentFacts, lock: Path | None, request: str) -> str:
    own = request == sys.executable
    parts: dict[str, object] = {
        "dependencies": sorted(facts.dependencies),
        "lock": None if lock is None else file_sha256(lock),
        "python": platform.python_version() if own else request,
        "platform": sysconfig.get_platform(),
        "guest": guest_digest(),
    }
    local = local_sources(facts.dependencies)
    if local:  # installed as they are now: another state is another environment
        parts["local"] = local
    return digest_bytes(b"modelops:build:v1|" + canonical_json(parts))
