"""Where bundles and data are kept: one YAML file per environment, readable by its owner alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import Detail, InvalidInput, InvalidValue, MissingFile, nearest
from modelops_contracts.frozen import FrozenValue
from modelops_contracts.yaml_file import dump_yaml, parse_yaml

__all__ = [
    "DEFAULT_ENVIRONMENT",
    "ENVIRONMENTS_DIR",
    "BundleEnvironment",
    "RegistryConfig",
    "StorageConfig",
    "environments_dir",
]

DEFAULT_ENVIRONMENT = "dev"
#: The directory of the files; looked up anew on every access, because HOME may change.
ENVIRONMENTS_DIR: Path

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_REGISTRY_PROVIDERS = ("docker", "acr", "ecr", "gcr", "ghcr", "layout")
_STORAGE_PROVIDERS = ("azure", "s3", "gcs", "azurite", "minio")
_OWNER_ONLY = 0o600


def environments_dir() -> Path:
    """``~/.modelops/bundle-env`` of the user at this moment."""
    return Path.home() / ".modelops" / "bundle-env"


def __getattr__(name: str) -> Path:
    if name == "ENVIRONMENTS_DIR":
        return environments_dir()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


@dataclass(frozen=True, slots=True)
class RegistryConfig(FrozenValue):
    """An OCI registry by host, or a directory in OCI layout (provider "layout" with ``path``).

    ``plain_http``: without encryption; no login is sent to another machine then.
    """

    provider: str
    login_server: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    requires_auth: bool = False
    path: str | None = field(default=None, kw_only=True)
    plain_http: bool | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        _check_provider(self.provider, _REGISTRY_PROVIDERS, "registry")
        if self.provider == "layout" and not self.path:
            raise InvalidValue("$.registry.path: is required for provider layout")
        if self.provider != "layout" and not self.login_server:
            raise InvalidValue("$.registry.login_server: must be non-empty")


@dataclass(frozen=True, slots=True)
class StorageConfig(FrozenValue):
    """Object storage for data."""

    provider: str
    container: str
    connection_string: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        _check_provider(self.provider, _STORAGE_PROVIDERS, "storage")
        if not self.container:
            raise InvalidValue("$.storage.container: must be non-empty")


def _check_provider(provider: str, known: tuple[str, ...], section: str) -> None:
    if provider not in known:
        close = nearest(str(provider), known, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        raise InvalidValue(
            f"$.{section}.provider: must be one of {', '.join(known)}; not {provider!r}{meant}"
        )


@dataclass(frozen=True, slots=True)
class BundleEnvironment(FrozenValue):
    """A named place for bundles and data. The name is lower-cased."""

    environment: str
    registry: RegistryConfig
    storage: StorageConfig | None = None
    timestamp: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "environment", _valid_name(self.environment))

    @classmethod
    def load(cls, name: str = DEFAULT_ENVIRONMENT) -> BundleEnvironment:
        """Read an environment by name. Raises FileNotFoundError naming those that exist."""
        path = environments_dir() / f"{_valid_name(name)}.yaml"
        if path.is_file():
            return cls.from_yaml(path)
        known = cls.list_environments()
        raise MissingFile(
            f"environment {name!r} not found: {path} does not exist. "
            + (f"Known: {', '.join(known)}" if known else "Run 'mops infra up'"),
            hint=_hint_for(name, known),
        )

    @classmethod
    def from_yaml(cls, path: str | Path) -> BundleEnvironment:
        """Read an environment from a file."""
        source = Path(path)
        try:
            text = source.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise MissingFile(f"environment file not found: {source}") from None
        return _from_text(text, str(source))

    @classmethod
    def from_yaml_string(cls, text: str) -> BundleEnvironment:
        """Read an environment from text. Raises InvalidInput with every mistake and its path."""
        return _from_text(text, "environment")

    def to_yaml_string(self) -> str:
        """The text of the file, secrets included."""
        return dump_yaml(_to_data(self))

    def to_yaml(self, path: str | Path) -> None:
        """Write the file; nobody but its owner can read it, from the first byte on."""
        write_atomically(path, self.to_yaml_string(), mode=_OWNER_ONLY)

    def save(self, name: str | None = None) -> Path:
        """Write it among the user's environments, under its own name or another one."""
        named = self if name is None else replace(self, environment=name)
        path = environments_dir() / f"{named.environment}.yaml"
        named.to_yaml(path)
        return path

    @staticmethod
    def list_environments() -> list[str]:
        """Names of the environments that exist, sorted."""
        return sorted(path.stem for path in environments_dir().glob("*.yaml"))


