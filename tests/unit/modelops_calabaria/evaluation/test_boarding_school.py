"""Influenza in a boarding school, 1978: published fits of a deterministic SIR."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.alignment import ExactJoin
from modelops_calabaria.evaluation.evaluator import mean_signal_mse
from modelops_calabaria.evaluation.likelihoods import (
    neg_binomial_loglik_per_rep,
    poisson_loglik_per_rep,
)
from modelops_calabaria.evaluation.quantities import Param
from modelops_calabaria.targets import LikelihoodTarget, LossTarget
from support.scoring import joint

IN_BED = [3, 8, 26, 76, 225, 298, 258, 233, 189, 128, 68, 29, 14, 4]
OBSERVED = {"day": list(range(1, 15)), "in_bed": IN_BED}
N = 763.0


def infectious(beta: float, gamma: float) -> np.ndarray:
    """I(t) at t = 1..14 from S = 762, I = 1."""
    from scipy.integrate import solve_ivp

    def slope(_t: float, y: np.ndarray) -> list[float]:
        new = beta * y[0] * y[1] / N
        return [-new, new - gamma * y[1]]

    days = np.arange(1.0, 15.0)
    solution = solve_ivp(slope, (0.0, 14.0), [762.0, 1.0], t_eval=days, rtol=1e-8, atol=1e-8)
    return np.asarray(solution.y[1])


def outputs(beta: float, gamma: float) -> list[dict[str, pl.DataFrame]]:
    curve = infectious(beta, gamma)
    return [{"in_bed": pl.DataFrame({"day": np.arange(1, 15), "in_bed": curve})}]


def test_the_curve() -> None:
    assert infectious(1.72664, 0.54105)[:3] == pytest.approx(
        [3.255408, 10.449100, 32.091284], abs=1e-4
    )


@pytest.mark.parametrize(
    ("beta", "gamma", "k", "expected"),
    [(1.72664, 0.54105, 11.974, -60.83501), (1.7, 0.5, 10.0, -61.62559)],
)
def test_negative_binomial(beta: float, gamma: float, k: float, expected: float) -> None:
    target = LikelihoodTarget(
        "in_bed",
        "in_bed",
        OBSERVED,
        ExactJoin("day"),
        neg_binomial_loglik_per_rep("in_bed", k=Param("k")),
    )
    params = {"beta": beta, "gamma": gamma, "k": k}
    evaluation = joint([target], outputs(beta, gamma), params=params)
    assert evaluation.objective == pytest.approx(-expected, abs=1e-4)


def test_poisson() -> None:
    target = LikelihoodTarget(
        "in_bed", "in_bed", OBSERVED, ExactJoin("day"), poisson_loglik_per_rep("in_bed")
    )
    evaluation = joint([target], outputs(1.68943, 0.47612))
    assert evaluation.objective == pytest.approx(76.28908, abs=1e-4)


def test_least_squares() -> None:
    target = LossTarget("in_bed", "in_bed", OBSERVED, ExactJoin("day"), mean_signal_mse("in_bed"))
    evaluation = joint([target], outputs(1.66923, 0.44345))
    assert evaluation.objective == pytest.approx(294.4244, abs=1e-4)
    assert evaluation.objective * 14 == pytest.approx(4121.941, abs=2e-3)


@pytest.mark.parametrize(
    ("r0", "size"), [(3.0, 0.940479791), (2.0, 0.796812130), (1.5, 0.582811644)]
)
def test_final_size(r0: float, size: float) -> None:
    """The curve and the final-size relation agree, so the reference curve itself is right."""
    from scipy.integrate import solve_ivp

    def slope(_t: float, y: np.ndarray) -> list[float]:
        return [-r0 * y[0] * y[1], r0 * y[0] * y[1] - y[1]]

    solution = solve_ivp(slope, (0.0, 400.0), [1 - 1e-12, 1e-12], rtol=1e-10, atol=1e-14)
    assert 1 - solution.y[0, -1] == pytest.approx(size, abs=1e-7)
