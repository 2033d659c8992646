"""Environments: a name for where jobs run and where bundles and results are kept.

``local`` is built in and needs no file. ``environments/local.yaml`` may move its bundles and its
results to other folders. Other kinds of environments are not here yet and are refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from modelops.config.paths import Paths
from modelops_contracts.errors import Detail, InvalidInput, NotFound, nearest

__all__ = ["Environment", "list_environments", "load_environment"]

_KNOWN = {"schema", "name", "kind", "registry.url", "storage.url"}


@dataclass(frozen=True, slots=True)
class Environment:
    """One place to run: bundles in ``artifacts``, results in ``results`` or in the project."""

    name: str
    kind: str
    artifacts: Path
    results: Path | None = None
    origin: str = "built in"

    def results_root(self, project_root: Path) -> Path:
        return self.results or Paths.project_results(project_root)


def list_environments(paths: Paths) -> list[str]:
    """Names that exist, ``local`` first."""
    names = {file.stem for file in paths.environments.glob("*.yaml")}
    names |= {file.stem for file in paths.older_environments.glob("*.yaml")}
    return ["local", *sorted(names - {"local"})]


def load_environment(name: str, paths: Paths) -> Environment:
    """The environment of that name.

    Raises NotFound with the nearest names, InvalidInput for a file with mistakes or of a kind that
    this version cannot run on.
    """
    built_in = Environment(name="local", kind="local", artifacts=paths.artifacts)
    known = list_environments(paths)
    if name not in known:
        near = nearest(name, known)
        raise NotFound(
            f"environment {name} not found" + (f"; nearest: {', '.join(near)}" if near else ""),
            hint="mops env list",
            code="env.not_found",
        )
    if name != "local":
        raise InvalidInput(
            f"environment {name} is not local; this version runs on this machine only",
            hint="add --env local",
            code="env.unsupported",
        )
    file = paths.environments / "local.yaml"
    return _apply_file(built_in, file) if file.is_file() else built_in


def _apply_file(environment: Environment, file: Path) -> Environment:
    tree = dict(_flatten(_read(file)))
    mistakes = [Detail(f"{file} {key}", _explain_unknown(key)) for key in tree if key not in _KNOWN]
    mistakes += [
        Detail(f"{file} {key}", f"must be {wanted!r}")
        for key, wanted in (("schema", "mops.env/1"), ("name", "local"), ("kind", "local"))
        if tree.get(key, wanted) != wanted
    ]
    places = {"artifacts": ("registry.url", "oci:"), "results": ("storage.url", "file://")}
    changes: dict[str, Any] = {"origin": str(file)}
    for name, (key, scheme) in places.items():
        url = tree.get(key)
        if url is None:
            continue
        if isinstance(url, str) and url.startswith(scheme):
            changes[name] = _folder(url, scheme)
        else:
            mistakes.append(Detail(f"{file} {key}", f"must start with {scheme} here, not {url!r}"))
    if mistakes:
        raise InvalidInput(
            f"environment local: {mistakes[0]}", code="env.invalid", details=mistakes
        )
    return replace(environment, **changes)


def _explain_unknown(key: str) -> str:
    near = nearest(key, _KNOWN, 1)
    return "unknown or not supported for a local environment" + (
        f"; did you mean {near[0]}?" if near else ""
    )


def _folder(url: str, scheme: str) -> Path:
    path = url.removeprefix(scheme) if scheme == "oci:" else unquote(urlsplit(url).path)
    return Path(path).expanduser().absolute()


def _read(file: Path) -> Mapping[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except YAMLError as error:
        raise InvalidInput(
            f"{file} is no YAML: {' '.join(str(error).split())}", code="env.invalid"
        ) from error
    if not isinstance(tree, Mapping):
        raise InvalidInput(f"{file} must hold keys and values", code="env.invalid")
    return tree


def _flatten(tree: Mapping[str, Any], prefix: str = "") -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found += _flatten(value, f"{prefix}{key}.")
        else:
            found.append((f"{prefix}{key}", value))
    return found
