"""One registered model or target, and the choices its author made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

from modelops_contracts.places import Kind
from modelops_contracts.registry.files import (
    digests,
    file_digest,
    invalidations,
    under,
)
from modelops_contracts.registry.reading import Reading, read_one, unknown_keys
from modelops_contracts.registry.writing import plain, without_defaults

IdOrigin = Literal["derived", "explicit"]
CodeMode = Literal["package", "files"]


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
        return without_defaults(self, Registration())


class RecordedEntry:
    """What models and targets share. The fields are declared in each, in the order of the file."""

    path: Path
    data: list[Path]
    code: list[Path]
    data_digests: dict[str, str]
    code_digests: dict[str, str]

    kind: ClassVar[Kind]
    _always: ClassVar[frozenset[str]]
    _raw: ClassVar[str]

    def __post_init__(self) -> None:
        self.path = Path(self.path)
        self.data = [Path(item) for item in self.data]
        self.code = [Path(item) for item in self.code]

    @property
    def raw_digest(self) -> str | None:
        """The recorded sha256 of the entry's own file."""
        found: str | None = getattr(self, self._raw)
        return found

    @raw_digest.setter
    def raw_digest(self, value: str | None) -> None:
        setattr(self, self._raw, value)

    def compute_digest(self, base_path: Path | None = None) -> str | None:
        """Record and return the digest of the entry's own file (None when it is missing)."""
        self.raw_digest = file_digest(under(base_path, self.path))
        return self.raw_digest

    def compute_dependency_digests(self, base_path: Path | None = None) -> None:
        """Record the digests of the data and code files that exist."""
        self.data_digests = digests(self.data, base_path)
        self.code_digests = digests(self.code, base_path)

    def check_invalidation(self, base_path: Path | None = None) -> list[str]:
        """Say which files no longer have the content that was recorded."""
        return invalidations(
            self.kind.upper(), self.path, self.raw_digest, self.data, self.data_digests,
            self.code, self.code_digests, base_path,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Return the entry as it stands in the file."""
        return _entry_to_dict(cast("Entry", self), self._always)


@dataclass(kw_only=True, slots=True)
class ModelEntry(RecordedEntry):
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
    _raw: ClassVar[str] = "model_digest"
    _always: ClassVar[frozenset[str]] = frozenset({
        "entrypoint", "path", "class_name", "scenarios", "parameters", "outputs",
        "data", "data_digests", "code", "code_digests", "model_digest",
    })  # fmt: skip

    @property
    def symbol(self) -> str:
        """The class that the entry names."""
        return self.class_name

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ModelEntry:
        """Read one entry; `InvalidInput` names every mistake with its path."""
        return read_one(data, read_model)


@dataclass(kw_only=True, slots=True)
class TargetEntry(RecordedEntry):
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
    _raw: ClassVar[str] = "target_digest"
    _always: ClassVar[frozenset[str]] = frozenset({
        "path", "entrypoint", "model_output", "data", "target_digest"
    })  # fmt: skip

    @property
    def symbol(self) -> str:
        """The function that the entry names."""
        return self.entrypoint.partition(":")[2]

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> TargetEntry:
        """Read one entry; `InvalidInput` names every mistake with its path."""
        return read_one(data, read_target)


Entry = ModelEntry | TargetEntry


def _entry_to_dict(entry: Entry, always: frozenset[str]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for item in fields(entry):
        if item.name == "extra":
            continue
        value = plain(getattr(entry, item.name))
        is_default = value in (None, [], {}) or (item.name == "weight" and value == 1.0)
        if item.name in always or not is_default:
            result[item.name] = value
    return result | entry.extra


def _read_registration(reading: Reading, value: Any, path: str) -> Registration:
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


def _shared_fields(reading: Reading, node: dict[str, Any], path: str) -> dict[str, Any]:
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


def read_model(reading: Reading, value: Any, path: str) -> ModelEntry:
    node = reading.mapping(value, path)
    return ModelEntry(
        **_shared_fields(reading, node, path),
        class_name=reading.text(node.get("class_name"), f"{path}.class_name", required=True) or "",
        scenarios=reading.texts(node.get("scenarios"), f"{path}.scenarios"),
        parameters=reading.texts(node.get("parameters"), f"{path}.parameters"),
        outputs=reading.texts(node.get("outputs"), f"{path}.outputs"),
        model_digest=reading.text(node.get("model_digest"), f"{path}.model_digest"),
        extra=unknown_keys(node, ModelEntry),
    )


def read_target(reading: Reading, value: Any, path: str) -> TargetEntry:
    node = reading.mapping(value, path)
    output = reading.text(node.get("model_output"), f"{path}.model_output", required=True)
    return TargetEntry(
        **_shared_fields(reading, node, path),
        model_output=output or "",
        target_digest=reading.text(node.get("target_digest"), f"{path}.target_digest"),
        weight=reading.number(node.get("weight"), f"{path}.weight", 1.0),
        extra=unknown_keys(node, TargetEntry),
    )


def missing_files(noun: str, key: str, entry: Entry, base: Path) -> list[str]:
    named = [("file", entry.path)]
    named += [("data file", item) for item in entry.data]
    named += [("code file", item) for item in entry.code]
    return [
        f"{noun} '{key}': {what} {path.as_posix()} not found"
        for what, path in named
        if not under(base, path).exists()
    ]
