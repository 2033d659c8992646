"""An epidemic small enough to know its likelihood exactly: estimates, posterior, and warnings.

Chain-binomial SIR among 60 people; see tests/data/README.md and support/chain_binomial.py.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.evaluation.replicates import logmeanexp
from support.chain_binomial import REPORTED, exact_loglik, log_binomial_report

DATA = Path(__file__).resolve().parents[2] / "data"
DAYS = np.arange(1, 41)
TRUTH = {"beta": 0.55, "gamma": 0.25}
REPEATS = 60


class Household(cb.BaseModel):
    """The epidemic as a model of ours."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec(
                "beta",
                0.15,
                2.0,
                transform="log",
                prior=cb.Prior("log-normal", math.log(0.5), 0.5),
            ),
            cb.ParameterSpec(
                "gamma",
                0.06,
                1.0,
                transform="log",
                prior=cb.Prior("log-normal", math.log(0.25), 0.5),
            ),
        ]
    )

    def build_sim(self, params: Any, config: Any) -> dict[str, float]:
        return dict(params)

    def run_sim(self, state: dict[str, float], seed: int) -> np.ndarray:
        return infections(state["beta"], state["gamma"], 1, np.random.default_rng(seed))[0]

    @cb.model_output("cases")
    def cases(self, raw: np.ndarray, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"day": DAYS, "cases": raw})


def infections(beta: float, gamma: float, runs: int, rng: np.random.Generator) -> np.ndarray:
    """New infections per day, shape (runs, 40)."""
    s, i = np.full(runs, 58), np.full(runs, 2)
    days = np.empty((runs, 40), dtype=np.int64)
    for day in range(40):
        days[:, day] = rng.binomial(s, 1 - np.exp(-beta * i / 60))
        recovered = rng.binomial(i, 1 - math.exp(-gamma))
        s, i = s - days[:, day], i + days[:, day] - recovered
    return days


def target(family: Any) -> cb.LikelihoodTarget:
    data = pl.read_csv(DATA / "chainbinomial_N60.csv").select("day", cases="reported")
    return cb.LikelihoodTarget("cases", "cases", data, cb.ExactJoin("day"), family)


POISSON = cb.poisson_loglik_per_rep("cases", scale=0.6, floor=0.1)
REPORT = cb.binomial_report_loglik_per_rep("cases", 0.6)


@pytest.fixture(scope="module")
def grid() -> dict[str, np.ndarray]:
    return dict(np.load(DATA / "chainbinomial_N60_exact_loglik_grid.npz"))


def test_the_files_belong_together(grid: dict[str, np.ndarray]) -> None:
    reported = pl.read_csv(DATA / "chainbinomial_N60.csv")["reported"].to_numpy()
    assert (grid["y"] == reported).all()
    assert (reported == REPORTED).all()
    assert np.unravel_index(grid["L"].argmax(), (61, 61)) == (36, 44)


@pytest.mark.parametrize(("i", "j"), [(0, 0), (30, 30), (36, 44), (60, 60), (5, 50)])
def test_the_forward_algorithm_gives_the_grid(grid: dict[str, np.ndarray], i: int, j: int) -> None:
    exact = exact_loglik(grid["beta"][i], grid["gamma"][j], log_binomial_report)
    assert exact == pytest.approx(grid["L"][i, j], abs=1e-5)


def test_exact_values() -> None:
    assert exact_loglik(0.55, 0.25, log_binomial_report) == pytest.approx(-28.43840, abs=1e-5)
    assert exact_loglik(0.71964, 0.48179, log_binomial_report) == pytest.approx(-27.49899, abs=1e-5)
    assert exact_loglik(0.55, 0.25) == pytest.approx(-30.98253, abs=1e-5)
    assert exact_loglik(0.68932, 0.44261) == pytest.approx(-30.49517, abs=1e-5)


def test_the_posterior_on_the_grid(grid: dict[str, np.ndarray]) -> None:
    beta, gamma, loglik = grid["beta"], grid["gamma"], grid["L"]
    # log_prior is a density of the parameter; a grid in logarithms needs the density of those.
    log_prior = np.array(
        [
            [Household.PARAMS.log_prior({"beta": b, "gamma": g}) + math.log(b * g) for g in gamma]
            for b in beta
        ]
    )
    cell = math.log(beta[1] / beta[0]) * math.log(gamma[1] / gamma[0])
    joint = np.exp(loglik + log_prior)
    weight = joint / joint.sum()

    def mean(values: np.ndarray) -> float:
        return float((weight * values).sum())

    def sd(values: np.ndarray) -> float:
        return math.sqrt(mean((values - mean(values)) ** 2))

    b, g = np.meshgrid(beta, gamma, indexing="ij")
    assert (mean(b), sd(b)) == pytest.approx((0.6044, 0.1488), abs=2e-4)
    assert (mean(g), sd(g)) == pytest.approx((0.3377, 0.1273), abs=2e-4)
    assert (mean(b / g), sd(b / g)) == pytest.approx((2.023, 0.941), abs=2e-3)
    log_b, log_g = np.log(b), np.log(g)
    product = (log_b - mean(log_b)) * (log_g - mean(log_g))
    assert mean(product) / sd(log_b) / sd(log_g) == pytest.approx(0.387, abs=2e-3)
    # The published evidence is for priors that are not cut to the bounds; ours are renormalised.
    inside = _mass(0.15, 2.0, 0.5) * _mass(0.06, 1.0, 0.25)
    evidence = math.log(joint.sum() * cell) + math.log(inside)
    assert evidence == pytest.approx(-29.1932, abs=1e-3)


