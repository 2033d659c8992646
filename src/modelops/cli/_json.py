"""From a command's answer (a frozen dataclass) to JSON values."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from pathlib import PurePath
from typing import Any


def to_json(value: Any) -> Any:
    """Return `value` as plain JSON: dataclasses as objects, infinities and NaN as strings."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key_of(item.name): to_json(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [to_json(item) for item in value]
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Enum):
        return to_json(value.value)
    if isinstance(value, PurePath):
        return str(value)
    if value is None or isinstance(value, (str, int)):
        return value
    raise AssertionError(f"{type(value).__name__} has no JSON form")


def key_of(name: str) -> str:
    """The JSON key of a field; one that Python keeps for itself is spelled `from_` there."""
    return name.removesuffix("_")


def number(value: float) -> float | str:
    """JSON has no infinities and no NaN; they travel as the strings inf, -inf and nan."""
    return value if math.isfinite(value) else str(float(value))


def schema_name(path: str) -> str:
    """`mops jobs list` -> `mops.jobs.list/1`."""
    return f"{path.replace(' ', '.')}/1"


def one_line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(", ", ": "), allow_nan=False)
