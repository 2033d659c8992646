"""Rules for the content of a specification file: one description, both checked and published.

A rule checks a value read from JSON, noting every mistake with its path, and says the same as a
JSON Schema. Dataclass fields carry their rule, so that a file's reader and its schema cannot
drift apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from modelops_contracts.entrypoint import is_scenario_slug, nearest_slug, parse_entrypoint
from modelops_contracts.errors import Detail, EntrypointFormatError, InvalidInput, nearest
from modelops_contracts.frozen import MAX_UINT64

__all__ = [
    "COUNT",
    "MAPPING",
    "NAMES",
    "NOT_NEGATIVE",
    "NUMBER",
    "OBJECT_ENTRYPOINT",
    "POSITIVE_NUMBER",
    "SCALAR",
    "SCALARS",
    "SCENARIO",
    "SEED",
    "TEXT",
    "Choice",
    "Each",
    "Keys",
    "Leaf",
    "ListOf",
    "Mistakes",
    "Nullable",
    "Refused",
    "Rule",
    "keys_of",
    "ruled",
]


class Mistakes:
    """Collects what is wrong, so that all of it is said at once."""

    def __init__(self) -> None:
        self._details: list[Detail] = []

    def add(self, path: str, message: str) -> None:
        self._details.append(Detail(path, message))

    def __bool__(self) -> bool:
        return bool(self._details)

    @property
    def details(self) -> tuple[Detail, ...]:
        return tuple(self._details)

    def raise_if_any(
        self, what: str, *, kind: type[InvalidInput] = InvalidInput, hint: str | None = None
    ) -> None:
        """Raise ``kind`` with every detail; one mistake is told in one line."""
        if not self._details:
            return
        if len(self._details) == 1:
            raise kind(f"{what}: {self._details[0]}", hint=hint, details=self._details)
        lines = "".join(f"\n  {detail}" for detail in self._details)
        raise kind(f"{what}: {len(self._details)} mistakes{lines}", hint=hint, details=self.details)


class Rule(Protocol):
    """Checks a value and describes what it accepts."""

    def check(self, value: object, path: str, mistakes: Mistakes) -> None: ...

    def schema(self) -> dict[str, Any]: ...


@dataclass(frozen=True, slots=True)
class Leaf:
    """A single value: a predicate, the words for it, and its schema."""

    says: str
    accepts: Callable[[object], bool]
    json_schema: Mapping[str, Any]

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if not self.accepts(value):
            mistakes.add(path, f"must be {self.says}, not {_show(value)}")

    def schema(self) -> dict[str, Any]:
        return dict(self.json_schema)


@dataclass(frozen=True, slots=True)
class Choice:
    """One of some words."""

    words: tuple[str, ...]

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if value not in self.words:
            known = ", ".join(self.words)
            mistakes.add(
                path, f"must be one of {known}; not {_show(value)}{_meant(value, self.words)}"
            )

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@dataclass(frozen=True, slots=True)
class Refused:
    """A key that other tools write and this one does not support."""

    says: str

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        mistakes.add(path, f"{path.rpartition('.')[2]}: {self.says}")

    def schema(self) -> dict[str, Any]:
        return {"not": {}}


@dataclass(frozen=True, slots=True)
class Nullable:
    """The rule, or null."""

    rule: Rule

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if value is not None:
            self.rule.check(value, path, mistakes)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [self.rule.schema(), {"type": "null"}]}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list whose items all follow one rule."""

    rule: Rule
    at_least: int = 0

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if not isinstance(value, list | tuple):
            mistakes.add(path, f"must be a list, not {_show(value)}")
            return
        if len(value) < self.at_least:
            mistakes.add(path, "must not be empty")
        for index, item in enumerate(value):
            self.rule.check(item, f"{path}[{index}]", mistakes)

    def schema(self) -> dict[str, Any]:
        minimum = {"minItems": self.at_least} if self.at_least else {}
        return {"type": "array", "items": self.rule.schema(), **minimum}


@dataclass(frozen=True, slots=True)
class Each:
    """An object with free names whose values all follow one rule."""

    rule: Rule
    at_least: int = 0

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if not isinstance(value, Mapping):
            mistakes.add(path, f"must be an object, not {_show(value)}")
            return
        if len(value) < self.at_least:
            mistakes.add(path, "must not be empty")
        for name, item in value.items():
            self.rule.check(item, f"{path}.{name}", mistakes)

    def schema(self) -> dict[str, Any]:
        minimum = {"minProperties": self.at_least} if self.at_least else {}
        return {"type": "object", "additionalProperties": self.rule.schema(), **minimum}


