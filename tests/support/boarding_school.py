"""The boarding school outbreak of 1978 as a plain objective, independent of our evaluation code."""

from __future__ import annotations

import numpy as np
from scipy.integrate import solve_ivp
from scipy.special import gammaln

N_BOYS = 763
IN_BED = np.array([3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4], dtype=float)
#: Maximum of the negative binomial log-likelihood over beta, gamma and k.
MAXIMUM_LOGLIK = -60.83501


def infected(beta: float, gamma: float) -> np.ndarray:
    """I(t) on days 1..14 of dS = -beta S I / N, dI = beta S I / N - gamma I."""

    def slope(_t: float, y: np.ndarray) -> list[float]:
        infections = beta * y[0] * y[1] / N_BOYS
        return [-infections, infections - gamma * y[1]]

    days = np.arange(1, 15)
    solution = solve_ivp(slope, (0, 14), [762.0, 1.0], t_eval=days, rtol=1e-8, atol=1e-8)
    return solution.y[1]


def negative_loglik(beta: float, gamma: float, k: float) -> float:
    """Negative log-likelihood of the negative binomial with variance mu + mu^2 / k."""
    mu = infected(beta, gamma)
    log_p = (
        gammaln(IN_BED + k)
        - gammaln(k)
        - gammaln(IN_BED + 1)
        + k * np.log(k / (k + mu))
        + IN_BED * np.log(mu / (k + mu))
    )
    return -float(log_p.sum())
