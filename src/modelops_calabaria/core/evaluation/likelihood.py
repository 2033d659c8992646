"""Door: the evaluator of likelihoods."""

from __future__ import annotations

from modelops_calabaria.evaluation.evaluator import LikelihoodEvaluator
from modelops_calabaria.evaluation.results import TargetLikelihoodResult

__all__ = ["LikelihoodEvaluator", "TargetLikelihoodResult"]
