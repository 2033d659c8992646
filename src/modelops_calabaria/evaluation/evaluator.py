"""Evaluators: aligned data in, a loss or log-likelihoods out."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.errors import EvaluationError
from modelops_calabaria.evaluation.aggregate import (
    Aggregator,
    IdentityAggregator,
    MeanAcrossReplicates,
    mean_of_others,
)
from modelops_calabaria.evaluation.families.base import Family
from modelops_calabaria.evaluation.losses import (
    LossFunction,
    PointwiseLoss,
    ScaledMetricLoss,
    SquaredErrorLoss,
)
from modelops_calabaria.evaluation.quantities import bind_params
from modelops_calabaria.evaluation.reduce import (
    MeanGroupedByReplicate,
    MeanOverMetrics,
    Reducer,
)
from modelops_calabaria.evaluation.replicates import Estimate
from modelops_calabaria.evaluation.results import TargetLikelihoodResult, TargetLossResult
from modelops_contracts.errors import InvalidValue

LoglikFunction = Callable[[AlignedData], Floats]


@dataclass(frozen=True, slots=True)
class LossEvaluator:
    """aggregate -> pointwise loss -> reduce. Lower is better."""

    aggregator: Aggregator
    loss_fn: LossFunction
    reducer: Reducer
    weight: float = 1.0
    name: str | None = None

    def __post_init__(self) -> None:
        check_weight(self.weight, self.label)

    @property
    def label(self) -> str:
        return self.name or type(self.loss_fn).__name__

    @property
    def simulated_columns(self) -> tuple[str, ...] | None:
        """Compared columns; None when a user's own loss does not say."""
        columns: tuple[str, ...] | None = getattr(self.loss_fn, "simulated_columns", None)
        return columns

    @property
    def observed_columns(self) -> tuple[str, ...] | None:
        columns: tuple[str, ...] | None = getattr(self.loss_fn, "observed_columns", None)
        return columns

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys([*(self.observed_columns or ()), *(self.simulated_columns or ())])
        )

    def check_observed(self, observed: pl.DataFrame) -> None:
        if isinstance(self.loss_fn, PointwiseLoss):
            self.loss_fn.check_observed(observed)

    def evaluate(
        self, aligned: AlignedData, params: Mapping[str, Any] | None = None
    ) -> TargetLossResult:
        """The loss with its jackknife pseudo-values, one per replicate."""
        evaluator = bind_params(self, params)
        loss, pseudo = evaluator._score(aligned)
        if math.isnan(loss) or np.isnan(pseudo).any():
            raise EvaluationError(
                f"{self.label} returned NaN", hint="a loss function must return numbers"
            )
        return TargetLossResult(
            name=self.label,
            loss=loss,
            weight=self.weight,
            weighted_loss=self.weight * loss if self.weight else 0.0,
            aligned_data=aligned,
            per_replicate=pseudo,
        )

    def _score(self, aligned: AlignedData) -> tuple[float, Floats]:
        table = self.loss_fn.compute(self.aggregator.aggregate(aligned))
        loss = float(self.reducer.reduce(table))
        r = aligned.n_replicates
        per_replicate = getattr(self.reducer, "per_replicate", None)
        if isinstance(self.aggregator, IdentityAggregator) and per_replicate is not None:
            return loss, per_replicate(table)
        if r == 1 or math.isinf(loss):
            return loss, np.full(r, loss)
        return loss, r * loss - (r - 1) * self._without_each(aligned)

    def _without_each(self, aligned: AlignedData) -> Floats:
        """The loss without replicate r, for every r."""
        leave_one_out = getattr(self.aggregator, "leave_one_out", None)
        per_replicate = getattr(self.reducer, "per_replicate", None)
        if leave_one_out is not None and per_replicate is not None:
            losses: Floats = per_replicate(self.loss_fn.compute(leave_one_out(aligned)))
            return losses
        everyone = np.arange(aligned.n_replicates)
        return np.array([self._loss(aligned, np.delete(everyone, r)) for r in everyone])

    def _loss(self, aligned: AlignedData, chosen: npt.NDArray[np.integer[Any]]) -> float:
        table = self.aggregator.aggregate(aligned.take_replicates(chosen))
        return float(self.reducer.reduce(self.loss_fn.compute(table)))


Evaluator = LossEvaluator


@dataclass(frozen=True, slots=True)
class LikelihoodEvaluator:
    """A log-likelihood per replicate. Higher is better."""

    loglik_fn: LoglikFunction
    name: str | None = None

    @property
    def label(self) -> str:
        return self.name or function_name(self.loglik_fn)

    @property
    def simulated_columns(self) -> tuple[str, ...] | None:
        return _declared(self.loglik_fn, "simulated_columns")

    @property
    def observed_columns(self) -> tuple[str, ...] | None:
        return _declared(self.loglik_fn, "observed_columns")

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(
            dict.fromkeys([*(self.observed_columns or ()), *(self.simulated_columns or ())])
        )

    def check_observed(self, observed: pl.DataFrame) -> None:
        if isinstance(self.loglik_fn, Family):
            self.loglik_fn.check_observed(observed)

    def evaluate(
        self, aligned: AlignedData, params: Mapping[str, Any] | None = None
    ) -> TargetLikelihoodResult:
        """Log-likelihoods (R,); raises EvaluationError naming the function for anything else."""
        loglik = bind_params(self.loglik_fn, params)(aligned)
        checked = _checked_loglik(loglik, aligned.n_replicates, self.label)
        return TargetLikelihoodResult(self.label, checked, aligned)

    def signal(self, aligned: AlignedData, params: Mapping[str, Any] | None = None) -> Estimate:
        """Σ_i log p(y_i | mean of the replicates), with jackknife pseudo-values as influence.

        Raises InvalidValue for families that have no meaning for a mean of replicates.
        """
        family = bind_params(self.loglik_fn, params)
        if not isinstance(family, Family) or not family.averages_signal:
            raise InvalidValue(
                f"replicates='mean_signal' makes no sense for {self.label}",
                hint="use replicates='logmeanexp'",
            )
        table = aligned.canonical()
        mean = table.take_replicates([0])
        others = table
        r = table.n_replicates
        for name in family.simulated_columns:
            values = table.simulated(name)
            mean = mean.with_simulated(name, values.mean(axis=0, keepdims=True))
            if r > 1:
                others = others.with_simulated(name, mean_of_others(values))
        value = float(family(mean)[0])
        if r == 1 or not math.isfinite(value):
            return Estimate(value, None)
        return Estimate(value, r * value - (r - 1) * family(others))


