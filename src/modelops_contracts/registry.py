"""The model registry: which models, targets and target sets a project offers.

The values here are plain and, unlike every other value of this package, mutable: registering
and refreshing edit them before they are saved. Reading and writing the YAML file itself, with
its comments kept, is the business of `modelops_contracts.yaml_file`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal, Protocol, TypeVar, runtime_checkable

from modelops_contracts.errors import Detail, InvalidInput, InvalidValue
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_FILE, REGISTRY_PATH, Kind

__all__ = [
    "BUNDLE_STORAGE_DIR",
    "REGISTRY_FILE",
    "REGISTRY_PATH",
    "REGISTRY_VERSION",
    "BundleRegistry",
    "CodeMode",
    "Entry",
    "EnvironmentRecord",
    "IdOrigin",
    "Kind",
    "Locator",
    "ModelEntry",
    "Move",
    "Registration",
    "RegistryReader",
    "Source",
    "TargetEntry",
    "TargetSet",
    "discover_model_classes",
    "discover_model_outputs",
    "discover_target_functions",
    "file_digest",
    "module_name",
    "project_of",
    "read_registry_data",
]

REGISTRY_VERSION = "1.0"

IdOrigin = Literal["derived", "explicit"]
CodeMode = Literal["package", "files"]
Locator = Callable[[str], int | None]
T = TypeVar("T")


def file_digest(path: Path) -> str | None:
    """Return `sha256:<hex>` of a file's bytes, or None when there is no such file."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def module_name(path: Path | str) -> str:
    """Return the importable module name of a Python file.

    The suffix and one leading `src/` are dropped; an absolute path is first made relative to
    the working directory, and outside of it only the file's stem is used.
    """
    file = Path(str(path).replace("\\", "/"))
    if file.is_absolute():
        here = Path.cwd()
        file = file.relative_to(here) if file.is_relative_to(here) else Path(file.name)
    parts = [part for part in file.with_suffix("").parts if part != "."]
    if len(parts) > 1 and parts[0] == "src":
        parts = parts[1:]
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


@dataclass(kw_only=True, slots=True)
class Registration:
    """What the user chose when registering; replayed by every later refresh."""

    id: IdOrigin = "derived"
    data: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    model_output: str | None = None
    auto_code: bool = True
    auto_data: bool = True
    code_mode: CodeMode = "package"

    def to_dict(self) -> dict[str, Any]:
        """Return the choices that differ from the defaults."""
        return _without_defaults(self, Registration())