@dataclass(frozen=True, slots=True)
class Keys:
    """An object with known keys; an unknown one is a mistake that names the nearest."""

    rules: Mapping[str, Rule]
    required: tuple[str, ...] = ()
    describe: Mapping[str, str] = field(default_factory=dict)

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if not isinstance(value, Mapping):
            mistakes.add(path, f"must be an object, not {_show(value)}")
            return
        for name in value:
            if name not in self.rules:
                mistakes.add(f"{path}.{name}", f"unknown key{_meant(name, self.rules)}")
        for name in self.required:
            if name not in value:
                mistakes.add(f"{path}.{name}", "is required")
        for name, rule in self.rules.items():
            if name in value:
                rule.check(value[name], f"{path}.{name}", mistakes)

    def schema(self) -> dict[str, Any]:
        known = {name: rule for name, rule in self.rules.items() if not isinstance(rule, Refused)}
        properties = {name: self._described(name, rule) for name, rule in known.items()}
        required = {"required": list(self.required)} if self.required else {}
        return {
            "type": "object",
            "properties": properties,
            **required,
            "additionalProperties": False,
        }

    def _described(self, name: str, rule: Rule) -> dict[str, Any]:
        text = self.describe.get(name)
        return {**({"description": text} if text else {}), **rule.schema()}


def ruled(rule: Rule, doc: str, *, required: bool = False) -> dict[str, Any]:
    """Metadata of a dataclass field that is read from a file."""
    return {"rule": rule, "doc": doc, "required": required}


def keys_of(cls: type) -> Keys:
    """The rule of a whole dataclass, from the metadata of its fields."""
    known = [item for item in fields(cls) if "rule" in item.metadata]
    return Keys(
        rules={item.name: item.metadata["rule"] for item in known},
        required=tuple(item.name for item in known if item.metadata["required"]),
        describe={item.name: item.metadata["doc"] for item in known},
    )


def _meant(value: object, known: Mapping[str, Any] | tuple[str, ...]) -> str:
    close = nearest(str(value), known, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _show(value: object) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    text = "null" if value is None else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


# ---------------------------------------------------------------- single values


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value.strip() != ""


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_scalar(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool | int | str)


def _is_object_entrypoint(value: object) -> bool:
    try:
        return isinstance(value, str) and ":" in value and bool(parse_entrypoint(value))
    except EntrypointFormatError:
        return False


TEXT = Leaf("text", _is_text, {"type": "string", "minLength": 1})
NUMBER = Leaf("a finite number", _is_number, {"type": "number"})
POSITIVE_NUMBER = Leaf(
    "a number above 0",
    lambda value: _is_number(value) and value > 0,  # type: ignore[operator]
    {"type": "number", "exclusiveMinimum": 0},
)
NOT_NEGATIVE = Leaf(
    "a number of at least 0",
    lambda value: _is_number(value) and value >= 0,  # type: ignore[operator]
    {"type": "number", "minimum": 0},
)
COUNT = Leaf(
    "a whole number of at least 1",
    lambda value: _is_int(value) and value >= 1,  # type: ignore[operator]
    {"type": "integer", "minimum": 1},
)
SEED = Leaf(
    "a whole number in [0, 2^64-1]",
    lambda value: _is_int(value) and 0 <= value <= MAX_UINT64,  # type: ignore[operator]
    {"type": "integer", "minimum": 0, "maximum": MAX_UINT64},
)
SCALAR = Leaf(
    "a finite number, true, false or text",
    _is_scalar,
    {"type": ["boolean", "number", "string"]},
)
OBJECT_ENTRYPOINT = Leaf(
    "an entrypoint such as targets.incidence:weekly",
    _is_object_entrypoint,
    {"type": "string", "pattern": "^[^:/]+:[^:/]+$"},
)
MAPPING = Leaf("an object", lambda value: isinstance(value, Mapping), {"type": "object"})
NAMES = ListOf(TEXT)
SCALARS = Each(SCALAR)


@dataclass(frozen=True, slots=True)
class _ScenarioRule:
    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        if not isinstance(value, str):
            mistakes.add(path, f"must be the name of a scenario, not {_show(value)}")
        elif not is_scenario_slug(value):
            mistakes.add(path, f"Invalid scenario slug: {value!r}; use {nearest_slug(value)!r}")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[a-z0-9]([a-z0-9_.-]{0,62}[a-z0-9])?$"}


SCENARIO: Rule = _ScenarioRule()
