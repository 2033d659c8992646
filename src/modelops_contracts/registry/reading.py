"""Reading nested plain data so that all mistakes are told at once, each with its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from modelops_contracts.errors import Detail, InvalidInput

Locator = Callable[[str], int | None]
T = TypeVar("T")


def no_lines(_path: str) -> int | None:
    return None


class Reading:
    """Reads nested plain data and remembers every mistake with its place."""

    def __init__(self, locate: Locator = no_lines) -> None:
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
            self.fail(path, f"must be a mapping, not {type_name(value)}")
            return {}
        for key in value:
            if not isinstance(key, str):
                self.fail(path, f"key {key!r} must be text (put it in quotes)")
        return {key: item for key, item in value.items() if isinstance(key, str)}

    def text(self, value: Any, path: str, *, required: bool = False) -> str | None:
        if value is None and not required:
            return None
        if not isinstance(value, str) or (required and not value):
            found = "missing" if value in (None, "") else f"not {type_name(value)}"
            self.fail(path, f"must be text, {found}")
            return None
        return value

    def texts(self, value: Any, path: str) -> list[str]:
        if value is None:
            return []
        if not isinstance(value, list | tuple):
            self.fail(path, f"must be a list, not {type_name(value)}")
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
            self.fail(path, f"must be a number, not {type_name(value)}")
            return default
        if not 0.0 <= value < float("inf"):
            self.fail(path, f"must be a finite number >= 0, not {value!r}")
            return default
        return float(value)

    def flag(self, value: Any, path: str, *, default: bool) -> bool:
        if value is None:
            return default
        if not isinstance(value, bool):
            self.fail(path, f"must be true or false, not {type_name(value)}")
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


def type_name(value: Any) -> str:
    names = {bool: "a truth value", int: "a number", float: "a number", str: "text"}
    if value is None:
        return "empty"
    for kind, name in names.items():
        if isinstance(value, kind):
            return name
    return "a list" if isinstance(value, list | tuple) else f"a {type(value).__name__}"


def unknown_keys(node: Mapping[str, Any], kind: type) -> dict[str, Any]:
    known = {item.name for item in fields(kind)} - {"extra", "loaded_from"}
    return {key: value for key, value in node.items() if key not in known}


def read_one(data: Mapping[str, Any], read: Callable[[Reading, Any, str], T]) -> T:
    reading = Reading()
    entry = read(reading, data, "$")
    reading.raise_mistakes("registry entry")
    return entry
