"""Numbers an evaluator needs: given outright, observed with the data, or taken from θ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Bools, Floats
from modelops_calabaria.alignment.errors import EvaluationError, ObservedDataError
from modelops_contracts.errors import InvalidValue, nearest


@dataclass(frozen=True, slots=True)
class Param:
    """The value of the parameter ``name`` in the parameter set that is being evaluated."""

    name: str


#: A number, the name of an observed column, or a parameter of the model.
Quantity = float | str | Param

T = TypeVar("T")


def param_names(value: object) -> tuple[str, ...]:
    """Names of all parameters that ``value`` (an evaluator, a family, a loss) refers to."""
    return tuple(dict.fromkeys(param.name for param in _params(value)))


def _params(value: object) -> Iterator[Param]:
    if isinstance(value, Param):
        yield value
    elif is_dataclass(value) and not isinstance(value, type):
        for item in fields(value):
            yield from _params(getattr(value, item.name))


def bind_params(value: T, params: Mapping[str, Any] | None) -> T:
    """``value`` with every ``Param`` replaced by its number.

    Raises InvalidValue when the parameter is not among ``params`` or is no number.
    """
    if not param_names(value):
        return value
    bound: T = _bound(value, {} if params is None else params)
    return bound


def _bound(value: Any, params: Mapping[str, Any]) -> Any:
    if isinstance(value, Param):
        return _lookup(value.name, params)
    if is_dataclass(value) and not isinstance(value, type) and param_names(value):
        changes = {f.name: _bound(getattr(value, f.name), params) for f in fields(value) if f.init}
        return replace(value, **changes)
    return value


def _lookup(name: str, params: Mapping[str, Any]) -> float:
    if name not in params:
        known = ", ".join(map(str, params)) or "none (evaluate with params={...})"
        close = nearest(name, map(str, params))
        raise InvalidValue(
            f"Param({name!r}) names no parameter of the set evaluated; it has: {known}",
            hint=f"did you mean {close[0]!r}?" if close else "use a parameter of the model",
        )
    value = params[name]
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidValue(f"Param({name!r}) is {value!r}, not a number")
    return float(value)


def quantity_columns(*quantities: Quantity) -> tuple[str, ...]:
    """Observed columns among the quantities."""
    return tuple(quantity for quantity in quantities if isinstance(quantity, str))


def numeric(quantity: Quantity, aligned: AlignedData, what: str) -> float | Floats:
    """The quantity as a number, or as array (n,) when it is an observed column."""
    if isinstance(quantity, Param):
        raise InvalidValue(
            f"{what} is Param({quantity.name!r}), but no parameter set was given",
            hint="evaluate with params={...}",
        )
    return aligned.observed(quantity) if isinstance(quantity, str) else float(quantity)


def finite(quantity: Quantity, aligned: AlignedData, what: str) -> float | Floats:
    """As ``numeric``; raises EvaluationError unless every value is finite."""
    value = numeric(quantity, aligned, what)
    array = np.asarray(value)
    _require(np.isfinite(array), array, what, "finite")
    return value


def at_least_zero(quantity: Quantity, aligned: AlignedData, what: str) -> float | Floats:
    """As ``finite``; raises EvaluationError unless every value is at least 0."""
    value = finite(quantity, aligned, what)
    array = np.asarray(value)
    _require(array >= 0, array, what, "at least 0")
    return value


def positive(quantity: Quantity, aligned: AlignedData, what: str) -> float | Floats:
    """As ``numeric``; raises EvaluationError unless every value is finite and above 0."""
    value = numeric(quantity, aligned, what)
    array = np.asarray(value)
    _require(np.isfinite(array) & (array > 0), array, what, "above 0 and finite")
    return value


def _require(good: Bools | np.bool_, array: Floats, what: str, rule: str) -> None:
    if not np.all(good):
        raise EvaluationError(
            f"{what} must be {rule}, got {np.atleast_1d(array)[~np.atleast_1d(good)][0]}",
            hint=f"check the number, column or parameter bounds given as {what}",
        )


def check_quantity(quantity: object, what: str) -> None:
    """Refuse at construction what can be neither a number, a column name nor a Param."""
    if isinstance(quantity, bool) or not isinstance(quantity, str | Param | Real):
        raise InvalidValue(
            f"{what} must be a number, an observed column or Param(name), got {quantity!r}"
        )


def require_observed_columns(observed: pl.DataFrame, columns: tuple[str, ...]) -> None:
    """Raise ObservedDataError naming the first column that the observed data lacks."""
    for name in columns:
        if name not in observed.columns:
            close = nearest(name, observed.columns)
            raise ObservedDataError(
                f"the observed data has no column {name!r}; "
                f"its columns are {', '.join(observed.columns)}",
                hint=f"did you mean {close[0]!r}?" if close else "check the data and the evaluator",
            )


def require_observed_numbers(observed: pl.DataFrame, columns: tuple[str, ...]) -> None:
    """Raise ObservedDataError naming the first column that is absent or holds no finite numbers."""
    require_observed_columns(observed, columns)
    for name in columns:
        series = observed.get_column(name)
        if not (series.dtype.is_numeric() or series.dtype in {pl.Boolean, pl.Null}):
            raise ObservedDataError(
                f"observed column {name!r} holds {series.dtype}, not numbers",
                hint=f"a stray text such as {series.drop_nulls().head(1).to_list()} makes a whole "
                "column text; check the file",
            )
        if not np.isfinite(series.cast(pl.Float64).drop_nulls().to_numpy()).all():
            raise ObservedDataError(
                f"observed column {name!r} has infinite or missing values",
                hint="correct them, or filter those rows in the target",
            )
