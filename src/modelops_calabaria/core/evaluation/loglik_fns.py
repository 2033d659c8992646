"""Door: log-likelihood functions."""

from __future__ import annotations

from modelops_calabaria.evaluation.likelihoods import (
    beta_binomial_loglik_factory,
    beta_binomial_loglik_per_rep,
    beta_binomial_od_loglik_per_rep,
    binomial_loglik_per_rep,
    binomial_report_loglik_per_rep,
    dirichlet_multinomial_loglik_per_rep,
    gamma_poisson_loglik_per_rep,
    log_normal_loglik_per_rep,
    neg_binomial_loglik_per_rep,
    normal_loglik_per_rep,
    poisson_loglik_per_rep,
    student_t_loglik_per_rep,
)

__all__ = [
    "beta_binomial_loglik_factory",
    "beta_binomial_loglik_per_rep",
    "beta_binomial_od_loglik_per_rep",
    "binomial_loglik_per_rep",
    "binomial_report_loglik_per_rep",
    "dirichlet_multinomial_loglik_per_rep",
    "gamma_poisson_loglik_per_rep",
    "log_normal_loglik_per_rep",
    "neg_binomial_loglik_per_rep",
    "normal_loglik_per_rep",
    "poisson_loglik_per_rep",
    "student_t_loglik_per_rep",
]
