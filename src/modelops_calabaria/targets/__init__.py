"""Targets: observed data, one model output, an alignment, an evaluator and a coverage policy."""

from __future__ import annotations

from modelops_calabaria.targets.likelihood import LikelihoodTarget
from modelops_calabaria.targets.loss import LossTarget
from modelops_calabaria.targets.observed import SimOutputs, TargetKind
from modelops_calabaria.targets.references import (
    is_target,
    load_target,
    make_target,
    resolve_targets,
)
from modelops_calabaria.targets.scalar import Target, scalar_target
from modelops_calabaria.targets.sets import LikelihoodTargetSet, LossTargetSet

__all__ = [
    "LikelihoodTarget",
    "LikelihoodTargetSet",
    "LossTarget",
    "LossTargetSet",
    "SimOutputs",
    "Target",
    "TargetKind",
    "is_target",
    "load_target",
    "make_target",
    "resolve_targets",
    "scalar_target",
]
