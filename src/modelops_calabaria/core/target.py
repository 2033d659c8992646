"""Door: targets and their results."""

from __future__ import annotations

from modelops_calabaria.evaluation.results import (
    LikelihoodEvaluationResult,
    LossEvaluationResult,
    TargetLikelihoodResult,
    TargetLossResult,
)
from modelops_calabaria.targets import (
    LikelihoodTarget,
    LikelihoodTargetSet,
    LossTarget,
    LossTargetSet,
    Target,
)

__all__ = [
    "LikelihoodEvaluationResult",
    "LikelihoodTarget",
    "LikelihoodTargetSet",
    "LossEvaluationResult",
    "LossTarget",
    "LossTargetSet",
    "Target",
    "TargetLikelihoodResult",
    "TargetLossResult",
]
