"""Counts over categories within groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.errors import ObservedDataError
from modelops_calabaria.evaluation.families.base import (
    SLACK,
    Family,
    check_counts,
    counts,
    require_simulated,
)
from modelops_calabaria.evaluation.quantities import (
    Quantity,
    check_quantity,
    positive,
    quantity_columns,
    require_observed_columns,
    require_observed_numbers,
)


@dataclass(frozen=True, slots=True)
class DirichletMultinomial(Family):
    """Counts of each ``by`` group over categories: Dirichlet-multinomial with α = simulated +
    prior.

    One term per replicate and group: ln Γ(A) - ln Γ(N+A) + ln Γ(N+1) + Σ ln Γ(y+α) - ln Γ(α) -
    ln Γ(y+1), with A and N the sums of α and y over the categories of the group.
    """

    name: ClassVar[str] = "dirichlet_multinomial"
    category_col: str
    col: str
    by: tuple[str, ...]
    prior: Quantity = 1.0

    def __post_init__(self) -> None:
        check_quantity(self.prior, "prior")

    @property
    def observed_columns(self) -> tuple[str, ...]:
        return (self.col, *quantity_columns(self.prior))

    @property
    def simulated_columns(self) -> tuple[str, ...]:
        return (self.col,)

    def check_observed(self, observed: pl.DataFrame) -> None:
        require_observed_columns(observed, (self.category_col, *self.by))
        require_observed_numbers(observed, self.observed_columns)
        check_counts(observed, self.col)

    def _groups(self, aligned: AlignedData) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Order that puts the rows of a group together, and where each group starts."""
        keys = aligned.observed_keys()
        for name in (self.category_col, *self.by):
            if name not in keys.columns:
                raise ObservedDataError(
                    f"{name!r} is no key of the alignment; its keys are {', '.join(keys.columns)}",
                    hint="join on the category and the by columns",
                )
        if not self.by:
            return np.arange(keys.height), np.zeros(1, dtype=np.int64)
        label = (
            keys.select(pl.struct(self.by).rank("dense")).to_series().to_numpy().astype(np.int64)
        )
        order = np.argsort(label, kind="stable")
        starts = np.flatnonzero(np.diff(label[order], prepend=-1))
        return order, starts

    def _alpha(self, aligned: AlignedData) -> Floats:
        simulated = aligned.simulated(self.col)
        require_simulated(aligned, simulated >= -SLACK, simulated, self.col, "at least 0")
        return np.maximum(simulated, 0.0) + positive(self.prior, aligned, "prior")

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import gammaln

        order, starts = self._groups(aligned)
        y = counts(aligned, self.col)[order]
        alpha = self._alpha(aligned)[:, order]
        total = np.add.reduceat(alpha, starts, axis=1)
        n = np.add.reduceat(y, starts)
        cells = gammaln(y + alpha) - gammaln(alpha) - gammaln(y + 1)
        groups: Floats = gammaln(total) - gammaln(n + total) + gammaln(n + 1)
        return groups + np.add.reduceat(cells, starts, axis=1)

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        order, starts = self._groups(aligned)
        y = counts(aligned, self.col)[order]
        alpha = self._alpha(aligned)[:, order]
        drawn = np.empty_like(alpha)
        stops = [*starts[1:], len(y)]
        for start, stop in zip(starts, stops, strict=True):
            share = _draw_shares(alpha[:, start:stop], rng)
            drawn[:, start:stop] = rng.multinomial(int(y[start:stop].sum()), share)
        result = np.empty_like(drawn)
        result[:, order] = drawn
        return result


def _draw_shares(alpha: Floats, rng: np.random.Generator) -> Floats:
    """One Dirichlet(α) draw per row, by logarithms: a small α draws weights that round to 0.

    Gamma(α) is distributed as Gamma(α + 1) U^(1/α) (Marsaglia and Tsang 2000, section 6).
    """
    uniform = 1.0 - rng.random(alpha.shape)
    logs = np.log(rng.gamma(alpha + 1)) + np.log(uniform) / alpha
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares
