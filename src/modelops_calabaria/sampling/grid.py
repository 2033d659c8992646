"""Every combination of evenly spaced values."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import Any, ClassVar

from modelops_calabaria.parameters.named import refuse_unknown
from modelops_calabaria.parameters.scalars import Scalar
from modelops_calabaria.parameters.transforms import Identity
from modelops_calabaria.parameters.types import ParameterSpace, ParameterSpec
from modelops_calabaria.sampling.base import (
    ColumnDesign,
    checked_count,
    refuse_start,
    whole_number,
)

__all__ = ["GridSampler"]

DEFAULT_POINTS = 3


class GridSampler(ColumnDesign):
    """Both bounds included; the first parameter varies slowest.

    ``n_points_per_param`` is one number for all parameters or {name: number}; parameters it does
    not name get 3. Values are even in the parameter's transform, else in natural units; priors do
    not move them. Whole numbers are distinct, so a short range has fewer points than asked.
    """

    kind: ClassVar[str] = "grid"

    def __init__(
        self,
        parameter_space: ParameterSpace,
        n_points_per_param: int | Mapping[str, int] | None = None,
    ) -> None:
        super().__init__(parameter_space)
        self.n_points_per_param = n_points_per_param
        if isinstance(n_points_per_param, Mapping):
            refuse_unknown("grid points for unknown parameters", n_points_per_param, self._names())
        for spec in parameter_space:
            self._points_of(spec)

    def _names(self) -> list[str]:
        return self.parameter_space.names()

    def _points_of(self, spec: ParameterSpec) -> int:
        given = self.n_points_per_param
        points = given.get(spec.name, DEFAULT_POINTS) if isinstance(given, Mapping) else given
        if points is None:
            return DEFAULT_POINTS
        return whole_number(points, f"grid points of {spec.name}", least=1)

    def axes(self) -> dict[str, list[Scalar]]:
        """The values of each parameter, ascending."""
        return {
            spec.name: even_values(spec, self._points_of(spec)) for spec in self.parameter_space
        }

    def grid_size(self) -> int:
        """Number of combinations."""
        return math.prod(len(values) for values in self.axes().values())

    def columns(self, n: int | None = None, start: int = 0) -> dict[str, list[Scalar]]:
        """All combinations, or ``n`` of them taken at even distances (both ends included)."""
        refuse_start("grid", start)
        axes = self.axes()
        size = math.prod(len(values) for values in axes.values())
        if n is None or checked_count(n) >= size:
            rows = list(product(*axes.values()))
        else:
            rows = [_combination(axes, i) for i in _thinned(size, n)]
        return {
            name: list(column) for name, column in zip(axes, zip(*rows, strict=True), strict=True)
        }

    def settings(self) -> dict[str, Any]:
        return {"points": {name: len(values) for name, values in self.axes().items()}}


def even_values(spec: ParameterSpec, points: int) -> list[Scalar]:
    """At most ``points`` distinct values from lower to upper; the middle one for a single point."""
    transform = spec.transform or Identity()
    low, high = transform.bounds((spec.lower, spec.upper), True)
    steps = [0.5] if points == 1 else [i / (points - 1) for i in range(points)]
    values = [transform.backward(low + step * (high - low)) for step in steps]
    if points > 1:  # a transform there and back may miss the bound by its last digits
        for end, bound in ((0, spec.lower), (-1, spec.upper)):
            if math.isclose(values[end], bound, rel_tol=1e-12, abs_tol=1e-15):
                values[end] = bound
    inside = [min(max(_of_kind(spec, value), spec.lower), spec.upper) for value in values]
    return sorted(set(inside))


def _of_kind(spec: ParameterSpec, value: float) -> Scalar:
    return spec.normalise(round(value) if spec.kind == "int" else value)


def _thinned(size: int, n: int) -> list[int]:
    if n == 1:
        return [0]
    return [i * (size - 1) // (n - 1) for i in range(n)]


def _combination(axes: Mapping[str, list[Scalar]], index: int) -> tuple[Scalar, ...]:
    row: list[Scalar] = []
    for values in reversed(axes.values()):  # type: ignore[call-overload]
        index, position = divmod(index, len(values))
        row.append(values[position])
    return tuple(reversed(row))
