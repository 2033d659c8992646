"""Likelihood families by the names users write.

Each ``<family>_loglik_per_rep(...)`` returns a callable ``f(aligned) -> (R,)`` that also offers
``columns``, ``pointwise(aligned)`` and ``draw(aligned, rng)``. Family parameters are a number, the
name of an observed column, or ``Param(name)``.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelops_calabaria.evaluation.families.base import Family
from modelops_calabaria.evaluation.families.categories import DirichletMultinomial
from modelops_calabaria.evaluation.families.continuous import LogNormal, Normal, StudentT
from modelops_calabaria.evaluation.families.counts import GammaPoisson, NegativeBinomial, Poisson
from modelops_calabaria.evaluation.families.proportions import (
    BetaBinomial,
    BetaBinomialOverdispersed,
    Binomial,
    BinomialReport,
)
from modelops_calabaria.evaluation.quantities import Quantity
from modelops_contracts.errors import InvalidValue

__all__ = [
    "Family",
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


def poisson_loglik_per_rep(col: str, scale: Quantity = 1.0, floor: Quantity = 0.0) -> Poisson:
    """Counts around the mean scale * simulated + floor."""
    return Poisson(col, scale, floor)


def neg_binomial_loglik_per_rep(
    col: str, k: Quantity, scale: Quantity = 1.0, floor: Quantity = 0.0
) -> NegativeBinomial:
    """Counts around the mean μ = scale * simulated + floor with variance μ + μ²/k."""
    return NegativeBinomial(col, k, scale, floor)


def binomial_loglik_per_rep(p_col: str, x_col: str, n_col: str) -> Binomial:
    """``x_col`` of ``n_col`` observed, probability ``p_col`` simulated."""
    return Binomial(p_col, x_col, n_col)


def binomial_report_loglik_per_rep(col: str, rho: Quantity) -> BinomialReport:
    """Each simulated case is observed with probability rho."""
    return BinomialReport(col, rho)


def beta_binomial_loglik_per_rep(
    x_col: str, n_col: str, alpha: Quantity = 1.0, beta: Quantity = 1.0
) -> BetaBinomial:
    """``x_col`` of ``n_col`` on both sides; Beta(alpha, beta) is the prior of the probability."""
    return BetaBinomial(x_col, n_col, alpha, beta)


def beta_binomial_loglik_factory(
    x_col: str, n_col: str, prior: tuple[float, float] = (1, 1)
) -> BetaBinomial:
    """As ``beta_binomial_loglik_per_rep`` with the prior as a pair."""
    given: object = prior
    if not isinstance(given, tuple) or len(given) != 2:
        raise InvalidValue(f"Prior must be a tuple (alpha, beta), got {prior!r}")
    return BetaBinomial(x_col, n_col, prior[0], prior[1])


def beta_binomial_od_loglik_per_rep(
    p_col: str, x_col: str, n_col: str, rho: Quantity
) -> BetaBinomialOverdispersed:
    """``x_col`` of ``n_col`` observed, probability simulated, over-dispersion rho in (0, 1)."""
    return BetaBinomialOverdispersed(p_col, x_col, n_col, rho)


def gamma_poisson_loglik_per_rep(
    x_col: str, t_col: str, shape: Quantity = 1.0, rate: Quantity = 1.0
) -> GammaPoisson:
    """Events ``x_col`` in exposure ``t_col`` on both sides."""
    return GammaPoisson(x_col, t_col, shape, rate)


def normal_loglik_per_rep(col: str, sd: Quantity) -> Normal:
    """Normal around the simulated value."""
    return Normal(col, sd)


def student_t_loglik_per_rep(col: str, sd: Quantity, nu: Quantity) -> StudentT:
    """Student t with nu degrees of freedom and scale sd around the simulated value."""
    return StudentT(col, sd, nu)


def log_normal_loglik_per_rep(col: str, sd: Quantity, floor: Quantity = 0.0) -> LogNormal:
    """Log-normal around the simulated value + floor; sd is that of the logarithm."""
    return LogNormal(col, sd, floor)


def dirichlet_multinomial_loglik_per_rep(
    category_col: str, col: str, by: str | Sequence[str] = (), prior: Quantity = 1.0
) -> DirichletMultinomial:
    """Counts ``col`` over the categories within each group of equal ``by`` values."""
    groups = (by,) if isinstance(by, str) else tuple(by)
    return DirichletMultinomial(category_col, col, groups, prior)
