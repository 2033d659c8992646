"""Numbers as authors and files give them, turned into Python numbers or refused."""

from __future__ import annotations

import math
import numbers
from typing import Literal

from modelops_contracts.errors import InvalidType, InvalidValue

__all__ = ["Kind", "Scalar", "as_number", "normalise_scalar"]

Scalar = float | int
Kind = Literal["float", "int"]


def as_number(value: object, what: str) -> Scalar:
    """A finite Python number. Bool, text, other types: TypeError; NaN, infinity: ValueError."""
    number = _plain_number(value, what)
    if isinstance(number, float) and not math.isfinite(number):
        raise InvalidValue(f"{what} is {'NaN' if math.isnan(number) else 'infinite'}: {value!r}")
    return number


def _plain_number(value: object, what: str) -> Scalar:
    kind = type(value)
    if kind is float or kind is int:
        return value  # type: ignore[return-value]
    if isinstance(value, bool) or kind.__name__ in {"bool_", "bool"}:
        raise InvalidType(f"{what} requires numeric value, not bool: {value!r}")
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    raise InvalidType(f"{what} requires numeric value, got {kind.__name__}: {value!r}")


def normalise_scalar(value: object, kind: Kind, what: str) -> Scalar:
    """``value`` as the Python number of a parameter's kind; ``-0.0`` becomes ``0.0``.

    A whole float is fine for kind int; 3.9 is a TypeError ("requires int").
    """
    number = as_number(value, what)
    if kind == "float":
        try:
            return float(number) + 0.0
        except OverflowError:
            raise InvalidValue(f"{what} is too large for a float: {value!r}") from None
    if isinstance(number, int):
        return number
    if number.is_integer():
        return int(number)
    raise InvalidType(f"{what} requires int, got {value!r}")
