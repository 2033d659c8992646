"""Coordinates in which a parameter is searched.

A transform is one-to-one and increasing on the bounds it is used with. Natural units are x, search
coordinates are y: ``forward(x) = y``, ``backward(y) = x``. Scalars only, through the C library's
own functions: vectorised ones differ in the last bit from processor to processor, and a design
should not.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from modelops_contracts.errors import InvalidValue, nearest

__all__ = [
    "TRANSFORM_NAMES",
    "AffineSqueezedLogit",
    "Identity",
    "LogTransform",
    "LogitTransform",
    "Transform",
    "TransformLike",
    "resolve_transform",
    "transform_to_data",
]

#: Where an open end of the logit is cut: natural values of 4.5e-5 and 1 - 4.5e-5.
LOGIT_CUT: Final = 10.0
#: exp() overflows just above; the result saturates at the largest finite number.
LOG_MAX: Final = math.log(sys.float_info.max)
DEFAULT_EPS: Final = 1e-6

Interval = tuple[float, float]


@runtime_checkable
class Transform(Protocol):
    """What a transform offers; any object with these methods is one."""

    def forward(self, x: float) -> float: ...
    def backward(self, y: float) -> float: ...
    def bounds(self, natural: Interval, transformed: bool = False) -> Interval: ...


@dataclass(frozen=True, slots=True)
class Identity:
    """y = x."""

    def forward(self, x: float) -> float:
        return x

    def backward(self, y: float) -> float:
        return y

    def bounds(self, natural: Interval, transformed: bool = False) -> Interval:
        return natural


@dataclass(frozen=True, slots=True)
class LogTransform:
    """y = ln x, for parameters that matter by factors. Raises ValueError unless x > 0."""

    def forward(self, x: float) -> float:
        if not x > 0:
            raise InvalidValue(f"LogTransform requires x > 0, got {x}")
        return math.log(x)

    def backward(self, y: float) -> float:
        _refuse_nan(self, y)
        return sys.float_info.max if y > LOG_MAX else math.exp(y)

    def bounds(self, natural: Interval, transformed: bool = False) -> Interval:
        lower, upper = natural
        if not (lower > 0 and upper > 0):
            raise InvalidValue(f"LogTransform requires positive bounds, got [{lower}, {upper}]")
        return (math.log(lower), math.log(upper)) if transformed else natural


@dataclass(frozen=True, slots=True)
class LogitTransform:
    """y = ln(x / (1 - x)) for 0 < x < 1; the ends 0 and 1 themselves have no image."""

    def forward(self, x: float) -> float:
        if not 0 < x < 1:
            raise InvalidValue(f"LogitTransform requires 0 < x < 1, got {x}")
        return _logit(x)

    def backward(self, y: float) -> float:
        _refuse_nan(self, y)
        return _logistic(y)

    def bounds(self, natural: Interval, transformed: bool = False) -> Interval:
        lower, upper = natural
        if not (0 <= lower <= 1 and 0 <= upper <= 1):
            raise InvalidValue(f"LogitTransform requires 0 < x < 1, got bounds [{lower}, {upper}]")
        return (_cut_logit(lower), _cut_logit(upper)) if transformed else natural


@dataclass(frozen=True, slots=True)
class AffineSqueezedLogit:
    """y = logit(eps + (1 - 2 eps) x): a logit that is finite on the closed interval [0, 1]."""

    eps: float = DEFAULT_EPS

    def __post_init__(self) -> None:
        if not 0 < self.eps < 0.5:
            raise InvalidValue(f"eps must be in (0, 0.5), got {self.eps}")

    def forward(self, x: float) -> float:
        if not 0 <= x <= 1:
            raise InvalidValue(f"AffineSqueezedLogit requires 0≤x≤1, got {x}")
        # 1 - p is written out: computed as a difference it would lose digits near x = 1.
        inner = 1.0 - 2.0 * self.eps
        return math.log(self.eps + inner * x) - math.log(self.eps + inner * (1.0 - x))

    def backward(self, y: float) -> float:
        _refuse_nan(self, y)
        inner = 1.0 - 2.0 * self.eps
        if y <= 0:
            x = (_logistic(y) - self.eps) / inner
        else:
            x = 1.0 - (_logistic(-y) - self.eps) / inner
        return min(max(x, 0.0), 1.0)

    def bounds(self, natural: Interval, transformed: bool = False) -> Interval:
        lower, upper = natural
        if not (0 <= lower <= 1 and 0 <= upper <= 1):
            raise InvalidValue(f"AffineSqueezedLogit requires 0≤x≤1, got bounds [{lower}, {upper}]")
        return (self.forward(lower), self.forward(upper)) if transformed else natural


def _refuse_nan(transform: object, y: float) -> None:
    if y != y:  # noqa: PLR0124  (NaN is the one number unequal to itself)
        raise InvalidValue(f"{type(transform).__name__}: NaN cannot be transformed back")


def _logit(x: float) -> float:
    return math.log(x) - math.log1p(-x)


def _cut_logit(x: float) -> float:
    if x == 0:
        return -LOGIT_CUT
    return LOGIT_CUT if x == 1 else _logit(x)


def _logistic(y: float) -> float:
    if y >= 0:
        return 1.0 / (1.0 + math.exp(-y))
    grown = math.exp(y)
    return grown / (1.0 + grown)


# ---------------------------------------------------------------- names

TransformLike = str | Transform | Mapping[str, object]

#: Names by which descriptions, calibration files and builders mean a transform.
TRANSFORM_NAMES: Final[Mapping[str, Transform]] = {
    "identity": Identity(),
    "log": LogTransform(),
    "logit": AffineSqueezedLogit(),
}


def resolve_transform(given: TransformLike) -> Transform:
    """The transform a name (in any case) or the data of :func:`transform_to_data` means."""
    if isinstance(given, str):
        return _named_transform(given)
    if isinstance(given, Mapping):
        return _transform_from_data(given)
    return given


def _named_transform(name: str) -> Transform:
    try:
        return TRANSFORM_NAMES[name.strip().lower()]
    except KeyError:
        raise _unknown_transform(name) from None


def _unknown_transform(name: object) -> InvalidValue:
    close = nearest(str(name), TRANSFORM_NAMES)
    hint = f"did you mean {close[0]}?" if close else f"known: {', '.join(TRANSFORM_NAMES)}"
    return InvalidValue(f"Unknown transform '{name}'", hint=hint)


def _transform_from_data(data: Mapping[str, object]) -> Transform:
    kind, eps = data.get("type"), data.get("eps")
    if kind == "open-logit" and set(data) == {"type"}:
        return LogitTransform()
    if kind == "logit" and set(data) == {"type", "eps"} and isinstance(eps, int | float):
        return AffineSqueezedLogit(float(eps))
    raise _unknown_transform(dict(data))


def transform_to_data(transform: Transform) -> str | dict[str, object]:
    """A transform as JSON: its name, or an object when it has an option.

    Raises InvalidValue for an author's own transform, which no file can carry.
    """
    for name, known in TRANSFORM_NAMES.items():
        if transform == known:
            return name
    if isinstance(transform, LogitTransform):
        return {"type": "open-logit"}
    if isinstance(transform, AffineSqueezedLogit):
        return {"type": "logit", "eps": transform.eps}
    raise InvalidValue(
        f"transform {transform!r} cannot be written to a file",
        hint=f"files carry {', '.join(TRANSFORM_NAMES)}; use your own transform in Python only",
    )