def _mass(lower: float, upper: float, median: float) -> float:
    from scipy.stats import norm

    return float(np.diff(norm.cdf(np.log([lower / median, upper / median]) / 0.5))[0])


# -- the estimator at the truth, sixty times each -------------------------------------------------


@pytest.fixture(scope="module")
def logliks() -> dict[str, np.ndarray]:
    """Log-likelihoods of 300,000 runs, scored by the evaluators of two targets."""
    rng = np.random.default_rng(12)
    found: dict[str, list[np.ndarray]] = {"poisson": [], "report": []}
    targets = {"poisson": target(POISSON), "report": target(REPORT)}
    for _ in range(REPEATS):
        runs = infections(**TRUTH, runs=5000, rng=rng)
        for name, one in targets.items():
            found[name].append(one.evaluator.evaluate(side_by_side(runs)).loglik_per_rep)
    return {name: np.stack(parts) for name, parts in found.items()}


def side_by_side(runs: np.ndarray) -> cb.AlignedData:
    """What aligning runs of all forty days gives, without a table per run."""
    r, n = runs.shape
    frame = pl.DataFrame(
        {
            "__replicate": np.repeat(np.arange(r, dtype=np.int32), n),
            "day": np.tile(DAYS, r),
            "cases__obs": np.tile(REPORTED.astype(float), r),
            "cases__sim": runs.ravel().astype(float),
        }
    )
    return cb.AlignedData(frame, ["day"], "__replicate", shape=(r, n))


def test_side_by_side_is_what_the_target_aligns() -> None:
    runs = infections(**TRUTH, runs=3, rng=np.random.default_rng(1))
    tables = [{"cases": pl.DataFrame({"day": DAYS, "cases": run})} for run in runs]
    direct = target(POISSON).evaluator.evaluate(side_by_side(runs)).loglik_per_rep
    assert (target(POISSON).evaluate(tables).loglik_per_rep == direct).all()


def estimates(loglik: np.ndarray, replicates: int) -> np.ndarray:
    return np.array([logmeanexp(row[:replicates]).value for row in loglik])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replicates", "mean", "sd"),
    [(5, -35.50, 4.61), (50, -31.84, 1.44), (500, -31.20, 0.67), (5000, -31.07, 0.27)],
)
def test_the_estimate_under_poisson_noise(
    logliks: dict[str, np.ndarray], replicates: int, mean: float, sd: float
) -> None:
    values = estimates(logliks["poisson"], replicates)
    # Both sides are means over sixty repeats.
    assert values.mean() == pytest.approx(mean, abs=max(0.25, 4 * sd * math.sqrt(2 / REPEATS)))
    assert values.std(ddof=1) == pytest.approx(sd, rel=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("replicates", "infinite", "mean", "sd"),
    [(5, 0.95, -30.4, 3), (50, 0.83, -31.6, 3), (500, 0.08, -32.2, 2.8), (5000, 0.0, -29.67, 1.44)],
)
def test_the_estimate_under_exact_reporting(
    logliks: dict[str, np.ndarray], replicates: int, infinite: float, mean: float, sd: float
) -> None:
    values = estimates(logliks["report"], replicates)
    assert not np.isnan(values).any()
    finite = values[np.isfinite(values)]
    assert 1 - len(finite) / REPEATS == pytest.approx(infinite, abs=0.15)
    if len(finite) > 10:
        assert finite.mean() == pytest.approx(mean, abs=4 * sd / math.sqrt(len(finite)) + 0.3)


def test_too_few_replicates_of_exact_reporting_end_in_fail() -> None:
    """The result says that it cannot be trusted, and why. Other seeds find no finite trial."""
    fit = cb.calibrate(Household, [target(REPORT)], n_trials=60, n_replicates=5, seed=3)
    codes = {f.code: f.severity for f in fit.findings}
    assert fit.verdict == "FAIL"
    assert codes["ZERO_LIKELIHOOD"] == "FAIL"
    assert codes["ESTIMATOR_ESS"] == "FAIL"
    assert fit.trials["loss"].is_nan().sum() == 0
    assert fit.trials.filter(pl.col("reason") == "ZERO_LIKELIHOOD").height > 30
