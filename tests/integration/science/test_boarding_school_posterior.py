"""The posterior of the boarding-school outbreak by a grid study and the priors of a space.

Negative binomial counts around a deterministic SIR; priors on beta, gamma and 1/k. The expected
values come from quadrature on a much finer grid.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import modelops_calabaria as cb
from support.boarding_school import infected

DATA = Path(__file__).resolve().parents[2] / "data" / "boarding_school_1978.csv"
DAYS = np.arange(1, 15)
RANGES = {"beta": (1.35, 2.25), "gamma": (0.30, 0.85), "over": (0.01, 2.0)}  # over = 1/k
POINTS = {"beta": 25, "gamma": 25, "over": 15}
DESIGN = cb.ParameterSpace(
    [
        cb.ParameterSpec("beta", *RANGES["beta"]),
        cb.ParameterSpec("gamma", *RANGES["gamma"]),
        cb.ParameterSpec("over", *RANGES["over"], transform="log"),
    ]
)
BELIEFS = cb.ParameterSpace(
    [
        cb.ParameterSpec("beta", 0.0, 20.0, prior=cb.Prior("normal", 2, 1)),
        cb.ParameterSpec("gamma", 0.0, 20.0, prior=cb.Prior("normal", 0.4, 0.5)),
        cb.ParameterSpec("over", 0.0, 50.0, prior=cb.Prior("exponential", 0.2)),
    ]
)


def curves(beta: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """I(t) on days 1..14 of many SIRs at once, by Runge-Kutta steps of 1/50 day. Shape (n, 14)."""
    per_day = 50
    h = 1 / per_day
    y = np.stack([np.full(len(beta), 762.0), np.full(len(beta), 1.0)])

    def slope(y: np.ndarray) -> np.ndarray:
        new = beta * y[0] * y[1] / 763
        return np.stack([-new, new - gamma * y[1]])

    kept = []
    for step in range(14 * per_day):
        a = slope(y)
        b = slope(y + h / 2 * a)
        c = slope(y + h / 2 * b)
        d = slope(y + h * c)
        y = y + h / 6 * (a + 2 * b + 2 * c + d)
        if (step + 1) % per_day == 0:
            kept.append(y[1])
    return np.stack(kept, axis=1)


@pytest.fixture(scope="module")
def posterior() -> pl.DataFrame:
    """The grid with one column `weight` that sums to 1, and the log evidence."""
    design = cb.GridSampler(DESIGN, POINTS)
    rows = design.frame(design.grid_size())
    assert rows.height == 25 * 25 * 15
    loglik = score(rows)
    prior = np.array([BELIEFS.log_prior(row) for row in rows.to_dicts()])
    # Nodes are equally far apart in log(over), so each stands for a cell that grows with over.
    log_weight = loglik + prior + np.log(rows["over"].to_numpy())
    joint = np.exp(log_weight)
    evidence = math.log(joint.sum() * cell())
    return rows.with_columns(weight=joint / joint.sum(), evidence=pl.lit(evidence))


def cell() -> float:
    steps = [(RANGES[name][1] - RANGES[name][0]) / (POINTS[name] - 1) for name in ("beta", "gamma")]
    return steps[0] * steps[1] * math.log(RANGES["over"][1] / RANGES["over"][0]) / 14


def score(rows: pl.DataFrame) -> np.ndarray:
    """Log-likelihoods by the evaluator: curves stand side by side, one block per dispersion."""
    observed = pl.read_csv(DATA).select("day", in_bed="in_bed_outbreaks_pkg")
    pairs = rows.select("beta", "gamma").unique(maintain_order=True)
    simulated = curves(pairs["beta"].to_numpy(), pairs["gamma"].to_numpy())
    tables = [{"in_bed": pl.DataFrame({"day": DAYS, "in_bed": curve})} for curve in simulated]
    target = cb.LikelihoodTarget(
        "in_bed",
        "in_bed",
        observed,
        cb.ExactJoin("day"),
        cb.neg_binomial_loglik_per_rep("in_bed", k=cb.Param("k")),
    )
    known = {
        (beta, gamma, over): value
        for over in rows["over"].unique()
        for (beta, gamma), value in zip(
            pairs.iter_rows(),
            target.evaluate(tables, {"k": 1 / over}).loglik_per_rep,
            strict=True,
        )
    }
    return np.array([known[row] for row in rows.select("beta", "gamma", "over").iter_rows()])


def test_many_curves_at_once_are_the_curve() -> None:
    together = curves(np.array([1.72664, 2.2]), np.array([0.54105, 0.3]))
    for curve, (beta, gamma) in zip(together, [(1.72664, 0.54105), (2.2, 0.3)], strict=True):
        assert curve == pytest.approx(infected(beta, gamma), rel=1e-6)


@pytest.mark.parametrize(
    ("name", "mean", "sd"),
    [
        ("beta", 1.7349, 0.0528),
        ("gamma", 0.5420, 0.0454),
        ("over", 0.1375, 0.0748),
        ("ratio", 3.2224, 0.2758),
    ],
)
def test_means_and_spreads(posterior: pl.DataFrame, name: str, mean: float, sd: float) -> None:
    found = moments(posterior, name)
    # The published digits add half a unit of their last place.
    assert found[0] == pytest.approx(mean, abs=0.02 * sd + 5e-5)
    assert found[1] == pytest.approx(sd, abs=0.01 * sd + 5e-5)


def moments(posterior: pl.DataFrame, name: str) -> tuple[float, float]:
    values = value_of(posterior, name)
    weight = posterior["weight"].to_numpy()
    mean = float((weight * values).sum())
    return mean, math.sqrt(float((weight * (values - mean) ** 2).sum()))


def value_of(posterior: pl.DataFrame, name: str) -> np.ndarray:
    if name == "ratio":
        return (posterior["beta"] / posterior["gamma"]).to_numpy()
    return posterior[name].to_numpy()


def test_correlation_and_evidence(posterior: pl.DataFrame) -> None:
    (b, sd_b), (g, sd_g) = moments(posterior, "beta"), moments(posterior, "gamma")
    weight = posterior["weight"].to_numpy()
    product = (value_of(posterior, "beta") - b) * (value_of(posterior, "gamma") - g)
    assert (weight * product).sum() / sd_b / sd_g == pytest.approx(0.165, abs=0.005)
    assert posterior["evidence"][0] == pytest.approx(-67.240, abs=0.01)


def test_the_priors_are_the_densities_they_say() -> None:
    from scipy.stats import expon, truncnorm

    for beta, gamma, over in itertools.product((1.4, 2.1), (0.3, 0.8), (0.02, 1.5)):
        expected = (
            truncnorm.logpdf(beta, -2, 18, 2, 1)
            + truncnorm.logpdf(gamma, -0.8, 39.2, 0.4, 0.5)
            + expon.logpdf(over, scale=0.2)
        )
        found = BELIEFS.log_prior({"beta": beta, "gamma": gamma, "over": over})
        assert found == pytest.approx(expected, abs=1e-9)
    assert BELIEFS.log_prior({"beta": -0.1, "gamma": 0.3, "over": 0.1}) == -math.inf
