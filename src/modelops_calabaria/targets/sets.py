"""Several targets of one track, evaluated over the same replicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelops_calabaria.evaluation.replicates import logmeanexp
from modelops_calabaria.evaluation.results import (
    LikelihoodEvaluationResult,
    LossEvaluationResult,
)
from modelops_calabaria.targets.likelihood import LikelihoodTarget
from modelops_calabaria.targets.loss import LossTarget
from modelops_calabaria.targets.observed import SimOutputs
from modelops_contracts.errors import InvalidValue

__all__ = ["LikelihoodTargetSet", "LossTargetSet"]


@dataclass(frozen=True, slots=True, init=False)
class LossTargetSet:
    """Loss targets with the weighted sum of their losses as total."""

    targets: tuple[LossTarget, ...]
    name: str | None

    def __init__(self, targets: Iterable[LossTarget], *, name: str | None = None) -> None:
        object.__setattr__(self, "targets", _distinct(targets))
        object.__setattr__(self, "name", name)

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        seeds: Sequence[int] = (),
        metadata: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> LossEvaluationResult:
        results = tuple(
            target.evaluate(sim_outputs, params, seeds=seeds or None) for target in self.targets
        )
        total = float(sum(result.weighted_loss for result in results))
        return LossEvaluationResult(total, results, tuple(seeds), dict(metadata or {}))


@dataclass(frozen=True, slots=True, init=False)
class LikelihoodTargetSet:
    """Likelihood targets, joined within every replicate and marginalised once."""

    targets: tuple[LikelihoodTarget, ...]
    name: str | None

    def __init__(self, targets: Iterable[LikelihoodTarget], *, name: str | None = None) -> None:
        object.__setattr__(self, "targets", _distinct(targets))
        object.__setattr__(self, "name", name)

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        seeds: Sequence[int] = (),
        metadata: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> LikelihoodEvaluationResult:
        if not self.targets:
            raise InvalidValue("No likelihood targets provided")
        results = tuple(
            target.evaluate(sim_outputs, params, seeds=seeds or None) for target in self.targets
        )
        joint = np.zeros(len(sim_outputs))
        for target, result in zip(self.targets, results, strict=True):
            if target.weight:
                joint = joint + target.weight * result.loglik_per_rep
        log_marginal = logmeanexp(joint).value
        return LikelihoodEvaluationResult(log_marginal, results, tuple(seeds), dict(metadata or {}))


def _distinct(targets: Iterable[Any]) -> tuple[Any, ...]:
    listed = tuple(targets)
    names = [target.name for target in listed]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(
                f"two targets are named {name!r}", hint="give each target its own name"
            )
    return listed