def _valid_name(name: str) -> str:
    cleaned = name.strip().lower()
    if not _NAME.fullmatch(cleaned):
        raise InvalidValue(
            f"environment name {name!r} must start with a letter or digit and hold only "
            "a-z 0-9 . _ -"
        )
    return cleaned


def _hint_for(name: str, known: list[str]) -> str:
    close = nearest(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else "mops env list shows what there is"


def _to_data(environment: BundleEnvironment) -> dict[str, Any]:
    data: dict[str, Any] = {"environment": environment.environment}
    if environment.timestamp is not None:
        data["timestamp"] = environment.timestamp
    data["registry"] = _section_to_data(environment.registry)
    if environment.storage is not None:
        data["storage"] = _section_to_data(environment.storage)
    return data


def _section_to_data(section: RegistryConfig | StorageConfig) -> dict[str, Any]:
    values = {item.name: getattr(section, item.name) for item in fields(section)}
    return {name: value for name, value in values.items() if value not in (None, "")}


_S = TypeVar("_S", RegistryConfig, StorageConfig)


def _from_text(text: str, source: str) -> BundleEnvironment:
    data = parse_yaml(text, source)
    if not isinstance(data, Mapping):
        raise InvalidInput(f"{source}: must hold environment, registry and storage")
    details: list[Detail] = []
    _refuse_misspelled(data, ("environment", "registry", "storage", "timestamp"), "$", details)
    missing = [name for name in ("environment", "registry") if not data.get(name)]
    details.extend(Detail(f"$.{name}", "is required") for name in missing)
    registry = _read_section(RegistryConfig, data.get("registry"), "$.registry", details)
    storage = _read_section(StorageConfig, data.get("storage"), "$.storage", details)
    if details:
        lines = "; ".join(str(detail) for detail in details)
        raise InvalidValue(f"{source}: {lines}", details=details)
    assert registry is not None
    moment = data.get("timestamp")
    return BundleEnvironment(
        environment=str(data["environment"]),
        registry=registry,
        storage=storage,
        timestamp=None if moment is None else _moment_as_text(moment),
    )


def _read_section(cls: type[_S], data: object, path: str, details: list[Detail]) -> _S | None:
    if data is None:
        return None
    if not isinstance(data, Mapping):
        details.append(Detail(path, "must be a section with keys"))
        return None
    known = tuple(item.name for item in fields(cls))
    _refuse_misspelled(data, known, path, details)
    missing = [name for name in ("provider", "container") if name in known and not data.get(name)]
    details.extend(Detail(f"{path}.{name}", "is required") for name in missing)
    if missing:
        return None
    try:
        return cls(**{name: _as_written(data[name]) for name in known if name in data})
    except InvalidValue as error:
        where, _, what = error.message.partition(": ")
        details.append(Detail(where, what))
        return None


def _as_written(value: object) -> Any:
    return value if value is None or isinstance(value, bool | str) else str(value)


def _refuse_misspelled(
    data: Mapping[Any, Any], known: tuple[str, ...], path: str, details: list[Detail]
) -> None:
    """Other tools keep keys of their own here; only what looks like one of ours is a mistake."""
    for name in data:
        close = [word for word in nearest(str(name), known, n=1) if word not in data]
        if name not in known and close:
            details.append(Detail(f"{path}.{name}", f"unknown key; did you mean {close[0]!r}?"))


def _moment_as_text(moment: object) -> str:
    isoformat = getattr(moment, "isoformat", None)
    return str(isoformat()) if callable(isoformat) else str(moment)
