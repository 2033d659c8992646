"""What all frozen values share: read-only mappings that pickle, and number checks."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, TypeVar

from modelops_contracts.errors import ContractViolationError

__all__ = [
    "MAX_UINT64",
    "FrozenValue",
    "as_names",
    "as_seed",
    "decode_float",
    "encode_float",
    "is_count",
    "is_name",
    "read_only",
]

_K = TypeVar("_K")
_V = TypeVar("_V")

MAX_UINT64 = 2**64 - 1


class FrozenValue:
    """Makes a frozen dataclass with read-only mappings picklable and deep-copyable."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        values = {item.name: _thaw(getattr(self, item.name)) for item in fields(self)}  # type: ignore[arg-type]
        return _rebuild, (type(self), values)


def _rebuild(cls: Callable[..., Any], values: dict[str, Any]) -> Any:
    return cls(**values)


def _thaw(value: object) -> object:
    return dict(value) if isinstance(value, MappingProxyType) else value


def read_only(mapping: Mapping[_K, _V]) -> Mapping[_K, _V]:
    """A read-only view of a private copy."""
    return MappingProxyType(dict(mapping))


def is_name(value: object) -> bool:
    """True for text that is not empty."""
    return isinstance(value, str) and value != ""


def is_count(value: object) -> bool:
    """True for an int that is not negative; bool is no count."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def as_names(values: object, name: str) -> tuple[str, ...]:
    """A tuple of non-empty texts, in the order given; a plain text is refused."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ContractViolationError(
            f"{name} must be a sequence of names, not {values!r}", hint=f"write [{values!r}]"
        )
    names = tuple(values)
    for item in names:
        if not is_name(item):
            raise ContractViolationError(f"{name}: {item!r} must be non-empty text")
    return names


def as_seed(value: object, name: str = "seed") -> int:
    """A Python int in [0, 2^64-1]; integers of other libraries are converted, bool is refused."""
    if isinstance(value, bool):
        raise ContractViolationError(f"{name} must be int, not bool")
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        raise ContractViolationError(f"{name} must be int, not {type(value).__name__}") from None
    if not 0 <= number <= MAX_UINT64:
        raise ContractViolationError(f"{name} {number} out of uint64 range")
    return number


def encode_float(value: float) -> float | str:
    """A float as JSON can carry it: infinities and NaN as text."""
    number = float(value)
    return number if math.isfinite(number) else str(number)


def decode_float(value: float | str) -> float:
    """The inverse of :func:`encode_float`."""
    return float(value)
