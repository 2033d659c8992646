"""The bridge between a search vector z and complete parameter sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from modelops_calabaria.parameters.transforms import Identity, Interval, Transform
from modelops_calabaria.parameters.types import ParameterSet, ParameterSpec, Scalar
from modelops_calabaria.parameters.view import ParameterView
from modelops_contracts.errors import InvalidType, InvalidValue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["CoordinateSystem"]

#: How far a value may leave a bound by rounding alone, relative to the bound's size.
ROUNDING = 1e-12


@dataclass(frozen=True, slots=True)
class CoordinateSystem:
    """Free parameters of a view as a vector z, each in its transform's coordinates.

    z follows ``view.free``. A parameter without an entry in ``transforms`` keeps the transform of
    its own specification, or natural units.
    """

    view: ParameterView
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    _axes: tuple[tuple[ParameterSpec, Transform, Interval], ...] = field(
        init=False, repr=False, compare=False
    )

    if TYPE_CHECKING:

        def __init__(
            self, view: ParameterView, transforms: Mapping[str, Transform] = MappingProxyType({})
        ) -> None: ...

    def __post_init__(self) -> None:
        transforms = dict(self.transforms)
        strangers = [name for name in transforms if name not in self.view.free]
        if strangers:
            raise InvalidValue(f"transforms for non-free parameters: {', '.join(strangers)}")
        for name, transform in transforms.items():
            _refuse_no_transform(name, transform)
        object.__setattr__(self, "transforms", MappingProxyType(transforms))
        object.__setattr__(self, "_axes", tuple(self._axis(name) for name in self.view.free))

    def _axis(self, name: str) -> tuple[ParameterSpec, Transform, Interval]:
        spec = self.view.space.get_spec(name)
        transform = self.transforms.get(name) or spec.transform or Identity()
        try:
            return spec, transform, transform.bounds((spec.lower, spec.upper), True)
        except ValueError as error:
            raise InvalidValue(f"{name}: {error}") from error

    @property
    def dim(self) -> int:
        return len(self._axes)

    @property
    def param_names(self) -> tuple[str, ...]:
        return self.view.free

    def bounds_transformed(self) -> npt.NDArray[np.float64]:
        """Bounds of z, shape (dim, 2)."""
        import numpy as np

        return np.array([limits for _, _, limits in self._axes], dtype=np.float64).reshape(-1, 2)

    def to_M(self, z: npt.ArrayLike) -> ParameterSet:  # noqa: N802  (the paper's name for the map)
        """The complete parameter set at z. Every z inside ``bounds_transformed()`` has one.

        Whole-number parameters are rounded. Raises ValueError for a vector of another length and
        for a value outside the bounds.
        """
        coordinates = self._as_vector(z)
        values = {
            spec.name: _to_natural(spec, transform, limits, y)
            for (spec, transform, limits), y in zip(self._axes, coordinates, strict=True)
        }
        return self.view.bind(**values)

    def _as_vector(self, z: npt.ArrayLike) -> list[float]:
        numbers = _as_floats(z)
        if len(numbers) != self.dim:
            raise InvalidValue(f"Expected z vector of length {self.dim}, got {len(numbers)}")
        return numbers

    def from_M(self, pset: ParameterSet) -> npt.NDArray[np.float64]:  # noqa: N802
        """The vector z of a complete set, shape (dim,)."""
        import numpy as np

        free = self.view.project(pset)
        return np.array([t.forward(free[spec.name]) for spec, t, _ in self._axes], dtype=np.float64)

    def __hash__(self) -> int:
        return hash((self.view, frozenset(self.transforms.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.view, dict(self.transforms))


def _refuse_no_transform(name: str, transform: object) -> None:
    if isinstance(transform, type) or not isinstance(transform, Transform):
        raise InvalidType(
            f"{name}: {transform!r} does not follow the Transform protocol",
            hint="it needs forward(x), backward(y) and bounds(natural, transformed=False)",
        )


def _as_floats(z: npt.ArrayLike) -> list[float]:
    import numpy as np

    if isinstance(z, Sequence) and any(isinstance(item, bool) for item in z):
        raise InvalidType("z vector must be numeric, got bool")
    array = np.asarray(z)
    if array.dtype.kind not in "iuf":
        if array.size == 0:
            return []
        raise InvalidType(f"z vector must be numeric, got {array.dtype}")
    return array.astype(np.float64).ravel().tolist() if array.ndim <= 1 else _refuse_shape(array)


def _refuse_shape(array: npt.NDArray[Any]) -> list[float]:
    raise InvalidValue(f"Expected z vector, got an array of shape {array.shape}")


def _to_natural(spec: ParameterSpec, transform: Transform, limits: Interval, y: float) -> Scalar:
    value = _pulled(transform.backward(y), spec, limits, y)
    if spec.kind == "int" and value == value and abs(value) != float("inf"):  # noqa: PLR0124
        return round(value)
    return value


def _pulled(value: float, spec: ParameterSpec, limits: Interval, y: float) -> float:
    """A value that missed a bound by rounding, on that bound.

    With y inside the limits nothing but rounding can carry a value out, however far.
    """
    slack = ROUNDING * max(abs(spec.lower), abs(spec.upper))
    low, high = limits
    inside = low <= y <= high
    for bound, limit, beyond in (
        (spec.lower, low, spec.lower - value),
        (spec.upper, high, value - spec.upper),
    ):
        if (beyond > 0 and (inside or beyond <= slack)) or (y == limit and abs(beyond) <= slack):
            return bound
    return value
