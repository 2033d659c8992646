"""A small stochastic epidemic whose likelihood is known exactly: what the estimator gives for it.

Chain-binomial SIR, N = 60, two infectious at the start, 40 days; observed are reported infections.
The exact log-likelihood at the truth is -28.43840 (binomial reporting, probability 0.6) and
-30.98253 (Poisson with mean 0.6 s + 0.1).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.alignment import ExactJoin
from modelops_calabaria.evaluation.likelihoods import (
    binomial_report_loglik_per_rep,
    poisson_loglik_per_rep,
)
from modelops_calabaria.targets import LikelihoodTarget
from support.scoring import joint

REPORTED = [0, 0, 0, 1, 1, 0, 0, 3, 2, 1, 1, 3, 2, 4, 3, 3, 1] + [0] * 23
BETA, GAMMA, REPORTING = 0.55, 0.25, 0.6
REPEATS = 60


def infections(rng: np.random.Generator, runs: int) -> np.ndarray:
    """New infections per day, shape (runs, 40)."""
    susceptible, infectious = np.full(runs, 58), np.full(runs, 2)
    days = np.empty((runs, 40), dtype=np.int64)
    for day in range(40):
        new = rng.binomial(susceptible, 1 - np.exp(-BETA * infectious / 60))
        recovered = rng.binomial(infectious, 1 - math.exp(-GAMMA))
        susceptible, infectious = susceptible - new, infectious + new - recovered
        days[:, day] = new
    return days


def objectives(family: Any, replicates: int) -> np.ndarray:
    """Minus the objective of 60 independent evaluations at the truth."""
    days = list(range(1, 41))
    observed = {"day": days, "cases": REPORTED}
    target = LikelihoodTarget("cases", "cases", observed, ExactJoin("day"), family)
    runs = infections(np.random.default_rng(1), REPEATS * replicates)
    values = []
    for start in range(0, len(runs), replicates):
        outputs = [
            {"cases": pl.DataFrame({"day": days, "cases": run})}
            for run in runs[start : start + replicates]
        ]
        values.append(-joint([target], outputs).objective)
    return np.array(values)


def test_poisson_noise_gives_a_usable_estimate() -> None:
    values = objectives(poisson_loglik_per_rep("cases", scale=REPORTING, floor=0.1), 500)
    assert values.mean() == pytest.approx(-31.20, abs=0.25)
    assert 0.4 < values.std(ddof=1) < 1.0


def test_few_replicates_of_exact_reporting_are_mostly_impossible_and_never_nan() -> None:
    values = objectives(binomial_report_loglik_per_rep("cases", REPORTING), 5)
    assert not np.isnan(values).any()
    assert 0.85 <= np.isinf(values).mean() <= 1.0
