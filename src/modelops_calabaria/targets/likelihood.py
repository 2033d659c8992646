"""Targets that are scored by a log-likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from modelops_calabaria.alignment.errors import ScoringError
from modelops_calabaria.alignment.strategy import AlignmentStrategy
from modelops_calabaria.evaluation.evaluator import (
    LikelihoodEvaluator,
    LoglikFunction,
    LossEvaluator,
    check_weight,
)
from modelops_calabaria.evaluation.replicates import Estimate
from modelops_calabaria.evaluation.results import TargetLikelihoodResult
from modelops_calabaria.targets.observed import (
    ObservedTarget,
    SimOutputs,
    TargetKind,
    changed,
    prepare_observed,
    require_replicates,
)
from modelops_contracts.errors import InvalidType

__all__ = ["LikelihoodTarget"]


@dataclass(frozen=True, slots=True, eq=False, init=False)
class LikelihoodTarget(ObservedTarget):
    """A target scored by a log-likelihood.

    ``evaluator`` is a LikelihoodEvaluator, or any function ``f(aligned) -> (R,)``. A ``weight``
    other than 1 is a temper exponent. For data and coverage see LossTarget; under "worst" a short
    replicate has log-likelihood -inf.
    """

    evaluator: LikelihoodEvaluator
    weight: float
    kind: ClassVar[TargetKind] = "loglik"

    def __init__(
        self,
        name: str,
        model_output: str | Sequence[str],
        data: object,
        alignment: AlignmentStrategy,
        evaluator: LikelihoodEvaluator | LoglikFunction,
        *,
        coverage: str = "error",
        weight: float = 1.0,
    ) -> None:
        wrapped = _as_likelihood(evaluator, name)
        parts = prepare_observed(name, model_output, data, alignment, wrapped, coverage)
        checked = check_weight(weight, f"target {name}")
        self._fill(parts, evaluator=wrapped, weight=checked)

    def reweighted(self, weight: float) -> LikelihoodTarget:
        return changed(self, weight=check_weight(weight, f"target {self.name}"))

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        params: Mapping[str, Any] | None = None,
        *,
        seeds: Sequence[int] | None = None,
    ) -> TargetLikelihoodResult:
        """Log-likelihoods (R,); -inf for replicates that coverage="worst" finds short."""
        require_replicates(sim_outputs, self.name)
        covered = self.align(sim_outputs, self.evaluator.simulated_columns, seeds)
        scorable = np.flatnonzero(covered.scorable)
        try:
            if covered.scorable.all():
                result = self.evaluator.evaluate(covered.aligned, params)
                return replace(result, target_name=self.name)
            loglik = np.full(len(covered.scorable), -np.inf)
            if len(scorable):
                part = covered.aligned.take_replicates(scorable)
                loglik[scorable] = self.evaluator.evaluate(part, params).loglik_per_rep
        except ScoringError as error:
            raise self.located(error, seeds) from error
        return TargetLikelihoodResult(self.family, loglik, covered.aligned, target_name=self.name)

    def signal(
        self, result: TargetLikelihoodResult, params: Mapping[str, Any] | None = None
    ) -> Estimate:
        """Log-likelihood of the mean of the replicates; -inf when one of them is short."""
        aligned = result.aligned_data
        assert aligned is not None
        coverage = aligned.coverage
        if coverage is not None and coverage.n_unmatched > coverage.n_imputed:
            return Estimate(-np.inf, None)
        return self.evaluator.signal(aligned, params)


def _as_likelihood(evaluator: object, name: str) -> LikelihoodEvaluator:
    if isinstance(evaluator, LikelihoodEvaluator):
        return evaluator
    if isinstance(evaluator, LossEvaluator):
        raise InvalidType(
            f"target {name}: a LossEvaluator is no log-likelihood", hint="use LossTarget"
        )
    if callable(evaluator):
        return LikelihoodEvaluator(evaluator)
    raise InvalidType(f"target {name}: {evaluator!r} is no log-likelihood function")
