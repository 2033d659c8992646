"""The registry as a whole: everything that `registry.yaml` says."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from modelops_contracts.places import BUNDLE_STORAGE_DIR
from modelops_contracts.registry.entries import (
    Entry,
    ModelEntry,
    TargetEntry,
    missing_files,
    read_model,
    read_target,
)
from modelops_contracts.registry.files import module_name
from modelops_contracts.registry.ordering import put_in_order
from modelops_contracts.registry.reading import Locator, Reading, T, no_lines, unknown_keys
from modelops_contracts.registry.sections import (
    EnvironmentRecord,
    Move,
    Source,
    TargetSet,
    check_set,
    read_environment,
    read_moves,
    read_set,
    read_source,
    set_problems,
)

REGISTRY_VERSION = "1.0"


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
        put_in_order(self.models, model_id, entry)
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
        put_in_order(self.targets, target_id, entry)
        return entry

    def set_target_set(
        self, name: str, targets: Iterable[str], weights: Mapping[str, float] | None = None
    ) -> TargetSet:
        """Create or replace a target set.

        Raises `InvalidInput` (a `ValueError` too) for an unknown target, for a weight of a
        target outside the set, and for a weight that is no finite number >= 0.
        """
        members = list(dict.fromkeys(targets))
        check_set(name, members, weights or {}, self.targets)
        given = {key: float(value) for key, value in (weights or {}).items()}
        put_in_order(self.target_sets, name, TargetSet(targets=members, weights=given))
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
                    for text in missing_files("Model", key, entry, base)]  # fmt: skip
        problems += [text for key, target in self.targets.items()
                     for text in missing_files("Target", key, target, base)]  # fmt: skip
        for name, group in self.target_sets.items():
            problems += set_problems(name, group, self.targets)
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


def _optional_sections(registry: BundleRegistry) -> dict[str, Any]:
    sections: dict[str, Any] = {
        "sources": {key: source.to_dict() for key, source in registry.sources.items()},
        "moved": [move.to_dict() for move in registry.moved],
        "environment": registry.environment.to_dict() if registry.environment else None,
    }
    return {key: value for key, value in sections.items() if value}


def _read_version(reading: Reading, value: Any) -> str:
    if value in (None, REGISTRY_VERSION, 1.0):
        return REGISTRY_VERSION
    reading.fail("$.version", f"is {value!r}; this version of modelops reads {REGISTRY_VERSION!r}")
    return REGISTRY_VERSION


def _read_section(
    reading: Reading, node: Mapping[str, Any], name: str, read: Callable[[Reading, Any, str], T]
) -> dict[str, T]:
    section = reading.mapping(node.get(name), f"$.{name}")
    return {key: read(reading, item, f"$.{name}.{key}") for key, item in section.items()}


def read_registry_data(
    data: Mapping[str, Any] | None, *, locate: Locator = no_lines, what: str = "registry"
) -> BundleRegistry:
    """Build a registry from plain data, reporting all mistakes at once.

    `locate` maps a path such as `$.targets.inc.data[0]` to a line of the file, for messages.
    """
    reading = Reading(locate)
    node = reading.mapping(data, "$")
    registry = BundleRegistry(
        version=_read_version(reading, node.get("version")),
        models=_read_section(reading, node, "models", read_model),
        targets=_read_section(reading, node, "targets", read_target),
        target_sets=_read_section(reading, node, "target_sets", read_set),
        sources=_read_section(reading, node, "sources", read_source),
        moved=read_moves(reading, node.get("moved"), "$.moved"),
        environment=read_environment(reading, node.get("environment"), "$.environment"),
        extra=unknown_keys(node, BundleRegistry),
    )
    reading.raise_mistakes(what)
    return registry
