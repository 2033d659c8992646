"""Targets that are scored by a loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from modelops_calabaria.alignment.aligned import AlignedData
from modelops_calabaria.alignment.errors import ScoringError
from modelops_calabaria.alignment.strategy import AlignmentStrategy
from modelops_calabaria.evaluation.evaluator import LossEvaluator, with_weight
from modelops_calabaria.evaluation.results import TargetLossResult
from modelops_calabaria.targets.observed import (
    ObservedTarget,
    SimOutputs,
    TargetKind,
    changed,
    prepare_observed,
    require_replicates,
)
from modelops_contracts.errors import InvalidType

__all__ = ["LossTarget"]


@dataclass(frozen=True, slots=True, eq=False, init=False)
class LossTarget(ObservedTarget):
    """A target scored by a loss.

    ``data`` is a polars or pandas frame, a mapping of columns, or the path of a csv or parquet.
    Rows in which a compared column is missing are left out for every parameter set and counted.
    ``coverage`` says what an observed row without simulated partner means: "error", "worst" (the
    replicate's loss is infinite) or "zero" (the simulated value is 0).
    """

    evaluator: LossEvaluator
    kind: ClassVar[TargetKind] = "loss"

    def __init__(
        self,
        name: str,
        model_output: str | Sequence[str],
        data: object,
        alignment: AlignmentStrategy,
        evaluator: LossEvaluator,
        *,
        coverage: str = "error",
    ) -> None:
        given: object = evaluator
        if not isinstance(given, LossEvaluator):
            raise InvalidType(f"target {name}: evaluator must be a LossEvaluator, got {given!r}")
        parts = prepare_observed(name, model_output, data, alignment, evaluator, coverage)
        self._fill(parts, evaluator=evaluator)

    @property
    def weight(self) -> float:
        return self.evaluator.weight

    def reweighted(self, weight: float) -> LossTarget:
        return changed(self, evaluator=with_weight(self.evaluator, weight))

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        params: Mapping[str, Any] | None = None,
        *,
        seeds: Sequence[int] | None = None,
    ) -> TargetLossResult:
        """The loss over all replicates; infinite when coverage="worst" meets a short replicate."""
        require_replicates(sim_outputs, self.name)
        covered = self.align(sim_outputs, self.evaluator.simulated_columns, seeds)
        scorable = np.flatnonzero(covered.scorable)
        if covered.scorable.all():
            return replace(self._score(covered.aligned, params, seeds), target_name=self.name)
        per_replicate = np.full(len(covered.scorable), np.inf)
        if len(scorable):
            part = self._score(covered.aligned.take_replicates(scorable), params, seeds)
            assert part.per_replicate is not None
            per_replicate[scorable] = part.per_replicate
        return TargetLossResult(
            name=self.family,
            loss=np.inf,
            weight=self.weight,
            weighted_loss=np.inf if self.weight else 0.0,
            aligned_data=covered.aligned,
            per_replicate=per_replicate,
            target_name=self.name,
        )

    def _score(
        self, aligned: AlignedData, params: Mapping[str, Any] | None, seeds: Sequence[int] | None
    ) -> TargetLossResult:
        try:
            return self.evaluator.evaluate(aligned, params)
        except ScoringError as error:
            raise self.located(error, seeds) from error
