"""From replicates to one objective, with its standard error.

Every estimate here comes with influence values u_r: their sample standard deviation over √R is its
standard error, and influences of parts that share replicates add up before the spread is taken.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from modelops_calabaria.alignment.aligned import Floats
from modelops_calabaria.evaluation.reduce import mean

POLICIES: tuple[str, ...] = ("logmeanexp", "mean_loglik", "mean_signal")
FAILURE_POLICIES: tuple[str, ...] = ("fail", "worst")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value over replicates. ``se`` is NaN with one replicate or an infinite value; ``ess`` is
    NaN where it has no meaning.
    """

    value: float
    influence: Floats | None
    ess: float = math.nan

    @property
    def se(self) -> float:
        return math.nan if self.influence is None else spread(self.influence)


def spread(influence: Floats) -> float:
    """sd (ddof 1) / √R of influence values; NaN for one replicate or values that are not finite."""
    r = len(influence)
    if r < 2 or not np.isfinite(influence).all():
        return math.nan
    centre = mean(influence)
    variance = math.fsum(((influence - centre) ** 2).tolist()) / (r - 1)
    return math.sqrt(variance / r)


def logmeanexp(loglik: Floats) -> Estimate:
    """ln((1/R) Σ exp ℓ_r), its delta-method influences w_r / mean w, and the replicate ESS
    (Σw)² / Σw² with w_r = exp(ℓ_r - max ℓ). All ℓ_r = -inf: value -inf, ESS 0.
    """
    top = float(loglik.max())
    if top == -math.inf:
        return Estimate(-math.inf, None, ess=0.0)
    weights = np.exp(loglik - top)
    total = math.fsum(weights.tolist())
    r = len(loglik)
    ess = total * total / math.fsum((weights * weights).tolist())
    return Estimate(top + math.log(total / r), weights * (r / total), ess=ess)


def mean_loglik(loglik: Floats) -> Estimate:
    """(1/R) Σ ℓ_r."""
    if np.isinf(loglik).any():
        return Estimate(-math.inf, None)
    return Estimate(mean(loglik), loglik)
