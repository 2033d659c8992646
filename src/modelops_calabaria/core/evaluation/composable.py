"""Door: the composed evaluator of losses."""

from __future__ import annotations

from modelops_calabaria.evaluation.evaluator import Evaluator, LossEvaluator
from modelops_calabaria.evaluation.results import TargetLossResult

__all__ = ["Evaluator", "LossEvaluator", "TargetLossResult"]
