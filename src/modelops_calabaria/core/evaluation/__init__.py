"""Door: evaluation."""

from __future__ import annotations

from modelops_calabaria.evaluation.aggregate import IdentityAggregator, MeanAcrossReplicates
from modelops_calabaria.evaluation.evaluator import (
    Evaluator,
    LikelihoodEvaluator,
    LossEvaluator,
    annealed_mse,
    mean_of_per_replicate_mse,
    mean_signal_mse,
    replicate_mean_mse,
)
from modelops_calabaria.evaluation.likelihoods import (
    beta_binomial_loglik_factory,
    beta_binomial_loglik_per_rep,
    binomial_loglik_per_rep,
)
from modelops_calabaria.evaluation.losses import SquaredErrorLoss
from modelops_calabaria.evaluation.reduce import MeanGroupedByReplicate, MeanReducer
from modelops_calabaria.evaluation.results import TargetLikelihoodResult, TargetLossResult

__all__ = [
    "Evaluator",
    "IdentityAggregator",
    "LikelihoodEvaluator",
    "LossEvaluator",
    "MeanAcrossReplicates",
    "MeanGroupedByReplicate",
    "MeanReducer",
    "SquaredErrorLoss",
    "TargetLikelihoodResult",
    "TargetLossResult",
    "annealed_mse",
    "beta_binomial_loglik_factory",
    "beta_binomial_loglik_per_rep",
    "binomial_loglik_per_rep",
    "mean_of_per_replicate_mse",
    "mean_signal_mse",
    "replicate_mean_mse",
]
