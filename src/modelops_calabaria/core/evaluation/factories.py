"""Door: factories of loss evaluators."""

from __future__ import annotations

from modelops_calabaria.evaluation.evaluator import (
    annealed_mse,
    mean_of_per_replicate_mse,
    mean_signal_mse,
    replicate_mean_mse,
)
from modelops_calabaria.evaluation.likelihoods import beta_binomial_loglik_factory

__all__ = [
    "annealed_mse",
    "beta_binomial_loglik_factory",
    "mean_of_per_replicate_mse",
    "mean_signal_mse",
    "replicate_mean_mse",
]