def _declared(function: object, name: str) -> tuple[str, ...] | None:
    """Columns a log-likelihood function says it uses; None when it does not say."""
    columns = getattr(function, name, None)
    if columns is None:
        columns = getattr(function, "columns", None)
    return None if columns is None else tuple(columns)


def function_name(function: object) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", None)
    return str(name or type(function).__name__)


def _checked_loglik(loglik: object, n_replicates: int, name: str) -> Floats:
    values = np.asarray(loglik, dtype=np.float64)
    if values.shape != (n_replicates,):
        raise EvaluationError(
            f"{name} returned shape {values.shape} for {n_replicates} replicates",
            hint="return one log-likelihood per replicate, shape (R,)",
        )
    bad = np.flatnonzero(np.isnan(values) | (values == np.inf))
    if len(bad):
        raise EvaluationError(
            f"{name} returned {values[bad[0]]}",
            replicate=int(bad[0]),
            hint="return a number, or -inf for an impossible observation",
        )
    return values


def check_weight(weight: object, what: str) -> float:
    """Weights are finite numbers and at least 0."""
    if not (isinstance(weight, Real) and 0 <= (value := float(weight)) < math.inf):
        raise InvalidValue(f"weight of {what} must be finite and at least 0, got {weight!r}")
    return value


# -- factories -----------------------------------------------------------------------------------


def annealed(
    loss: PointwiseLoss | LossFunction, weight: float = 1.0, *, name: str | None = None
) -> LossEvaluator:
    """Mean over replicates of the mean loss of each: (1/R) Σ_r (1/n) Σ_i loss(y_i, s_ri)."""
    label = name or f"annealed[{_loss_label(loss)}]"
    return LossEvaluator(IdentityAggregator(), loss, MeanGroupedByReplicate(), weight, label)


def mean_signal(
    loss: PointwiseLoss | LossFunction, weight: float = 1.0, *, name: str | None = None
) -> LossEvaluator:
    """Mean loss of the mean of the replicates: (1/n) Σ_i loss(y_i, mean_r s_ri)."""
    columns = getattr(loss, "simulated_columns", None)
    if not columns:
        raise InvalidValue(
            "mean_signal needs a loss that names its columns",
            hint="give the loss a simulated_columns attribute, or build a LossEvaluator",
        )
    label = name or f"mean_signal[{_loss_label(loss)}]"
    return LossEvaluator(
        MeanAcrossReplicates(columns), loss, MeanGroupedByReplicate(), weight, label
    )


def _loss_label(loss: object) -> str:
    return f"{type(loss).__name__}[{getattr(loss, 'col', '')}]"


def annealed_mse(col: str, weight: float = 1.0) -> LossEvaluator:
    """Mean squared error of every replicate, averaged."""
    return annealed(SquaredErrorLoss(col), weight, name=f"annealed_mse[{col}]")


def mean_signal_mse(col: str, weight: float = 1.0) -> LossEvaluator:
    """Mean squared error of the mean of the replicates."""
    return mean_signal(SquaredErrorLoss(col), weight, name=f"mean_signal_mse[{col}]")


def mean_of_per_replicate_mse(col: str, weight: float = 1.0) -> LossEvaluator:
    """Another name of ``annealed_mse``."""
    return annealed_mse(col, weight)


def replicate_mean_mse(col: str, weight: float = 1.0) -> LossEvaluator:
    """Another name of ``mean_signal_mse``."""
    return mean_signal_mse(col, weight)


def metric_mse(
    metric: str | Sequence[str] | None = None,
    weights: Mapping[str, float] | None = None,
    scale: str | Mapping[str, float] | None = None,
) -> LossEvaluator:
    """Weighted mean over metrics of squared errors, averaged over replicates.

    For targets with MetricAlignment. ``metric`` restricts to some, ``weights`` and ``scale`` are by
    metric; ``scale="observed"`` divides by the observed size.
    """
    names = (metric,) if isinstance(metric, str) else None if metric is None else tuple(metric)
    if scale is not None and scale != "observed" and not isinstance(scale, Mapping):
        raise InvalidValue(f"scale must be None, 'observed' or a mapping, got {scale!r}")
    reducer = MeanOverMetrics(names, None if weights is None else dict(weights))
    label = f"metric_mse[{', '.join(names) if names else '*'}]"
    return LossEvaluator(
        IdentityAggregator(), ScaledMetricLoss("value", scale), reducer, 1.0, label
    )


def with_weight(evaluator: LossEvaluator, weight: float) -> LossEvaluator:
    return replace(evaluator, weight=check_weight(weight, evaluator.label))
