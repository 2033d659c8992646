"""The space a search moves in: free parameters in transform coordinates, each scaled to [0, 1].

Engines see unit vectors only. What leaves this module are natural values, clamped to their bounds
and of their declared kind, so that equal proposals have equal ids.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from modelops_calabaria.parameters.transforms import Identity, LogTransform, Transform
from modelops_calabaria.parameters.types import ParameterSpace, ParameterSpec

__all__ = ["Axis", "SearchSpace"]


@dataclass(frozen=True, slots=True)
class Axis:
    """One free parameter. ``low`` and ``high`` are its bounds in transform coordinates."""

    spec: ParameterSpec
    transform: Transform
    low: float
    high: float

    @classmethod
    def of(cls, spec: ParameterSpec) -> Axis:
        """Integers reach half a unit beyond each bound, so that every value has the same room."""
        transform = spec.transform or Identity()
        half = 0.5 if spec.kind == "int" and not spec.is_constant else 0.0
        low, high = transform.bounds((spec.lower - half, spec.upper + half), transformed=True)
        return cls(spec, transform, float(low), float(high))

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def is_integer(self) -> bool:
        return self.spec.kind == "int"

    @property
    def is_log(self) -> bool:
        """True when equal ratios, not equal steps, are equally far apart."""
        return isinstance(self.transform, LogTransform)

    def from_unit(self, u: float) -> int | float:
        """Natural value at position ``u``; positions outside [0, 1] are clamped."""
        inside = min(1.0, max(0.0, u))
        value = float(self.transform.backward(self.low + inside * (self.high - self.low)))
        clamped = min(float(self.spec.upper), max(float(self.spec.lower), value))
        return self.spec.normalise(round(clamped) if self.is_integer else clamped)

    def to_unit(self, value: float) -> float:
        """Position of a natural value, in [0, 1]; 0.5 when the bounds coincide."""
        if self.high == self.low:
            return 0.5
        clamped = min(float(self.spec.upper), max(float(self.spec.lower), float(value)))
        position = (float(self.transform.forward(clamped)) - self.low) / (self.high - self.low)
        return min(1.0, max(0.0, position))


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The free parameters in their fixed order."""

    axes: tuple[Axis, ...]

    @classmethod
    def of(cls, specs: Sequence[ParameterSpec]) -> SearchSpace:
        return cls(tuple(Axis.of(spec) for spec in specs))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    @property
    def dim(self) -> int:
        return len(self.axes)

    @property
    def size(self) -> int | None:
        """Number of distinct parameter sets, or None when there is a continuous one."""
        if not all(axis.is_integer for axis in self.axes):
            return None
        return math.prod(int(axis.spec.upper) - int(axis.spec.lower) + 1 for axis in self.axes)

    def from_unit(self, u: Sequence[float]) -> dict[str, int | float]:
        """Natural values of a unit vector of length ``dim``."""
        return {axis.name: axis.from_unit(float(x)) for axis, x in zip(self.axes, u, strict=True)}

    def to_unit(self, values: Mapping[str, Any]) -> list[float]:
        """Unit vector of natural values; extra names are ignored."""
        return [axis.to_unit(values[axis.name]) for axis in self.axes]

    def start(self) -> list[float]:
        """Unit vector of the declared defaults, the centre where there is none."""
        return [
            0.5 if axis.spec.default is None else axis.to_unit(axis.spec.default)
            for axis in self.axes
        ]

    def parameter_space(self) -> ParameterSpace:
        """The same parameters as designs want them: bounds narrowed, priors and transforms kept."""
        return ParameterSpace(tuple(axis.spec for axis in self.axes))
