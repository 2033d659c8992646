"""Counts given a simulated mean or rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.errors import ObservedDataError
from modelops_calabaria.evaluation.families.base import (
    SLACK,
    Family,
    counts,
    require_simulated,
)
from modelops_calabaria.evaluation.quantities import (
    Quantity,
    at_least_zero,
    finite,
    positive,
)


@dataclass(frozen=True, slots=True)
class _Mean:
    """μ = scale * simulated + floor."""

    col: str
    scale: Quantity
    floor: Quantity

    def of(self, aligned: AlignedData) -> Floats:
        scale = at_least_zero(self.scale, aligned, "scale")
        mean = scale * aligned.simulated(self.col) + finite(self.floor, aligned, "floor")
        require_simulated(aligned, mean >= -SLACK, mean, self.col, "a mean of at least 0")
        return np.maximum(mean, 0.0)


@dataclass(frozen=True, slots=True)
class Poisson(Family):
    """y ~ Poisson(μ); y ln μ - μ - ln Γ(y+1). A mean of 0 allows only y = 0."""

    name: ClassVar[str] = "poisson"
    of_observed: ClassVar[tuple[str, ...]] = ("col",)
    of_simulated: ClassVar[tuple[str, ...]] = ("col",)
    of_counts: ClassVar[tuple[str, ...]] = ("col",)
    col: str
    scale: Quantity = 1.0
    floor: Quantity = 0.0

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import gammaln, xlogy

        y = counts(aligned, self.col)
        mean = _Mean(self.col, self.scale, self.floor).of(aligned)
        terms: Floats = np.asarray(xlogy(y, mean), dtype=np.float64)
        terms -= mean
        terms -= gammaln(y + 1)
        return terms

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        mean = _Mean(self.col, self.scale, self.floor).of(aligned)
        return rng.poisson(mean).astype(np.float64)


@dataclass(frozen=True, slots=True)
class NegativeBinomial(Family):
    """Counts with mean μ and variance μ + μ²/k; k grows, the family becomes Poisson.

    ln Γ(y+k) - ln Γ(k) - ln Γ(y+1) + k ln(k/(k+μ)) + y ln(μ/(k+μ)); the first three terms are
    written as -ln B(y+1, k) - ln(y+k), which stays exact for large k.
    """

    name: ClassVar[str] = "neg_binomial"
    of_observed: ClassVar[tuple[str, ...]] = ("col",)
    of_simulated: ClassVar[tuple[str, ...]] = ("col",)
    of_counts: ClassVar[tuple[str, ...]] = ("col",)
    col: str
    k: Quantity
    scale: Quantity = 1.0
    floor: Quantity = 0.0

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import betaln, xlogy

        y = counts(aligned, self.col)
        k = positive(self.k, aligned, "k")
        mean = _Mean(self.col, self.scale, self.floor).of(aligned)
        terms: Floats = np.asarray(xlogy(y, mean / (k + mean)), dtype=np.float64)
        terms -= k * np.log1p(mean / k)
        terms -= betaln(y + 1, k) + np.log(y + k)
        return terms

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        k = positive(self.k, aligned, "k")
        mean = _Mean(self.col, self.scale, self.floor).of(aligned)
        return rng.poisson(rng.gamma(k, 1.0, size=mean.shape) * mean / k).astype(np.float64)


@dataclass(frozen=True, slots=True)
class GammaPoisson(Family):
    """Events per exposure: y_x ~ NegBin(size shape+s_x, success (rate+s_t)/(rate+s_t+y_t)).

    The predictive distribution of a Poisson rate whose Gamma(shape, rate) prior has seen s_x
    simulated events in the simulated exposure s_t.
    """

    name: ClassVar[str] = "gamma_poisson"
    of_observed: ClassVar[tuple[str, ...]] = ("x_col", "t_col")
    of_simulated: ClassVar[tuple[str, ...]] = ("x_col", "t_col")
    of_counts: ClassVar[tuple[str, ...]] = ("x_col",)
    x_col: str
    t_col: str
    shape: Quantity = 1.0
    rate: Quantity = 1.0

    def _posterior(self, aligned: AlignedData) -> tuple[Floats, Floats, Floats]:
        """Size and rate given the simulation, and the observed exposure."""
        events, exposure = aligned.simulated(self.x_col), aligned.simulated(self.t_col)
        require_simulated(aligned, events >= -SLACK, events, self.x_col, "at least 0")
        require_simulated(aligned, exposure >= -SLACK, exposure, self.t_col, "at least 0")
        observed = aligned.observed(self.t_col)
        if (observed < 0).any():
            raise ObservedDataError(f"observed exposure {self.t_col!r} must be at least 0")
        size = positive(self.shape, aligned, "shape") + np.maximum(events, 0.0)
        return size, positive(self.rate, aligned, "rate") + np.maximum(exposure, 0.0), observed

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import betaln, xlogy

        y = counts(aligned, self.x_col)
        size, rate, exposure = self._posterior(aligned)
        total = rate + exposure
        terms: Floats = xlogy(y, exposure / total) + size * np.log(rate / total)
        terms -= betaln(y + 1, size) + np.log(y + size)
        return terms

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        size, rate, exposure = self._posterior(aligned)
        return rng.poisson(rng.gamma(size) / rate * exposure).astype(np.float64)
