"""Continuous observations around the simulated value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.errors import ObservedDataError
from modelops_calabaria.evaluation.families.base import SLACK, Family, require_simulated
from modelops_calabaria.evaluation.quantities import (
    Quantity,
    finite,
    positive,
)

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@dataclass(frozen=True, slots=True)
class Normal(Family):
    """y ~ Normal(simulated, sd)."""

    name: ClassVar[str] = "normal"
    of_observed: ClassVar[tuple[str, ...]] = ("col",)
    of_simulated: ClassVar[tuple[str, ...]] = ("col",)
    col: str
    sd: Quantity

    def pointwise(self, aligned: AlignedData) -> Floats:
        sd = positive(self.sd, aligned, "sd")
        z = (aligned.observed(self.col) - aligned.simulated(self.col)) / sd
        terms: Floats = -0.5 * z * z - np.log(sd) - _HALF_LOG_2PI
        return terms

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        return rng.normal(aligned.simulated(self.col), positive(self.sd, aligned, "sd"))


@dataclass(frozen=True, slots=True)
class StudentT(Family):
    """y = simulated + sd * t with nu degrees of freedom: heavy tails for outliers."""

    name: ClassVar[str] = "student_t"
    of_observed: ClassVar[tuple[str, ...]] = ("col",)
    of_simulated: ClassVar[tuple[str, ...]] = ("col",)
    col: str
    sd: Quantity
    nu: Quantity

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import betaln

        sd, nu = positive(self.sd, aligned, "sd"), positive(self.nu, aligned, "nu")
        z = (aligned.observed(self.col) - aligned.simulated(self.col)) / sd
        # The beta function stays exact for large nu, where two log-gammas lose all digits.
        height = -betaln(nu / 2, 0.5) - 0.5 * np.log(nu) - np.log(sd)
        terms: Floats = height - (nu + 1) / 2 * np.log1p(z * z / nu)
        return terms

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        sd, nu = positive(self.sd, aligned, "sd"), positive(self.nu, aligned, "nu")
        centre = aligned.simulated(self.col)
        return centre + sd * rng.standard_t(nu, size=centre.shape)


@dataclass(frozen=True, slots=True)
class LogNormal(Family):
    """ln y ~ Normal(ln μ, sd), μ = simulated + floor; density in y. A mean of 0 is impossible."""

    name: ClassVar[str] = "log_normal"
    of_observed: ClassVar[tuple[str, ...]] = ("col",)
    of_simulated: ClassVar[tuple[str, ...]] = ("col",)
    col: str
    sd: Quantity
    floor: Quantity = 0.0

    def check_observed(self, observed: pl.DataFrame) -> None:
        Family.check_observed(self, observed)
        values = observed.get_column(self.col).cast(pl.Float64).to_numpy()
        _require_above_zero(values, self.col, [f"row {row}" for row in range(len(values))])

    def _mean(self, aligned: AlignedData) -> Floats:
        mean = aligned.simulated(self.col) + finite(self.floor, aligned, "floor")
        require_simulated(aligned, mean >= -SLACK, mean, self.col, "at least 0")
        return np.maximum(mean, 0.0)

    def pointwise(self, aligned: AlignedData) -> Floats:
        y, sd = aligned.observed(self.col), positive(self.sd, aligned, "sd")
        if (y <= 0).any():
            _require_above_zero(y, self.col, [aligned.describe_key(i) for i in range(len(y))])
        mean = self._mean(aligned)
        possible = mean > 0
        z = (np.log(y) - np.log(np.where(possible, mean, 1.0))) / sd
        terms = -0.5 * z * z - np.log(sd) - np.log(y) - _HALF_LOG_2PI
        return np.where(possible, terms, -np.inf)

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        mean = self._mean(aligned)
        noise = rng.normal(0.0, positive(self.sd, aligned, "sd"), size=mean.shape)
        return mean * np.exp(noise)


def _require_above_zero(values: Floats, column: str, places: list[str]) -> None:
    bad = np.flatnonzero(values <= 0)
    if len(bad):
        raise ObservedDataError(
            f"observed column {column!r} must be above 0 for log_normal; "
            f"it is {values[bad[0]]:g} at {places[int(bad[0])]}",
            hint="filter those rows in the target, or use another family",
        )
