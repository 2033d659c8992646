"""What every likelihood family offers, and the checks they share.

A family is a frozen value and a callable ``family(aligned) -> (R,)``: the log-likelihood of the
observations for each replicate. ``pointwise`` gives its terms, ``draw`` simulates observations.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any, ClassVar

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Bools, Floats
from modelops_calabaria.alignment.errors import BadOutputError, ObservedDataError
from modelops_calabaria.evaluation.quantities import (
    check_quantity,
    quantity_columns,
    require_observed_numbers,
)

#: Cells evaluated at once: bounds memory for many replicates and stays within a processor's cache.
BLOCK_CELLS = 1 << 17
#: How far outside its domain rounding may push a simulated value.
SLACK = 1e-9


class Family(ABC):
    """One observation model.

    Concrete families are frozen dataclasses that name, of their fields, those that hold an observed
    column (``of_observed``), a simulated one (``of_simulated``), and an observed column of counts
    (``of_counts``). Every other field is a quantity: a number, an observed column, or a Param.
    """

    name: ClassVar[str]
    #: False where a mean of replicates is no valid simulated value (a count, exposure by design).
    averages_signal: ClassVar[bool] = True
    of_observed: ClassVar[tuple[str, ...]]
    of_simulated: ClassVar[tuple[str, ...]]
    of_counts: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for name in self._quantity_names():
            check_quantity(getattr(self, name), name)

    @property
    def observed_columns(self) -> tuple[str, ...]:
        """Columns needed of the observed data; the first is what predictions are compared with."""
        quantities = (getattr(self, name) for name in self._quantity_names())
        return (*self._held(self.of_observed), *quantity_columns(*quantities))

    @property
    def simulated_columns(self) -> tuple[str, ...]:
        """Columns needed of the simulated tables."""
        return self._held(self.of_simulated)

    def _held(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(getattr(self, name) for name in names)

    def _quantity_names(self) -> tuple[str, ...]:
        columns = {*self.of_observed, *self.of_simulated}
        listed: Any = fields(self)  # type: ignore[arg-type]  # every concrete family is a dataclass
        return tuple(item.name for item in listed if item.name not in columns)

    @abstractmethod
    def pointwise(self, aligned: AlignedData) -> Floats:
        """Log-probabilities, shape (R, n): one per replicate and observed row (or group)."""

    @abstractmethod
    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        """One simulated observation per replicate and row, shape (R, n)."""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys([*self.observed_columns, *self.simulated_columns]))

    def __call__(self, aligned: AlignedData) -> Floats:
        """Log-likelihood per replicate, shape (R,)."""
        sums = [self.pointwise(block).sum(axis=1) for block in aligned.blocks(BLOCK_CELLS)]
        return np.concatenate(sums)

    def check_observed(self, observed: pl.DataFrame) -> None:
        """Refuse observed data this family can never score. Called once per target."""
        require_observed_numbers(observed, self.observed_columns)
        for column in self._held(self.of_counts):
            check_counts(observed, column)


def counts(aligned: AlignedData, column: str) -> Floats:
    """Observed counts (n,): non-negative whole numbers, else ObservedDataError naming the row."""
    values = aligned.observed(column)
    _require_counts(values, column, aligned.describe_key)
    return values


def check_counts(observed: pl.DataFrame, column: str) -> None:
    """As ``counts`` for observed data that is not aligned yet."""
    series = observed.get_column(column)
    if series.dtype == pl.Boolean:
        raise ObservedDataError(f"observed column {column!r} holds {series.dtype}, not counts")
    _require_counts(series.cast(pl.Float64).to_numpy(), column, lambda row: f"row {row}")


def _require_counts(values: Floats, column: str, describe: object) -> None:
    good = (values >= 0) & (np.floor(values) == values)
    if good.all():
        return
    row = int(np.flatnonzero(~good)[0])
    assert callable(describe)
    raise ObservedDataError(
        f"observed column {column!r} must hold non-negative whole numbers; "
        f"it is {values[row]:g} at {describe(row)}",
        hint="use counts, or a family for continuous values such as normal or log_normal",
    )


def require_simulated(
    aligned: AlignedData, good: Bools, values: Floats, column: str, rule: str
) -> None:
    """Raise BadOutputError unless every simulated value lies in the family's domain."""
    if good.all():
        return
    replicate, row = (int(i) for i in np.argwhere(~good)[0])
    raise BadOutputError(
        f"simulated {column!r} is {values[replicate, row]:g} at {aligned.describe_key(row)}; "
        f"it must be {rule} ({int((~good).sum())} such values)",
        replicate=replicate,
        hint="run the model with this seed and look at that row",
    )


def log_choose(n: Floats, k: Floats) -> Floats:
    """ln of n over k, without the cancellation of three log-gammas."""
    from scipy.special import betaln

    result: Floats = -betaln(k + 1, n - k + 1) - np.log1p(n)
    return result


def log_rising(a: Floats, n: Floats) -> Floats:
    """ln of a (a+1) ... (a+n-1) = ln Γ(a+n) - ln Γ(a), exact also where a is far above n."""
    from scipy.special import betaln, gammaln

    several = n > 0
    at_least_one = np.where(several, n, 1.0)
    result: Floats = np.where(several, gammaln(at_least_one) - betaln(a, at_least_one), 0.0)
    return result