@dataclass(kw_only=True, slots=True)
class ModelEntry:
    """One registered model; paths are relative to the project root."""

    entrypoint: str
    path: Path
    class_name: str
    scenarios: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    data: list[Path] = field(default_factory=list)
    data_digests: dict[str, str] = field(default_factory=dict)
    code: list[Path] = field(default_factory=list)
    code_digests: dict[str, str] = field(default_factory=dict)
    model_digest: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    fingerprint: str | None = None
    body: str | None = None
    code_fingerprints: dict[str, str] = field(default_factory=dict)
    digest: str | None = None
    registration: Registration = field(default_factory=Registration)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    kind: ClassVar[Kind] = "model"
    _always: ClassVar[frozenset[str]] = frozenset({
        "entrypoint", "path", "class_name", "scenarios", "parameters", "outputs",
        "data", "data_digests", "code", "code_digests", "model_digest",
    })  # fmt: skip

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.data = [Path(item) for item in self.data]
        self.code = [Path(item) for item in self.code]

    @property
    def symbol(self) -> str:
        """The class that the entry names."""
        return self.class_name

    @property
    def raw_digest(self) -> str | None:
        """The recorded sha256 of the entry's own file."""
        return self.model_digest

    @raw_digest.setter
    def raw_digest(self, value: str | None) -> None:
        self.model_digest = value

    def compute_digest(self, base_path: Path | None = None) -> str | None:
        """Record and return the digest of the model's own file (None when it is missing)."""
        self.model_digest = file_digest(_under(base_path, self.path))
        return self.model_digest

    def compute_dependency_digests(self, base_path: Path | None = None) -> None:
        """Record the digests of the data and code files that exist."""
        self.data_digests = _digests(self.data, base_path)
        self.code_digests = _digests(self.code, base_path)

    def check_invalidation(self, base_path: Path | None = None) -> list[str]:
        """Say which files no longer have the content that was recorded."""
        return _invalidations(
            "MODEL", self.path, self.model_digest, self.data, self.data_digests,
            self.code, self.code_digests, base_path,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as it stands in the file."""
        return _entry_to_dict(self, self._always)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelEntry:
        """Read one entry; `InvalidInput` names every mistake with its path."""
        return _read_one(data, _read_model)


@dataclass(kw_only=True, slots=True)
class TargetEntry:
    """One registered calibration target; paths are relative to the project root."""

    path: Path
    entrypoint: str
    model_output: str
    data: list[Path] = field(default_factory=list)
    target_digest: str | None = None
    data_digests: dict[str, str] = field(default_factory=dict)
    code: list[Path] = field(default_factory=list)
    code_digests: dict[str, str] = field(default_factory=dict)
    weight: float = 1.0
    labels: dict[str, str] = field(default_factory=dict)
    fingerprint: str | None = None
    body: str | None = None
    code_fingerprints: dict[str, str] = field(default_factory=dict)
    digest: str | None = None
    registration: Registration = field(default_factory=Registration)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    kind: ClassVar[Kind] = "target"
    _always: ClassVar[frozenset[str]] = frozenset({
        "path", "entrypoint", "model_output", "data", "target_digest"
    })  # fmt: skip

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.data = [Path(item) for item in self.data]
        self.code = [Path(item) for item in self.code]

    @property
    def symbol(self) -> str:
        """The function that the entry names."""
        return self.entrypoint.partition(":")[2]

    @property
    def raw_digest(self) -> str | None:
        """The recorded sha256 of the entry's own file."""
        return self.target_digest

    @raw_digest.setter
    def raw_digest(self, value: str | None) -> None:
        self.target_digest = value

    def compute_digest(self, base_path: Path | None = None) -> str | None:
        """Record and return the digest of the target's own file (None when it is missing)."""
        self.target_digest = file_digest(_under(base_path, self.path))
        return self.target_digest

    def compute_dependency_digests(self, base_path: Path | None = None) -> None:
        """Record the digests of the data and code files that exist."""
        self.data_digests = _digests(self.data, base_path)
        self.code_digests = _digests(self.code, base_path)

    def check_invalidation(self, base_path: Path | None = None) -> list[str]:
        """Say which files no longer have the content that was recorded."""
        return _invalidations(
            "TARGET", self.path, self.target_digest, self.data, self.data_digests,
            self.code, self.code_digests, base_path,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as it stands in the file."""
        return _entry_to_dict(self, self._always)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TargetEntry:
        """Read one entry; `InvalidInput` names every mistake with its path."""
        return _read_one(data, _read_target)


Entry = ModelEntry | TargetEntry


@dataclass(kw_only=True, slots=True)
class TargetSet:
    """A named choice of targets; a weight given here overrides the target's own."""

    targets: list[str] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return the set as it stands in the file."""
        return {"targets": list(self.targets), "weights": dict(self.weights), **self.extra}


@dataclass(kw_only=True, slots=True)
class Source:
    """What of one file the user selected: everything, some names, or nothing of a kind."""

    models: Literal["all"] | list[str] | None = None
    targets: Literal["all"] | list[str] | None = None
    exclude: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the selection as it stands in the file."""
        return _without_defaults(self, Source())


@dataclass(frozen=True, kw_only=True, slots=True)
class Move:
    """One id that gave way to another."""

    kind: Kind
    old: str
    new: str
    old_entrypoint: str = ""
    new_entrypoint: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the move as it stands in the file."""
        return {
            "kind": self.kind, "from": self.old, "to": self.new,
            "from_entrypoint": self.old_entrypoint, "to_entrypoint": self.new_entrypoint,
        }  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentRecord:
    """What the entries' environment digest was computed from."""

    digest: str
    lock: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the record as it stands in the file."""
        return {"lock": self.lock, "digest": self.digest} if self.lock else {"digest": self.digest}


@runtime_checkable
class RegistryReader(Protocol):
    """The part of a registry that readers of bundles need."""

    @property
    def models(self) -> Mapping[str, ModelEntry]: ...

    @property
    def targets(self) -> Mapping[str, TargetEntry]: ...

    def get_all_dependencies(self) -> list[Path]: ...


@dataclass(kw_only=True, slots=True)
class BundleRegistry:
    """Everything `registry.yaml` says."""

    version: str = REGISTRY_VERSION
    models: dict[str, ModelEntry] = field(default_factory=dict)
    targets: dict[str, TargetEntry] = field(default_factory=dict)
    target_sets: dict[str, TargetSet] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    moved: list[Move] = field(default_factory=list)
    environment: EnvironmentRecord | None = None
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
    loaded_from: Path | None = field(default=None, repr=False, compare=False)

    def add_model(
        self,
        model_id: str,
        path: Path | str,
        class_name: str,
        outputs: Iterable[str] | None = None,
        data: Iterable[Path | str] | None = None,
        code: Iterable[Path | str] | None = None,
    ) -> ModelEntry:
        """Add or replace a model; its entrypoint follows from the path and the class."""
        entry = ModelEntry(
            entrypoint=f"{module_name(path)}:{class_name}",
            path=Path(path),
            class_name=class_name,
            outputs=list(outputs or ()),
            data=[Path(item) for item in data or ()],
            code=[Path(item) for item in code or ()],
        )
        self.models[model_id] = entry
        return entry

    def add_target(
        self,
        target_id: str,
        path: Path | str,
        entrypoint: str,
        model_output: str,
        data: Iterable[Path | str] | None = None,
    ) -> TargetEntry:
        """Add or replace a target."""
        entry = TargetEntry(
            path=Path(path),
            entrypoint=entrypoint,
            model_output=model_output,
            data=[Path(item) for item in data or ()],
        )
        self.targets[target_id] = entry
        return entry

    def set_target_set(
        self, name: str, targets: Iterable[str], weights: Mapping[str, float] | None = None
    ) -> TargetSet:
        """Create or replace a target set.

        Raises `InvalidInput` (a `ValueError` too) for an unknown target, for a weight of a
        target outside the set, and for a weight that is no finite number >= 0.
        """
        members = list(dict.fromkeys(targets))
        _check_set(name, members, weights or {}, self.targets)
        self.target_sets[name] = TargetSet(
            targets=members, weights={key: float(value) for key, value in (weights or {}).items()}
        )
        return self.target_sets[name]

    def delete_target_set(self, name: str) -> bool:
        """Remove a set; say whether there was one."""
        return self.target_sets.pop(name, None) is not None

    def remove_target_from_sets(self, target_id: str) -> list[str]:
        """Take a target out of every set; return the sets it left."""
        left = [name for name, group in self.target_sets.items() if target_id in group.targets]
        for name in left:
            group = self.target_sets[name]
            group.targets = [item for item in group.targets if item != target_id]
            group.weights.pop(target_id, None)
        return left

    def validate(self, base_path: Path | None = None) -> list[str]:
        """Check files and references; each text names what it is about."""
        base = base_path or project_of(self.loaded_from) or Path.cwd()
        problems = [text for key, entry in self.models.items()
                    for text in _missing_files("Model", key, entry, base)]  # fmt: skip
        problems += [text for key, target in self.targets.items()
                     for text in _missing_files("Target", key, target, base)]  # fmt: skip
        for name, group in self.target_sets.items():
            problems += _set_problems(name, group, self.targets)
        return problems

    def get_all_dependencies(self) -> list[Path]:
        """Every file that some entry names, sorted."""
        found: set[Path] = set()
        entries: list[Entry] = [*self.models.values(), *self.targets.values()]
        for entry in entries:
            found.update((entry.path, *entry.data, *entry.code))
        return sorted(found)

    def save(self, path: Path | str) -> None:
        """Write the file atomically, keeping its comments, order and unknown keys."""
        from modelops_contracts.yaml_file import write_yaml

        write_yaml(Path(path), self.to_dict(), template=self.loaded_from)

    @classmethod
    def load(cls, path: Path | str) -> BundleRegistry:
        """Read a file; an empty one is an empty registry.

        Raises `NotFound` without a file and `InvalidInput`, with line numbers, for a file that
        is not a registry.
        """
        from modelops_contracts.yaml_file import line_of, parse_yaml, read_yaml_text

        file = Path(path)
        text = read_yaml_text(file)
        registry = read_registry_data(
            parse_yaml(text, str(file)), locate=lambda where: line_of(text, where), what=str(file)
        )
        registry.loaded_from = file
        return registry

    def to_dict(self) -> dict[str, Any]:
        """Return plain data in the order of the file."""
        return {
            "version": self.version,
            "models": {key: entry.to_dict() for key, entry in self.models.items()},
            "targets": {key: entry.to_dict() for key, entry in self.targets.items()},
            "target_sets": {key: group.to_dict() for key, group in self.target_sets.items()},
            **_optional_sections(self),
            **self.extra,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any] | None) -> BundleRegistry:
        """Read plain data; `InvalidInput` lists every mistake with its path."""
        return read_registry_data(data)


def project_of(registry_path: Path | None) -> Path | None:
    """Return the project directory that a registry file belongs to."""
    if registry_path is None:
        return None
    folder = registry_path.parent
    return folder.parent if folder.name == BUNDLE_STORAGE_DIR else folder


# --- discovery without importing -------------------------------------------------------------


def discover_model_classes(path: Path | str) -> list[tuple[str, list[str]]]:
    """Return the model classes of a file with their bases as written, without importing it."""
    from modelops_contracts.discovery import list_models, scan_file

    return [(model.name, list(model.bases)) for model in list_models(scan_file(Path(path)))]


def discover_model_outputs(path: Path | str) -> dict[str, list[str]]:
    """Return the outputs of each model class of a file, without importing it."""
    from modelops_contracts.discovery import list_models, scan_file

    return {model.name: list(model.outputs) for model in list_models(scan_file(Path(path)))}


def discover_target_functions(path: Path | str) -> list[tuple[str, dict[str, Any]]]:
    """Return the target functions of a file with their decorator's arguments.

    A value that cannot be read without running the file is given as its source text.
    """
    from modelops_contracts.discovery import list_targets, scan_file

    return [(target.name, target.arguments()) for target in list_targets(scan_file(Path(path)))]


# --- writing ---------------------------------------------------------------------------------


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    if isinstance(value, Registration):
        return value.to_dict()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _without_defaults(value: Any, default: Any) -> dict[str, Any]:
    return {
        item.name: _plain(getattr(value, item.name))
        for item in fields(value)
        if getattr(value, item.name) != getattr(default, item.name)
    }


def _entry_to_dict(entry: Entry, always: frozenset[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for item in fields(entry):
        if item.name == "extra":
            continue
        value = _plain(getattr(entry, item.name))
        is_default = value in (None, [], {}) or (item.name == "weight" and value == 1.0)
        if item.name in always or not is_default:
            result[item.name] = value
    return result | entry.extra


def _optional_sections(registry: BundleRegistry) -> dict[str, Any]:
    sections: dict[str, Any] = {
        "sources": {key: source.to_dict() for key, source in registry.sources.items()},
        "moved": [move.to_dict() for move in registry.moved],
        "environment": registry.environment.to_dict() if registry.environment else None,
    }
    return {key: value for key, value in sections.items() if value}


# --- checking --------------------------------------------------------------------------------


def _under(base: Path | None, path: Path) -> Path:
    return (base or Path.cwd()) / path


def _digests(paths: Iterable[Path], base: Path | None) -> dict[str, str]:
    found = ((path.as_posix(), file_digest(_under(base, path))) for path in paths)
    return {name: digest for name, digest in found if digest is not None}


def _invalidation(label: str, path: Path, recorded: str | None, base: Path | None) -> str | None:
    current = file_digest(_under(base, path))
    if current is None:
        return f"{label} {path.as_posix()}: file missing"
    if recorded is None:
        return f"{label} {path.as_posix()}: no digest stored"
    return None if current == recorded else f"{label} {path.as_posix()}: content changed"


def _invalidations(
    own_label: str,
    own: Path,
    own_digest: str | None,
    data: Iterable[Path],
    data_digests: Mapping[str, str],
    code: Iterable[Path],
    code_digests: Mapping[str, str],
    base: Path | None,
) -> list[str]:
    found = [_invalidation(own_label, own, own_digest, base)]
    for label, paths, digests in (("DATA", data, data_digests), ("CODE", code, code_digests)):
        found += [_invalidation(label, item, digests.get(item.as_posix()), base) for item in paths]
    return [text for text in found if text is not None]


def _missing_files(noun: str, key: str, entry: Entry, base: Path) -> list[str]:
    named = [("file", entry.path)]
    named += [("data file", item) for item in entry.data]
    named += [("code file", item) for item in entry.code]
    return [
        f"{noun} '{key}': {what} {path.as_posix()} not found"
        for what, path in named
        if not _under(base, path).exists()
    ]


def _set_problems(name: str, group: TargetSet, known: Mapping[str, TargetEntry]) -> list[str]:
    unknown = [item for item in group.targets if item not in known]
    strangers = [item for item in group.weights if item not in group.targets]
    problems = []
    if unknown:
        problems.append(f"Target set '{name}': unknown targets: {', '.join(unknown)}")
    if strangers:
        problems.append(
            f"Target set '{name}': weights configured for non-member {', '.join(strangers)}"
        )
    return problems


def _check_set(
    name: str,
    members: list[str],
    weights: Mapping[str, float],
    known: Mapping[str, TargetEntry],
) -> None:
    group = TargetSet(targets=members, weights=dict(weights))
    problems = _set_problems(name, group, known)
    for key, value in weights.items():
        if isinstance(value, bool) or not 0.0 <= float(value) < float("inf"):
            problems.append(f"Target set '{name}': weight of {key} must be a finite number >= 0")
    if problems:
        listed = ", ".join(known) or "none"
        raise InvalidValue("; ".join(problems), hint=f"registered targets: {listed}")


# --- reading ---------------------------------------------------------------------------------


def _no_lines(_path: str) -> int | None:
    return None


class _Reading:
    """Reads nested plain data and remembers every mistake with its place."""

    def __init__(self, locate: Locator = _no_lines) -> None:
        self.mistakes: list[Detail] = []
        self._locate = locate

    def fail(self, path: str, message: str) -> None:
        line = self._locate(path)
        where = f" (line {line})" if line is not None else ""
        self.mistakes.append(Detail(path, message + where))

    def raise_mistakes(self, what: str) -> None:
        if self.mistakes:
            listed = "; ".join(f"{item.path}: {item.message}" for item in self.mistakes)
            raise InvalidInput(f"{what}: {listed}", details=tuple(self.mistakes))

    def mapping(self, value: Any, path: str) -> dict[str, Any]:
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.fail(path, f"must be a mapping, not {_type_name(value)}")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.fail(path, f"key {key!r} must be text (put it in quotes)")
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def text(self, value: Any, path: str, *, required: bool = False) -> str | None:
        if value is None and not required:
            return None
        if not isinstance(value, str) or (required and not value):
            found = "missing" if value in (None, "") else f"not {_type_name(value)}"
            self.fail(path, f"must be text, {found}")
            return None
        return value

    def texts(self, value: Any, path: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.fail(path, f"must be a list, not {_type_name(value)}")
            return []
        found = [self.text(item, f"{path}[{i}]", required=True) for i, item in enumerate(value)]
        return [item for item in found if item is not None]

    def text_map(self, value: Any, path: str) -> dict[str, str]:
        found = {
            key: self.text(item, f"{path}.{key}") for key, item in self.mapping(value, path).items()
        }
        return {key: item for key, item in found.items() if item is not None}

    def number(self, value: Any, path: str, default: float) -> float:
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.fail(path, f"must be a number, not {_type_name(value)}")
            return default
        if not 0.0 <= value < float("inf"):
            self.fail(path, f"must be a finite number >= 0, not {value!r}")
            return default
        return float(value)

    def flag(self, value: Any, path: str, *, default: bool) -> bool:
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fail(path, f"must be true or false, not {_type_name(value)}")
            return default
        return value

    def choice(self, value: Any, path: str, allowed: tuple[str, ...]) -> str:
        if value is None:
            return allowed[0]
        if value not in allowed:
            self.fail(path, f"must be one of {', '.join(allowed)}, not {value!r}")
            return allowed[0]
        return str(value)

    def paths(self, value: Any, path: str) -> list[Path]:
        return [Path(PurePosixPath(item.replace("\\", "/"))) for item in self.texts(value, path)]


def _type_name(value: Any) -> str:
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text"}
    if value is None:
        return "empty"
    for kind, name in names.items():
        if isinstance(value, kind):
            return name
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def _read_registration(reading: _Reading, value: Any, path: str) -> Registration:
    node = reading.mapping(value, path)
    known = {item.name for item in fields(Registration)}
    for key in node.keys() - known:
        reading.fail(f"{path}.{key}", "unknown key")
    origin = reading.choice(node.get("id"), f"{path}.id", ("derived", "explicit"))
    mode = reading.choice(node.get("code_mode"), f"{path}.code_mode", ("package", "files"))
    return Registration(
        id="explicit" if origin == "explicit" else "derived",
        data=reading.texts(node.get("data"), f"{path}.data"),
        code=reading.texts(node.get("code"), f"{path}.code"),
        labels=reading.text_map(node.get("labels"), f"{path}.labels"),
        model_output=reading.text(node.get("model_output"), f"{path}.model_output"),
        auto_code=reading.flag(node.get("auto_code"), f"{path}.auto_code", default=True),
        auto_data=reading.flag(node.get("auto_data"), f"{path}.auto_data", default=True),
        code_mode="files" if mode == "files" else "package",
    )


def _shared_fields(reading: _Reading, node: dict[str, Any], path: str) -> dict[str, Any]:
    return {
        "entrypoint": reading.text(node.get("entrypoint"), f"{path}.entrypoint", required=True)
        or "",
        "path": Path(reading.text(node.get("path"), f"{path}.path", required=True) or "."),
        "data": reading.paths(node.get("data"), f"{path}.data"),
        "data_digests": reading.text_map(node.get("data_digests"), f"{path}.data_digests"),
        "code": reading.paths(node.get("code"), f"{path}.code"),
        "code_digests": reading.text_map(node.get("code_digests"), f"{path}.code_digests"),
        "labels": reading.text_map(node.get("labels"), f"{path}.labels"),
        "fingerprint": reading.text(node.get("fingerprint"), f"{path}.fingerprint"),
        "body": reading.text(node.get("body"), f"{path}.body"),
        "code_fingerprints": reading.text_map(
            node.get("code_fingerprints"), f"{path}.code_fingerprints"
        ),
        "digest": reading.text(node.get("digest"), f"{path}.digest"),
        "registration": _read_registration(
            reading, node.get("registration"), f"{path}.registration"
        ),
    }


def _unknown_keys(node: Mapping[str, Any], kind: type) -> dict[str, Any]:
    known = {item.name for item in fields(kind)} - {"extra", "loaded_from"}
    return {key: value for key, value in node.items() if key not in known}


def _read_model(reading: _Reading, value: Any, path: str) -> ModelEntry:
    node = reading.mapping(value, path)
    return ModelEntry(
        **_shared_fields(reading, node, path),
        class_name=reading.text(node.get("class_name"), f"{path}.class_name", required=True) or "",
        scenarios=reading.texts(node.get("scenarios"), f"{path}.scenarios"),
        parameters=reading.texts(node.get("parameters"), f"{path}.parameters"),
        outputs=reading.texts(node.get("outputs"), f"{path}.outputs"),
        model_digest=reading.text(node.get("model_digest"), f"{path}.model_digest"),
        extra=_unknown_keys(node, ModelEntry),
    )


def _read_target(reading: _Reading, value: Any, path: str) -> TargetEntry:
    node = reading.mapping(value, path)
    output = reading.text(node.get("model_output"), f"{path}.model_output", required=True)
    return TargetEntry(
        **_shared_fields(reading, node, path),
        model_output=output or "",
        target_digest=reading.text(node.get("target_digest"), f"{path}.target_digest"),
        weight=reading.number(node.get("weight"), f"{path}.weight", 1.0),
        extra=_unknown_keys(node, TargetEntry),
    )


def _read_set(reading: _Reading, value: Any, path: str) -> TargetSet:
    node = reading.mapping(value, path)
    weights = reading.mapping(node.get("weights"), f"{path}.weights")
    return TargetSet(
        targets=list(dict.fromkeys(reading.texts(node.get("targets"), f"{path}.targets"))),
        weights={
            key: reading.number(item, f"{path}.weights.{key}", 1.0) for key, item in weights.items()
        },
        extra=_unknown_keys(node, TargetSet),
    )


def _read_selection(reading: _Reading, value: Any, path: str) -> Literal["all"] | list[str] | None:
    if value is None:
        return None
    return "all" if value == "all" else reading.texts(value, path)


def _read_source(reading: _Reading, value: Any, path: str) -> Source:
    node = reading.mapping(value, path)
    return Source(
        models=_read_selection(reading, node.get("models"), f"{path}.models"),
        targets=_read_selection(reading, node.get("targets"), f"{path}.targets"),
        exclude=reading.texts(node.get("exclude"), f"{path}.exclude"),
    )


def _read_move(reading: _Reading, value: Any, path: str) -> Move:
    node = reading.mapping(value, path)
    kind = reading.choice(node.get("kind"), f"{path}.kind", ("model", "target"))
    return Move(
        kind="target" if kind == "target" else "model",
        old=reading.text(node.get("from"), f"{path}.from", required=True) or "",
        new=reading.text(node.get("to"), f"{path}.to", required=True) or "",
        old_entrypoint=reading.text(node.get("from_entrypoint"), f"{path}.from_entrypoint") or "",
        new_entrypoint=reading.text(node.get("to_entrypoint"), f"{path}.to_entrypoint") or "",
    )


def _read_moves(reading: _Reading, value: Any, path: str) -> list[Move]:
    if value is None:
        return []
    if not isinstance(value, list):
        reading.fail(path, f"must be a list, not {_type_name(value)}")
        return []
    return [_read_move(reading, item, f"{path}[{i}]") for i, item in enumerate(value)]


def _read_environment(reading: _Reading, value: Any, path: str) -> EnvironmentRecord | None:
    node = reading.mapping(value, path)
    if not node:
        return None
    digest = reading.text(node.get("digest"), f"{path}.digest", required=True)
    return EnvironmentRecord(
        digest=digest or "", lock=reading.text(node.get("lock"), f"{path}.lock")
    )


def _read_version(reading: _Reading, value: Any) -> str:
    if value in (None, REGISTRY_VERSION, 1.0):
        return REGISTRY_VERSION
    reading.fail("$.version", f"is {value!r}; this version of modelops reads {REGISTRY_VERSION!r}")
    return REGISTRY_VERSION


def _read_section(
    reading: _Reading, node: Mapping[str, Any], name: str, read: Callable[[_Reading, Any, str], T]
) -> dict[str, T]:
    section = reading.mapping(node.get(name), f"$.{name}")
    return {key: read(reading, item, f"$.{name}.{key}") for key, item in section.items()}


def _read_one(data: Mapping[str, Any], read: Callable[[_Reading, Any, str], T]) -> T:
    reading = _Reading()
    entry = read(reading, data, "$")
    reading.raise_mistakes("registry entry")
    return entry


def read_registry_data(
    data: Mapping[str, Any] | None, *, locate: Locator = _no_lines, what: str = "registry"
) -> BundleRegistry:
    """Build a registry from plain data, reporting all mistakes at once.

    `locate` maps a path such as `$.targets.inc.data[0]` to a line of the file, for messages.
    """
    reading = _Reading(locate)
    node = reading.mapping(data, "$")
    registry = BundleRegistry(
        version=_read_version(reading, node.get("version")),
        models=_read_section(reading, node, "models", _read_model),
        targets=_read_section(reading, node, "targets", _read_target),
        target_sets=_read_section(reading, node, "target_sets", _read_set),
        sources=_read_section(reading, node, "sources", _read_source),
        moved=_read_moves(reading, node.get("moved"), "$.moved"),
        environment=_read_environment(reading, node.get("environment"), "$.environment"),
        extra=_unknown_keys(node, BundleRegistry),
    )
    reading.raise_mistakes(what)
    return registry
