"""A chain-binomial epidemic with its exact likelihood under Poisson reporting.

Each day X ~ Bin(S, 1 - exp(-beta I / N)) and Y ~ Bin(I, 1 - exp(-gamma)) from the same S and I;
S -= X, I += X - Y; N = 60, I(0) = 2. Reported counts y ~ Poisson(0.6 X + 0.1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import gammaln
from scipy.stats import binom

N, FIRST = 60, 2
REPORTED = np.array([0, 0, 0, 1, 1, 0, 0, 3, 2, 1, 1, 3, 2, 4, 3, 3, 1] + [0] * 23)


def log_poisson(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    mu = 0.6 * x + 0.1
    return y * np.log(mu) - mu - gammaln(y + 1)


def simulate_loglik(beta: float, gamma: float, seeds: tuple[int, ...]) -> np.ndarray:
    """Log-likelihood of the reports per replicate, all replicates at once."""
    rng = np.random.default_rng(seeds)
    s, i = np.full(len(seeds), N - FIRST), np.full(len(seeds), FIRST)
    total = np.zeros(len(seeds))
    for y in REPORTED:
        x = rng.binomial(s, 1 - np.exp(-beta * i / N))
        recovered = rng.binomial(i, 1 - np.exp(-gamma))
        s, i = s - x, i + x - recovered
        total += log_poisson(x, y)
    return total


def log_binomial_report(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.asarray(binom.logpmf(y, x, 0.6))


def exact_loglik(
    beta: float,
    gamma: float,
    report: Callable[[np.ndarray, np.ndarray], np.ndarray] = log_poisson,
) -> float:
    """Forward algorithm over all states (S, I)."""
    counts = np.arange(N + 1)
    weight = np.zeros((N + 1, N + 1))
    weight[N - FIRST, FIRST] = 1.0
    leave = [binom.pmf(np.arange(i + 1), i, 1 - np.exp(-gamma)) for i in counts]
    infect = [
        binom.pmf(counts[None, :], counts[:, None], 1 - np.exp(-beta * i / N)) for i in counts
    ]
    loglik = 0.0
    for y in REPORTED:
        weight = _step(weight, np.exp(report(counts, y)), infect, leave)
        total = weight.sum()
        loglik += np.log(total)
        weight /= total
    return float(loglik)


def _step(
    weight: np.ndarray, report: np.ndarray, infect: list[np.ndarray], leave: list[np.ndarray]
) -> np.ndarray:
    after = np.zeros_like(weight)
    for i in np.flatnonzero(weight.sum(axis=0)):
        for x in range(N - i + 1):
            came = weight[x:, i] * infect[i][x:, x] * report[x]
            if came.any():
                # leave[i] is by recovered Y; I' = i + x - Y runs from x to x + i.
                after[: len(came), x : x + i + 1] += came[:, None] * leave[i][::-1][None, :]
    return after
