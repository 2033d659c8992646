"""Parameters of a model: what they may be, and values for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self

from modelops_calabaria.parameters.named import (
    NamedValues,
    Readable,
    did_you_mean,
    find_duplicates,
    refuse_unknown,
)
from modelops_calabaria.parameters.priors import Prior
from modelops_calabaria.parameters.scalars import Kind, Scalar, as_number, normalise_scalar
from modelops_calabaria.parameters.transforms import (
    Transform,
    TransformLike,
    resolve_transform,
    transform_to_data,
)
from modelops_contracts.digests import make_param_id
from modelops_contracts.errors import InvalidInput, InvalidType, InvalidValue, MissingKey

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

__all__ = ["ParameterSet", "ParameterSpace", "ParameterSpec", "Scalar", "SimOutput", "TableIPC"]

TableIPC = bytes
SimOutput = Mapping[str, "pl.DataFrame"]

_REQUIRED_KEYS = ("name", "lower", "upper")
_OPTIONAL_KEYS = ("kind", "doc", "prior", "unit", "default", "transform")


@dataclass(frozen=True, slots=True)
class ParameterSpec:
    """One parameter: a name, inclusive bounds in natural units, and what is known beside them.

    ``kind`` is "float" or "int". ``prior`` is a :class:`Prior` (or "uniform", "log-uniform");
    ``transform`` a name or a Transform: designs and searches work in its coordinates.
    ``default`` is used where the parameter is neither varied nor fixed; ``unit`` is only shown.
    Raises ValueError or TypeError naming the parameter.
    """

    name: str
    lower: Scalar
    upper: Scalar
    kind: Kind = "float"
    doc: str = ""
    prior: Prior | None = field(default=None, kw_only=True)
    unit: str = field(default="", kw_only=True)
    default: Scalar | None = field(default=None, kw_only=True)
    transform: Transform | None = field(default=None, kw_only=True)

    if TYPE_CHECKING:  # what the constructor takes is wider than what the fields hold

        def __init__(
            self,
            name: str,
            lower: Scalar,
            upper: Scalar,
            kind: str = "float",
            doc: str = "",
            *,
            prior: Prior | str | None = None,
            unit: str = "",
            default: Scalar | None = None,
            transform: TransformLike | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        _refuse_empty(self.name)
        if self.kind not in {"float", "int"}:
            raise InvalidValue(
                f"Parameter kind must be 'float' or 'int', got {self.kind!r} for {self.name}"
            )
        _put(self, "lower", self._as_bound(self.lower))
        _put(self, "upper", self._as_bound(self.upper))
        if self.lower > self.upper:
            raise InvalidValue(f"{self.name}: lower {self.lower} > upper {self.upper}")
        if self.default is not None:
            _put(self, "default", self.checked(self.default))
        if self.prior is not None:
            prior = Prior.from_data(self.prior)
            prior.check_support(self.name, self.lower, self.upper)
            _put(self, "prior", prior)
        if self.transform is not None:
            _put(self, "transform", _checked_transform(self))

    def _as_bound(self, value: object) -> Scalar:
        number = as_number(value, f"{self.name}: bound")
        if self.kind == "float":
            return normalise_scalar(number, "float", f"{self.name}: bound")
        if not isinstance(number, int):
            raise InvalidValue(f"{self.name} of kind int must have integer bounds, got {value!r}")
        return number

    @property
    def is_constant(self) -> bool:
        """True when the bounds leave one value."""
        return self.lower == self.upper

    def normalise(self, value: object) -> Scalar:
        """``value`` as a Python number of this kind. Bounds are not checked."""
        return normalise_scalar(value, self.kind, self.name)

    def checked(self, value: object) -> Scalar:
        """The normalised value; raises TypeError or ValueError as :meth:`validate_value` does."""
        number = normalise_scalar(value, self.kind, self.name)
        if not self.lower <= number <= self.upper:
            raise InvalidValue(
                f"{self.name} = {number} is outside bounds [{self.lower}, {self.upper}]"
            )
        return number

    def validate_value(self, value: object) -> None:
        """Raise unless ``value`` is a number of this kind within the (inclusive) bounds."""
        self.checked(value)

    def narrowed(self, lower: Scalar, upper: Scalar) -> ParameterSpec:
        """The same parameter on bounds inside its own; a default left outside is dropped."""
        narrow = ParameterSpec(
            self.name,
            self._narrow_bound(lower),
            self._narrow_bound(upper),
            self.kind,
            self.doc,
            prior=self.prior,
            unit=self.unit,
            transform=self.transform,
        )
        if narrow.lower < self.lower or narrow.upper > self.upper:
            raise InvalidValue(
                f"{self.name}: bounds [{lower}, {upper}] reach outside bounds "
                f"[{self.lower}, {self.upper}] of the model",
                hint="a study may narrow a parameter's bounds, never widen them",
            )
        if self.default is not None and narrow.lower <= self.default <= narrow.upper:
            _put(narrow, "default", self.default)
        return narrow

    def _narrow_bound(self, value: object) -> Scalar:
        return normalise_scalar(value, self.kind, f"{self.name}: bound")

    def to_dict(self) -> dict[str, Any]:
        """JSON form: the five old keys, and the newer ones where they are set."""
        data: dict[str, Any] = {
            "name": self.name,
            "lower": self.lower,
            "upper": self.upper,
            "kind": self.kind,
            "doc": self.doc,
        }
        if self.prior is not None:
            data["prior"] = self.prior.to_data()
        if self.unit:
            data["unit"] = self.unit
        if self.default is not None:
            data["default"] = self.default
        if self.transform is not None:
            data["transform"] = transform_to_data(self.transform)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ParameterSpec:
        """The inverse of :meth:`to_dict`; refuses unknown and missing keys."""
        missing = [key for key in _REQUIRED_KEYS if key not in data]
        if missing:
            raise InvalidValue(f"parameter {dict(data)}: missing {', '.join(missing)}")
        refuse_unknown(
            f"parameter {data['name']}: unknown keys", data, (*_REQUIRED_KEYS, *_OPTIONAL_KEYS)
        )
        values = dict(data)
        if values.get("prior") is not None:
            values["prior"] = Prior.from_data(values["prior"])
        return cls(**values)


def _refuse_empty(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidValue("Parameter name cannot be empty")


def _put(spec: object, name: str, value: object) -> None:
    object.__setattr__(spec, name, value)


def _checked_transform(spec: ParameterSpec) -> Transform:
    assert spec.transform is not None
    transform = resolve_transform(spec.transform)
    if not isinstance(transform, Transform):
        raise InvalidType(
            f"{spec.name}: {transform!r} does not follow the Transform protocol",
            hint="it needs forward(x), backward(y) and bounds(natural, transformed=False)",
        )
    half = 0.5 if spec.kind == "int" and not spec.is_constant else 0.0
    try:
        transform.bounds((spec.lower - half, spec.upper + half), True)
    except ValueError as error:
        raise InvalidValue(
            f"{spec.name}: bounds [{spec.lower}, {spec.upper}] do not fit the transform: {error}",
            hint="integers take half a unit beyond each bound" if half else None,
        ) from error
    return transform


@dataclass(frozen=True, slots=True)
class ParameterSpace:
    """All parameters of a model, in the author's order."""

    specs: tuple[ParameterSpec, ...]
    _by_name: dict[str, ParameterSpec] = field(init=False, repr=False, compare=False)

    if TYPE_CHECKING:

        def __init__(self, specs: Iterable[ParameterSpec]) -> None: ...

    def __post_init__(self) -> None:
        specs = tuple(self.specs)
        repeated = find_duplicates(spec.name for spec in specs)
        if repeated:
            raise InvalidValue(f"Duplicate parameter names: {', '.join(repeated)}")
        _put(self, "specs", specs)
        _put(self, "_by_name", {spec.name: spec for spec in specs})

    def names(self) -> list[str]:
        return list(self._by_name)

    def get_spec(self, name: str) -> ParameterSpec:
        """The parameter of that name. Raises KeyError naming the nearest."""
        try:
            return self._by_name[name]
        except KeyError:
            hint = did_you_mean(name, self._by_name)
            raise MissingKey(f"Unknown parameter: {name}", hint=hint) from None

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self.specs)

    def __iter__(self) -> Iterator[ParameterSpec]:
        return iter(self.specs)

    def is_compatible(self, other: ParameterSpace) -> bool:
        """True when every value of one space means the same in the other.

        Names, bounds and kinds count; order, documentation, units and priors do not.
        """
        return self is other or self._meaning() == other._meaning()

    def _meaning(self) -> dict[str, tuple[Scalar, Scalar, str]]:
        return {spec.name: (spec.lower, spec.upper, spec.kind) for spec in self.specs}

    def default_values(self) -> dict[str, Scalar]:
        """Defaults of the parameters that have one."""
        return {spec.name: spec.default for spec in self.specs if spec.default is not None}

    def log_prior(self, values: Readable[object]) -> float:
        """Sum of the parameters' log prior densities in natural units; -inf outside the bounds.

        A parameter without a prior is uniform on its bounds; a constant one adds nothing.
        """
        from modelops_calabaria.parameters.measures import log_prior_density

        given = {name: values[name] for name in values.keys()}  # noqa: SIM118  (sets iterate names)
        refuse_unknown("Unknown parameters", given, self._by_name)
        _refuse_missing(self._by_name, given)
        pairs = [(spec, spec.normalise(given[spec.name])) for spec in self.specs]
        return sum((log_prior_density(spec, value) for spec, value in pairs), 0.0)

    def from_unit(self, u: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Map (n, d) numbers in [0, 1] to natural units, column by column.

        Through the quantiles of the prior where one is set, else uniformly in the transform's
        coordinates where one is set, else uniformly; whole numbers for kind int. Shape (n, d).
        """
        from modelops_calabaria.parameters.measures import natural_columns, unit_points

        points = unit_points(u, len(self.specs))
        return natural_columns(self.specs, points)

    def to_dict(self) -> dict[str, Any]:
        return {"parameters": [spec.to_dict() for spec in self.specs]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ParameterSpace:
        return cls(ParameterSpec.from_dict(item) for item in data["parameters"])


def _refuse_missing(wanted: Iterable[str], given: Iterable[str]) -> None:
    have = set(given)
    missing = [name for name in wanted if name not in have]
    if missing:
        raise InvalidValue(f"Missing required parameters: {', '.join(missing)}")


class ParameterSet(NamedValues[Scalar]):
    """A value for every parameter of a space: checked, normalised by kind, in the space's order.

    Raises ValueError for unknown names first, then missing ones, then the first value that does
    not fit.
    """

    __slots__ = ("_space",)
    _space: ParameterSpace
    noun: ClassVar[str] = "Parameter"

    def __init__(self, space: ParameterSpace, values: Readable[object]) -> None:
        given = {name: values[name] for name in values.keys()}  # noqa: SIM118  (sets iterate names)
        if given.keys() != space._by_name.keys():
            refuse_unknown("Unknown parameters", given, space._by_name)
            _refuse_missing(space._by_name, given)
        _put(self, "_space", space)
        _put(self, "_values", {spec.name: _checked(spec, given[spec.name]) for spec in space.specs})

    @property
    def space(self) -> ParameterSpace:
        return self._space

    @property
    def param_id(self) -> str:
        """Identity of the values: 64 hex digits."""
        return make_param_id(self._values)

    @classmethod
    def new(cls, space: ParameterSpace, /, **values: object) -> Self:
        return cls(space, values)

    @classmethod
    def from_dict(cls, space: ParameterSpace, values: Readable[object]) -> Self:
        return cls(space, values)

    def with_updates(self, /, **updates: object) -> Self:
        """A new set with some values replaced."""
        refuse_unknown("Unknown parameters", updates, self._space._by_name)
        return type(self)(self._space, {**self._values, **updates})

    def to_dict(self) -> dict[str, Scalar]:
        return dict(self._values)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._space, dict(self._values))


def _checked(spec: ParameterSpec, value: object) -> Scalar:
    try:
        return spec.checked(value)
    except InvalidInput as error:
        _raise_named(spec, error)


def _raise_named(spec: ParameterSpec, error: InvalidInput) -> NoReturn:
    text = f"Validation failed for {spec.name}: {error}"
    hint = error.hint or f"{spec.name} is {_describe_kind(spec)}"
    raise InvalidValue(text, hint=hint) from error


def _describe_kind(spec: ParameterSpec) -> str:
    kind = "a whole number" if spec.kind == "int" else "a number"
    return f"{kind} in [{spec.lower}, {spec.upper}]"
