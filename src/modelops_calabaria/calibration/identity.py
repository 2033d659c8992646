"""What a target or a model object is, as a digest that survives the process it was made in.

A journal outlives a notebook. Objectives of a target that scores differently must not be taken for
those of the one that was journalled, so everything a target holds counts: its observations, its
settings down to every number, and the text of the functions its author wrote.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import CodeType, FunctionType, MethodType
from typing import Any

from modelops_contracts.digests import canonical_json, digest_bytes

__all__ = ["class_digest", "target_digest"]

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_DEPTH = 12
_INSTALLED = frozenset({"builtins", "abc", "typing", "modelops_calabaria"})


def target_digest(target: object) -> str:
    """64 hex digits over the class, the data and the settings of a target."""
    return digest_bytes(b"calabaria:target:v2|" + canonical_json(_told(target, _DEPTH)))


def class_digest(cls: type) -> str:
    """64 hex digits over a class that no file identifies: its methods and attributes, and those of
    its bases up to the first one that belongs to an installed module."""
    own = [base for base in cls.__mro__ if base.__module__.partition(".")[0] not in _INSTALLED]
    held = [
        [_name(base), [[name, _told(item, _DEPTH)] for name, item in _written(base)]]
        for base in own
    ]
    return digest_bytes(b"calabaria:class:v1|" + canonical_json(held))


def _written(cls: type) -> list[tuple[str, Any]]:
    """What the author wrote into a class body; the interpreter adds the rest."""
    items = sorted(vars(cls).items())
    return [(key, item) for key, item in items if not key.startswith(("__", "_abc_"))]


def _told(value: Any, depth: int) -> Any:
    """JSON that says what a value is; equal values say the same in every process."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return repr(value)
    if depth == 0:
        return _plain(value)
    if hasattr(value, "write_csv"):
        return {"table": value.write_csv(), "types": [str(kind) for kind in value.dtypes]}
    if hasattr(value, "tolist"):
        return {"array": _told(value.tolist(), depth - 1)}
    if isinstance(value, Mapping):
        return [[_told(key, depth - 1), _told(item, depth - 1)] for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [_told(item, depth - 1) for item in value]
    if isinstance(value, FunctionType | MethodType):
        return _function(value, depth)
    return {"class": _name(type(value)), "holds": _held(value, depth)}


def _held(value: Any, depth: int) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        named = [(item.name, getattr(value, item.name, None)) for item in fields(value)]
    elif isinstance(value, type) or not hasattr(value, "__dict__"):
        return _plain(value)
    else:
        named = sorted(vars(value).items())
    return [[name, _told(item, depth - 1)] for name, item in named]


def _function(value: Callable[..., Any], depth: int) -> dict[str, Any]:
    """Its text, else its bytecode, and what it remembers."""
    plain: Any = getattr(value, "__func__", value)
    body: str | list[Any]
    try:
        body = inspect.getsource(plain)
    except (OSError, TypeError):
        body = _bytecode(plain.__code__)
    cells = plain.__closure__ or ()
    return {
        "function": _name(plain),
        "body": body,
        "defaults": _told([plain.__defaults__, plain.__kwdefaults__], depth - 1),
        "remembers": [_told(cell.cell_contents, depth - 1) for cell in cells],
        "of": _told(getattr(value, "__self__", None), depth - 1),
    }


def _bytecode(code: CodeType) -> list[Any]:
    constants = [
        _bytecode(item) if isinstance(item, CodeType) else _plain(item) for item in code.co_consts
    ]
    return [code.co_code.hex(), list(code.co_names), constants]


def _name(value: Any) -> str:
    return f"{value.__module__}.{value.__qualname__}"


def _plain(value: Any) -> str:
    """Its repr without the address that some have."""
    return _ADDRESS.sub("", repr(value))
