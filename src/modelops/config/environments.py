"""Environments: a name for where jobs run and where bundles and results are kept.

``local`` is built in and needs no file; ``environments/local.yaml`` may move its bundles and its
results elsewhere. ``environments/<name>.yaml`` of kind local adds others: jobs run on this machine,
bundles are kept in a folder or in an OCI registry. Other kinds are refused by name. Files of the
existing suite (``bundle-env/<name>.yaml``) say where bundles are kept; jobs run here then, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from modelops.config.paths import Paths
from modelops.config.registries import Registry, split_address
from modelops_contracts.errors import Detail, InvalidInput, NotFound, nearest

if TYPE_CHECKING:
    from modelops_contracts.bundle_environment import StorageConfig

__all__ = ["Environment", "Registry", "list_environments", "load_environment"]

_KNOWN = {
    "schema", "name", "kind", "registry.url", "registry.plain_http", "registry.credentials",
    "registry.ca_file", "storage.url",
}  # fmt: skip
_CREDENTIALS = ("auto", "docker", "none")


@dataclass(frozen=True, slots=True)
class Environment:
    """One place to run.

    Bundles are in ``registry``, or in ``artifacts`` where there is none; results are in
    ``results`` or in the project. ``storage`` is where the existing suite kept large files of
    bundles: they are read from there.
    """

    name: str
    kind: str
    artifacts: Path
    results: Path | None = None
    origin: str = "built in"
    registry: Registry | None = None
    storage: StorageConfig | None = None

    @property
    def bundles(self) -> str:
        """Where bundles are kept, for people."""
        return str(self.registry or self.artifacts)

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
    built_in = Environment(name=name, kind="local", artifacts=paths.artifacts)
    known = list_environments(paths)
    if name not in known:
        near = nearest(name, known)
        raise NotFound(
            f"environment {name} not found" + (f"; nearest: {', '.join(near)}" if near else ""),
            hint="mops env list",
            code="env.not_found",
        )
    older = paths.older_environments / f"{name}.yaml"
    found = _apply_older_file(built_in, older) if older.is_file() else built_in
    file = paths.environments / f"{name}.yaml"
    return _apply_file(found, file) if file.is_file() else found


def _apply_older_file(environment: Environment, file: Path) -> Environment:
    from modelops.config.older_environments import read_older_environment

    found = read_older_environment(file)
    return replace(
        environment,
        registry=found.registry,
        artifacts=found.artifacts or environment.artifacts,
        storage=found.storage,
        origin=str(file),
    )


def _not_local(name: str) -> InvalidInput:
    return InvalidInput(
        f"environment {name} is not local; this version runs on this machine only",
        hint="add --env local",
        code="env.unsupported",
    )


def _apply_file(environment: Environment, file: Path) -> Environment:
    tree = dict(_flatten(_read(file)))
    name = environment.name
    if name != "local" and tree.get("kind", "local") != "local":
        raise _not_local(name)
    mistakes = [Detail(f"{file} {key}", _explain_unknown(key)) for key in tree if key not in _KNOWN]
    mistakes += [
        Detail(f"{file} {key}", f"must be {wanted!r}")
        for key, wanted in (("schema", "mops.env/1"), ("name", name), ("kind", "local"))
        if tree.get(key, wanted) != wanted
    ]
    changes: dict[str, Any] = {"origin": str(file)}
    url = tree.get("registry.url")
    if isinstance(url, str) and url.startswith("oci:"):
        changes |= {"artifacts": _folder(url, "oci:"), "registry": None}
    elif any(key.startswith("registry.") for key in tree):
        changes["registry"] = _read_registry(tree, file, environment.registry, mistakes)
    place = tree.get("storage.url")
    if isinstance(place, str) and place.startswith("file://"):
        changes["results"] = _folder(place, "file://")
    elif place is not None:
        text = f"must start with file:// here, not {place!r}"
        mistakes.append(Detail(f"{file} storage.url", text))
    if mistakes:
        raise InvalidInput(
            f"environment {name}: {mistakes[0]}", code="env.invalid", details=mistakes
        )
    return replace(environment, **changes)


def _read_registry(
    tree: Mapping[str, object], file: Path, older: Registry | None, mistakes: list[Detail]
) -> Registry | None:
    plain, credentials = tree.get("registry.plain_http"), tree.get("registry.credentials")
    ca_file = tree.get("registry.ca_file")
    if plain is not None and not isinstance(plain, bool):
        mistakes.append(Detail(f"{file} registry.plain_http", "must be true or false"))
    if credentials not in (None, *_CREDENTIALS):
        text = f"must be one of {', '.join(_CREDENTIALS)}; a password is never written here"
        mistakes.append(Detail(f"{file} registry.credentials", text))
    if ca_file is not None and not isinstance(ca_file, str):
        mistakes.append(Detail(f"{file} registry.ca_file", "must be the path of a PEM file"))
    found = _read_address(tree, file, older, mistakes)
    if found is None:
        return None
    given: dict[str, Any] = {
        "plain_http": None if plain is None else plain is True,
        "credentials": credentials,
        "ca_file": None if ca_file is None else Path(str(ca_file)).expanduser().absolute(),
    }
    return replace(found, **{key: value for key, value in given.items() if value is not None})


def _read_address(
    tree: Mapping[str, object], file: Path, older: Registry | None, mistakes: list[Detail]
) -> Registry | None:
    """The registry of this file; that of the existing suite's file where this one names none."""
    if "registry.url" not in tree:
        return older
    address = split_address(tree["registry.url"])
    if address is None:
        # The value is not repeated: it may hold a password.
        text = "must be host[:port][/prefix], or oci:<folder>; no scheme, no user name"
        mistakes.append(Detail(f"{file} registry.url", text))
        return None
    # A login belongs to the registry it was written for, and to no other.
    same = older is not None and older.host == address[0]
    return replace(older, prefix=address[1]) if older and same else Registry(*address)


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
