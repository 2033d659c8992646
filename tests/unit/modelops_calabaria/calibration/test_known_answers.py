"""An epidemic whose likelihood is known exactly: is the reported value honest?"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from modelops_calabaria.calibration.result import CalibrationResult
from modelops_contracts.types import Evaluation, UniqueParameterSet
from support.chain_binomial import exact_loglik, simulate_loglik
from support.toy_calibration import FunctionProvider, _loglik_evaluation, calibrate_plan, make_plan

SPACE = {
    "beta": {"lower": 0.15, "upper": 2.0, "transform": "log"},
    "gamma": {"lower": 0.06, "upper": 1.0, "transform": "log"},
}


class Reports(FunctionProvider):
    def __init__(self) -> None:
        super().__init__(lambda _p, _s: math.nan)

    def evaluate(self, params: UniqueParameterSet, seeds: tuple[int, ...]) -> Evaluation:
        values: dict[str, Any] = dict(params.params)
        loglik = simulate_loglik(values["beta"], values["gamma"], seeds)
        return _loglik_evaluation(params.param_id, seeds, loglik)


def test_the_exact_likelihood_is_the_published_one() -> None:
    assert exact_loglik(0.55, 0.25) == pytest.approx(-30.98253, abs=1e-4)
    assert exact_loglik(0.68932, 0.44261) == pytest.approx(-30.49517, abs=1e-4)


def test_the_estimator_is_the_published_one() -> None:
    draws = [
        _loglik_evaluation("p", (0,), simulate_loglik(0.55, 0.25, tuple(range(i, i + 500))))
        for i in range(0, 30_000, 500)
    ]
    assert -np.mean([d.objective for d in draws]) == pytest.approx(-31.20, abs=0.25)


@pytest.fixture(scope="module")
def results() -> list[CalibrationResult]:
    made = []
    for seed in range(3):
        rescore = {"top_k": 20, "n_replicates": 2000, "confirm": 20_000}
        plan = make_plan(SPACE, seed=seed, n_replicates=50, max_trials=300, rescore=rescore)
        made.append(calibrate_plan(plan, Reports()))
    return made


def test_the_confirmed_value_is_honest_where_the_search_value_flatters(
    results: list[CalibrationResult],
) -> None:
    exact = [-exact_loglik(r.best.params["beta"], r.best.params["gamma"]) for r in results]
    honest = [
        abs(r.best.objective - e) <= 2 * r.best.objective_se
        for r, e in zip(results, exact, strict=True)
    ]
    assert sum(honest) >= 2, [(r.best.objective, r.best.objective_se, e)
                              for r, e in zip(results, exact, strict=True)]  # fmt: skip
    flattery = [e - r.best.search.objective for r, e in zip(results, exact, strict=True)]
    assert np.mean(flattery) > 0.5
    assert sum(e <= 30.995 for e in exact) >= 2, exact


def test_the_winner_of_the_selection_is_no_worse_than_the_first_ranked_trial(
    results: list[CalibrationResult],
) -> None:
    def exact(candidate: Any) -> float:
        return -exact_loglik(candidate.params["beta"], candidate.params["gamma"])

    first = [min(r.candidates, key=lambda c: c.search.objective) for r in results]
    assert np.mean([exact(r.best) for r in results]) <= np.mean([exact(c) for c in first])
