"""From pointwise losses to one number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.columns import observed_name
from modelops_calabaria.alignment.errors import ObservedDataError
from modelops_calabaria.constants import LOSS_COL
from modelops_contracts.errors import InvalidValue, nearest


@runtime_checkable
class Reducer(Protocol):
    """Aligned data with a loss column in, one loss out."""

    def reduce(self, aligned: AlignedData) -> float: ...


def mean(values: Floats) -> float:
    """Mean over replicates; the sum is exact, so that their order does not matter."""
    if np.isinf(values).any():
        return math.inf
    return math.fsum(values.tolist()) / len(values)


@dataclass(frozen=True, slots=True)
class MeanReducer:
    """Mean over all rows of all replicates."""

    def per_replicate(self, aligned: AlignedData) -> Floats:
        losses: Floats = aligned.grid(LOSS_COL).mean(axis=1)
        return losses

    def reduce(self, aligned: AlignedData) -> float:
        return mean(self.per_replicate(aligned))


@dataclass(frozen=True, slots=True)
class MeanGroupedByReplicate:
    """Mean over replicates of the mean over rows."""

    def per_replicate(self, aligned: AlignedData) -> Floats:
        if aligned.replicate_col is None:
            raise InvalidValue(
                "the mean by replicate requires a replicate column",
                hint="align a list of tables, one per replicate, or use MeanReducer",
            )
        losses: Floats = aligned.grid(LOSS_COL).mean(axis=1)
        return losses

    def reduce(self, aligned: AlignedData) -> float:
        return mean(self.per_replicate(aligned))


@dataclass(frozen=True, slots=True)
class MeanOverMetrics:
    """Mean over replicates of the weighted mean over metrics.

    A metric with an index counts as the mean over its index values. Weights come from ``weights``,
    else from a ``weight`` column of the observed data, else they are equal.
    """

    metrics: tuple[str, ...] | None = None
    weights: Mapping[str, float] | None = field(default=None, hash=False)

    def per_replicate(self, aligned: AlignedData) -> Floats:
        names = metric_names(aligned)
        weights = self._row_weights(aligned, names)
        # No matrix product: its order of summation depends on the machine.
        losses: Floats = (aligned.grid(LOSS_COL) * weights).sum(axis=1) / weights.sum()
        return losses

    def reduce(self, aligned: AlignedData) -> float:
        return mean(self.per_replicate(aligned))

    def _row_weights(self, aligned: AlignedData, names: list[str]) -> Floats:
        """Weight of every row: that of its metric, shared by the rows of the metric."""
        chosen = self._chosen(names)
        rows = {name: names.count(name) for name in chosen}
        given = np.ones(len(names))
        if self.weights is None and observed_name("weight") in aligned.data.columns:
            given = aligned.observed("weight")
        elif self.weights is not None:
            _require_known(self.weights, names, "weights")
            given = np.array([self.weights.get(name, 1.0) for name in names], dtype=np.float64)
        share = np.array([1 / rows[name] if name in rows else 0.0 for name in names])
        weights: Floats = given * share
        if not (np.isfinite(weights) & (weights >= 0)).all() or not weights.sum() > 0:
            raise ObservedDataError("weights of metrics must be finite, >= 0 and not all 0")
        return weights

    def _chosen(self, names: list[str]) -> list[str]:
        found = list(dict.fromkeys(names))
        if self.metrics is None:
            return found
        _require_known(dict.fromkeys(self.metrics, 1.0), names, "metric")
        return list(self.metrics)


def metric_names(aligned: AlignedData) -> list[str]:
    """Metric of every observed row; raises when the table was not aligned by metrics."""
    keys = aligned.observed_keys()
    if "metric" not in keys.columns:
        raise ObservedDataError(
            f"there is no metric among the keys ({', '.join(keys.columns)})",
            hint="use MetricAlignment with metric_mse",
        )
    return [str(name) for name in keys.get_column("metric").to_list()]


def _require_known(asked: Mapping[str, float], names: list[str], what: str) -> None:
    for name in asked:
        if name not in names:
            close = nearest(name, names)
            raise ObservedDataError(
                f"{what}: no metric {name!r}; there are {', '.join(dict.fromkeys(names))}",
                hint=f"did you mean {close[0]!r}?" if close else None,
            )
