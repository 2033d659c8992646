"""The calibration targets of a source file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from modelops_contracts.discovery.constants import read_constant
from modelops_contracts.discovery.facts import (
    Lookup,
    ModuleFacts,
    Note,
    Scope,
    dotted_parts,
    no_other_files,
)
from modelops_contracts.discovery.names import resolve
from modelops_contracts.errors import InvalidInput

_TARGET_POSITIONS = ("model_output", "data")
_PLAIN_ARGUMENTS = ("sim_returns", "target_data")


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A top-level function decorated as a calibration target, or (``plain``) one of the older form:
    ``f(sim_returns, target_data)`` without a decorator, which is registered by its name alone."""

    name: str
    path: str
    line: int
    explicit_name: str | None = None
    model_output: str | None = None
    data: tuple[str, ...] = ()
    weight: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)
    plain: bool = False

    @property
    def selectable(self) -> bool:
        """True when the function is registered without being named."""
        return not (self.plain or self.name.startswith("_"))

    def arguments(self) -> dict[str, Any]:
        """Return the decorator's arguments; source text where they cannot be read."""
        return dict(self.raw)


def list_targets(facts: ModuleFacts, lookup: Lookup = no_other_files) -> list[FoundTarget]:
    """Return the target functions of a file in source order, those of the older form as well."""
    found = []
    for name, bindings in facts.bindings.items():
        node = bindings[-1].node
        if not isinstance(node, Scope):
            continue
        for decorator in node.decorator_list:
            if _is_target_decorator(decorator, facts, lookup):
                found.append(_describe_target(name, node, decorator, facts, lookup))
                break
        else:
            if _is_plain(node):
                found.append(FoundTarget(name, facts.path, node.lineno, plain=True))
    return found


def _is_plain(node: Scope) -> bool:
    """By the names of its two arguments, which the older suite's documentation gave them."""
    if not isinstance(node, ast.FunctionDef):
        return False
    return tuple(item.arg for item in node.args.args) == _PLAIN_ARGUMENTS


def _is_target_decorator(decorator: ast.expr, facts: ModuleFacts, lookup: Lookup) -> bool:
    parts = dotted_parts(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if parts is None:
        return False
    return resolve(parts, facts, lookup).name.rpartition(".")[2] == "calibration_target"


def _describe_target(
    name: str, node: Scope, decorator: ast.expr, facts: ModuleFacts, lookup: Lookup
) -> FoundTarget:
    notes: list[Note] = []
    values: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    for key, expression in _decorator_arguments(decorator, notes):
        try:
            values[key] = raw[key] = read_constant(expression, facts, lookup)
        except InvalidInput as error:
            raw[key] = ast.unparse(expression)
            notes.append(Note("unreadable_value", expression.lineno, f"{key}: {error}"))
    return FoundTarget(
        name=name,
        path=facts.path,
        line=node.lineno,
        explicit_name=_text_value(values, "name", node.lineno, notes),
        model_output=_text_value(values, "model_output", node.lineno, notes),
        data=_data_value(values.get("data"), node.lineno, notes),
        weight=_weight_value(values.get("weight"), node.lineno, notes),
        labels=_labels_value(values.get("labels"), node.lineno, notes),
        notes=tuple(notes),
        raw={key: _plain_value(value) for key, value in raw.items()},
    )


def _decorator_arguments(decorator: ast.expr, notes: list[Note]) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(decorator, ast.Call):
        return
    yield from zip(_TARGET_POSITIONS, decorator.args, strict=False)
    for item in decorator.keywords:
        if item.arg is None:
            notes.append(
                Note("unreadable_value", decorator.lineno,
                     f"**{ast.unparse(item.value)} in the decorator is not read")
            )  # fmt: skip
        else:
            yield item.arg, item.value


def _bad_value(key: str, value: Any, wanted: str, line: int, notes: list[Note]) -> None:
    notes.append(Note("unreadable_value", line, f"{key} must be {wanted}, not {value!r}"))


def _text_value(values: Mapping[str, Any], key: str, line: int, notes: list[Note]) -> str | None:
    value = values.get(key)
    if value is None or isinstance(value, str):
        return value or None
    _bad_value(key, value, "text", line, notes)
    return None


def _data_value(value: Any, line: int, notes: list[Note]) -> tuple[str, ...]:
    if value is None:
        return ()
    items = list(value.values()) if isinstance(value, dict) else value
    if isinstance(items, str | PurePosixPath):
        items = [items]
    if not isinstance(items, list | tuple) or not all(
        isinstance(item, str | PurePosixPath) for item in items
    ):
        _bad_value("data", value, "a path, a list of paths or {key: path}", line, notes)
        return ()
    return tuple(dict.fromkeys(str(item) for item in items))


def _weight_value(value: Any, line: int, notes: list[Note]) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        _bad_value("weight", value, "a number", line, notes)
        return 1.0
    if not 0 <= value < float("inf"):
        _bad_value("weight", value, "a finite number >= 0", line, notes)
        return 1.0
    return float(value)


def _labels_value(value: Any, line: int, notes: list[Note]) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, dict) and all(
        isinstance(key, str) and isinstance(item, str) for key, item in value.items()
    ):
        return dict(value)
    _bad_value("labels", value, "a mapping of text to text", line, notes)
    return {}


def _plain_value(value: Any) -> Any:
    if isinstance(value, PurePosixPath):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    return value
