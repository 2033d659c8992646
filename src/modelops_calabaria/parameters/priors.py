"""What is believed about a parameter before any data.

A prior is a named distribution, cut to the parameter's bounds and renormalised. This module holds
the names and their checks; densities and quantiles, which need scipy, are in ``measures``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from modelops_calabaria.parameters.named import did_you_mean
from modelops_calabaria.parameters.scalars import as_number
from modelops_contracts.errors import InvalidValue

__all__ = ["PRIOR_FAMILIES", "Prior"]

#: family -> names of its parameters; those in _FREE may be any finite number, the others are > 0.
PRIOR_FAMILIES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "uniform": (),
        "log-uniform": (),
        "normal": ("mean", "sd"),
        "log-normal": ("log_mean", "log_sd"),
        "laplace": ("loc", "scale"),
        "log-laplace": ("log_loc", "log_scale"),
        "exponential": ("scale",),
        "gamma": ("shape", "scale"),
        "chisquare": ("df",),
        "cauchy": ("loc", "scale"),
        "rayleigh": ("scale",),
        "beta": ("a", "b"),
    }
)
_FREE: Final = frozenset({"mean", "log_mean", "loc", "log_loc"})
#: Families without mass below zero: bounds that end there have nothing to cut.
_POSITIVE: Final = frozenset(
    {"log-normal", "log-laplace", "exponential", "gamma", "chisquare", "rayleigh", "beta"}
)


@dataclass(frozen=True, slots=True, init=False)
class Prior:
    """``Prior("normal", 2, 1)``: family and parameters.

    uniform(), log-uniform(), normal(mean, sd), log-normal(mean of the log, sd of the log),
    laplace(loc, scale), log-laplace(loc of the log, scale of the log), exponential(scale),
    gamma(shape, scale), chisquare(df), cauchy(loc, scale), rayleigh(scale), beta(a, b).
    """

    name: str
    parameters: tuple[float, ...]

    def __init__(self, name: str, *parameters: float) -> None:
        if name not in PRIOR_FAMILIES:
            raise InvalidValue(
                f"Unknown prior '{name}'", hint=did_you_mean(str(name), PRIOR_FAMILIES)
            )
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "parameters", _checked_parameters(name, parameters))

    def check_support(self, parameter: str, lower: float, upper: float) -> None:
        """Raise ValueError when the bounds leave this prior no mass."""
        if self.name == "log-uniform" and lower <= 0:
            raise InvalidValue(
                f"{parameter}: prior log-uniform requires positive bounds, got [{lower}, {upper}]"
            )
        if self.name in _POSITIVE and upper <= 0:
            raise InvalidValue(
                f"{parameter}: prior {self.name} has no mass in bounds [{lower}, {upper}]"
            )
        if self.name == "beta" and lower >= 1:
            raise InvalidValue(f"{parameter}: prior beta has no mass in bounds [{lower}, {upper}]")

    def to_data(self) -> list[Any]:
        """JSON form: ``["normal", 2.0, 1.0]``."""
        return [self.name, *self.parameters]

    @classmethod
    def from_data(cls, data: object) -> Prior:
        """From the JSON form, from a bare name, or itself."""
        if isinstance(data, Prior):
            return data
        if isinstance(data, str):
            return cls(data)
        if isinstance(data, list | tuple) and data and isinstance(data[0], str):
            return cls(*data)
        raise InvalidValue(f"prior {data!r}: expected a name or [name, parameters...]")

    def __repr__(self) -> str:
        return f"Prior({', '.join(repr(part) for part in self.to_data())})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.name, *self.parameters)


def _checked_parameters(name: str, given: tuple[float, ...]) -> tuple[float, ...]:
    wanted = PRIOR_FAMILIES[name]
    if len(given) != len(wanted):
        raise InvalidValue(f"Prior '{name}' takes ({', '.join(wanted)}), got {given}")
    numbers: list[float] = []
    for key, value in zip(wanted, given, strict=True):
        number = float(as_number(value, f"Prior '{name}': {key}"))
        if key not in _FREE and number <= 0:
            raise InvalidValue(f"Prior '{name}': {key} must be > 0, got {value}")
        numbers.append(number)
    return tuple(numbers)
