"""The parts of a registry beside its entries: sets, sources, moves, the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from modelops_contracts.errors import InvalidValue
from modelops_contracts.places import Kind
from modelops_contracts.registry.entries import TargetEntry
from modelops_contracts.registry.reading import Reading, type_name, unknown_keys
from modelops_contracts.registry.writing import without_defaults


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
        return without_defaults(self, Source())


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


def set_problems(name: str, group: TargetSet, known: Mapping[str, TargetEntry]) -> list[str]:
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


def check_set(
    name: str,
    members: list[str],
    weights: Mapping[str, float],
    known: Mapping[str, TargetEntry],
) -> None:
    group = TargetSet(targets=members, weights=dict(weights))
    problems = set_problems(name, group, known)
    for key, value in weights.items():
        if isinstance(value, bool) or not 0.0 <= float(value) < float("inf"):
            problems.append(f"Target set '{name}': weight of {key} must be a finite number >= 0")
    if problems:
        unknown = [member for member in members if member not in known]
        listed = ", ".join(known if unknown else members) or "none"
        raise InvalidValue(
            "; ".join(problems), hint=f"{'registered targets' if unknown else 'members'}: {listed}"
        )


def read_set(reading: Reading, value: Any, path: str) -> TargetSet:
    node = reading.mapping(value, path)
    weights = reading.mapping(node.get("weights"), f"{path}.weights")
    return TargetSet(
        targets=list(dict.fromkeys(reading.texts(node.get("targets"), f"{path}.targets"))),
        weights={
            key: reading.number(item, f"{path}.weights.{key}", 1.0) for key, item in weights.items()
        },
        extra=unknown_keys(node, TargetSet),
    )


def _read_selection(reading: Reading, value: Any, path: str) -> Literal["all"] | list[str] | None:
    if value is None:
        return None
    return "all" if value == "all" else reading.texts(value, path)


def read_source(reading: Reading, value: Any, path: str) -> Source:
    node = reading.mapping(value, path)
    return Source(
        models=_read_selection(reading, node.get("models"), f"{path}.models"),
        targets=_read_selection(reading, node.get("targets"), f"{path}.targets"),
        exclude=reading.texts(node.get("exclude"), f"{path}.exclude"),
    )


def _read_move(reading: Reading, value: Any, path: str) -> Move:
    node = reading.mapping(value, path)
    kind = reading.choice(node.get("kind"), f"{path}.kind", ("model", "target"))
    return Move(
        kind="target" if kind == "target" else "model",
        old=reading.text(node.get("from"), f"{path}.from", required=True) or "",
        new=reading.text(node.get("to"), f"{path}.to", required=True) or "",
        old_entrypoint=reading.text(node.get("from_entrypoint"), f"{path}.from_entrypoint") or "",
        new_entrypoint=reading.text(node.get("to_entrypoint"), f"{path}.to_entrypoint") or "",
    )


def read_moves(reading: Reading, value: Any, path: str) -> list[Move]:
    if value is None:
        return []
    if not isinstance(value, list):
        reading.fail(path, f"must be a list, not {type_name(value)}")
        return []
    return [_read_move(reading, item, f"{path}[{i}]") for i, item in enumerate(value)]


def read_environment(reading: Reading, value: Any, path: str) -> EnvironmentRecord | None:
    node = reading.mapping(value, path)
    if not node:
        return None
    digest = reading.text(node.get("digest"), f"{path}.digest", required=True)
    return EnvironmentRecord(
        digest=digest or "", lock=reading.text(node.get("lock"), f"{path}.lock")
    )
