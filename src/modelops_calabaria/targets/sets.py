"""Several targets of one track, evaluated over the same replicates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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

T = TypeVar("T", bound=LossTarget | LikelihoodTarget)


@dataclass(frozen=True, slots=True, init=False)
class _TargetSet(Generic[T]):
    """Targets with distinct names, evaluated over the same replicates."""

    targets: tuple[T, ...]
    name: str | None

    def __init__(self, targets: Iterable[T], *, name: str | None = None) -> None:
        object.__setattr__(self, "targets", _distinct(targets))
        object.__setattr__(self, "name", name)

    def _evaluate_each(
        self, sim_outputs: SimOutputs, seeds: Sequence[int], params: Mapping[str, Any] | None
    ) -> tuple[Any, ...]:
        return tuple(
            target.evaluate(sim_outputs, params, seeds=seeds or None) for target in self.targets
        )


@dataclass(frozen=True, slots=True, init=False)
class LossTargetSet(_TargetSet[LossTarget]):
    """Loss targets with the weighted sum of their losses as total."""

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        seeds: Sequence[int] = (),
        metadata: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> LossEvaluationResult:
        """One result per target; the total is 0.0 of an empty set."""
        results = self._evaluate_each(sim_outputs, seeds, params)
        total = float(sum(result.weighted_loss for result in results))
        return LossEvaluationResult(total, results, tuple(seeds), dict(metadata or {}))


@dataclass(frozen=True, slots=True, init=False)
class LikelihoodTargetSet(_TargetSet[LikelihoodTarget]):
    """Likelihood targets, joined within every replicate and marginalised once."""

    def evaluate(
        self,
        sim_outputs: SimOutputs,
        seeds: Sequence[int] = (),
        metadata: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
    ) -> LikelihoodEvaluationResult:
        """Log-likelihoods (R,) per target, and their joint marginal. Raises ValueError of an empty
        set."""
        if not self.targets:
            raise InvalidValue("No likelihood targets provided")
        results = self._evaluate_each(sim_outputs, seeds, params)
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
