"""Pointwise losses: how far one simulated value is from one observed value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.errors import ObservedDataError
from modelops_calabaria.constants import LOSS_COL
from modelops_calabaria.evaluation.families.base import require_simulated
from modelops_calabaria.evaluation.quantities import (
    Quantity,
    check_quantity,
    positive,
    quantity_columns,
    require_observed_numbers,
)
from modelops_calabaria.evaluation.reduce import metric_names


@runtime_checkable
class LossFunction(Protocol):
    """Adds a column with the loss of every row to aligned data."""

    def compute(self, aligned: AlignedData) -> AlignedData: ...


class PointwiseLoss(ABC):
    """A loss of one column, in Float64. Concrete losses are frozen dataclasses with ``col``."""

    col: str

    @abstractmethod
    def cost(self, aligned: AlignedData) -> Floats:
        """Losses (R, n)."""

    def compute(self, aligned: AlignedData) -> AlignedData:
        return aligned.with_column(LOSS_COL, self.cost(aligned))

    @property
    def observed_columns(self) -> tuple[str, ...]:
        return (self.col,)

    @property
    def simulated_columns(self) -> tuple[str, ...]:
        return (self.col,)

    def check_observed(self, observed: pl.DataFrame) -> None:
        """Refuse observed data this loss can never score. Called once per target."""
        require_observed_numbers(observed, self.observed_columns)


def _difference(aligned: AlignedData, col: str) -> Floats:
    difference: Floats = aligned.observed(col) - aligned.simulated(col)
    return difference


@dataclass(frozen=True, slots=True)
class SquaredErrorLoss(PointwiseLoss):
    """(y - s)²"""

    col: str

    def cost(self, aligned: AlignedData) -> Floats:
        return np.square(_difference(aligned, self.col))


@dataclass(frozen=True, slots=True)
class AbsoluteErrorLoss(PointwiseLoss):
    """|y - s|"""

    col: str

    def cost(self, aligned: AlignedData) -> Floats:
        return np.abs(_difference(aligned, self.col))


@dataclass(frozen=True, slots=True)
class NormalizedAbsoluteErrorLoss(PointwiseLoss):
    """|y - s| / max |y|, the maximum over all observed rows."""

    col: str

    def cost(self, aligned: AlignedData) -> Floats:
        largest = np.abs(aligned.observed(self.col)).max()
        if largest == 0:
            raise ObservedDataError(
                f"all observed values of {self.col!r} are 0; nothing to normalise by",
                hint="use AbsoluteErrorLoss",
            )
        relative: Floats = np.abs(_difference(aligned, self.col)) / largest
        return relative


@dataclass(frozen=True, slots=True)
class ScaledSquaredErrorLoss(PointwiseLoss):
    """((y - s) / sd)², sd a number, an observed column or a parameter."""

    col: str
    sd: Quantity

    def __post_init__(self) -> None:
        check_quantity(self.sd, "sd")

    @property
    def observed_columns(self) -> tuple[str, ...]:
        return (self.col, *quantity_columns(self.sd))

    def cost(self, aligned: AlignedData) -> Floats:
        z: Floats = _difference(aligned, self.col) / positive(self.sd, aligned, "sd")
        return np.square(z)


@dataclass(frozen=True, slots=True)
class LogSquaredErrorLoss(PointwiseLoss):
    """(ln(y + offset) - ln(s + offset))²"""

    col: str
    offset: float = 1.0

    def cost(self, aligned: AlignedData) -> Floats:
        observed = aligned.observed(self.col) + self.offset
        simulated = aligned.simulated(self.col) + self.offset
        if (observed <= 0).any():
            row = int(np.flatnonzero(observed <= 0)[0])
            raise ObservedDataError(
                f"observed {self.col!r} + offset is {observed[row]:g} "
                f"at {aligned.describe_key(row)}; its logarithm does not exist",
                hint="choose a larger offset",
            )
        rule = f"above -{self.offset:g}"
        require_simulated(aligned, simulated > 0, simulated - self.offset, self.col, rule)
        ratio: Floats = np.log(observed) - np.log(simulated)
        return np.square(ratio)


@dataclass(frozen=True, slots=True)
class ScaledMetricLoss(PointwiseLoss):
    """Squared errors of metrics, each divided by its scale: a number, or the observed size."""

    col: str = "value"
    scale: str | Mapping[str, float] | None = field(default=None, hash=False)

    def cost(self, aligned: AlignedData) -> Floats:
        z: Floats = _difference(aligned, self.col) / self._scale(aligned)
        return np.square(z)

    def _scale(self, aligned: AlignedData) -> float | Floats:
        if self.scale is None:
            return 1.0
        names = metric_names(aligned)
        if isinstance(self.scale, Mapping):
            absent = [name for name in names if name not in self.scale]
            if absent:
                raise ObservedDataError(f"scale has no entry for metric {absent[0]!r}")
            scale = np.array([self.scale[name] for name in names], dtype=np.float64)
        else:
            scale = np.abs(aligned.observed(self.col))
        if not (np.isfinite(scale) & (scale > 0)).all():
            row = int(np.flatnonzero(~(scale > 0))[0])
            raise ObservedDataError(
                f"the scale of metric {names[row]!r} is {scale[row]:g}; it must be above 0",
                hint="give scale={metric: number}",
            )
        return scale
