"""Rescoring: fresh seeds, the winner of the selection, and only the confirmed value reported."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from modelops_calabaria.calibration.result import CalibrationResult
from modelops_calabaria.calibration.seeds import confirmation_seeds, search_seeds, selection_seeds
from modelops_calabaria.outcome.comparison import paired_difference
from modelops_contracts.digests import rescore_seed
from modelops_contracts.types import Evaluation, TargetScore
from support.toy_calibration import FunctionProvider, calibrate_plan, make_plan

SPACE = {"a": {"lower": 0.0, "upper": 1.0}, "b": {"lower": 0.0, "upper": 1.0}}


def noisy(params: Mapping[str, Any], seed: int) -> float:
    return (
        -20 * (params["a"] - 0.4) ** 2
        - 20 * (params["b"] - 0.6) ** 2
        + random.Random(seed).gauss(0, 1.0)
    )


@pytest.fixture(scope="module")
def run() -> tuple[CalibrationResult, FunctionProvider]:
    provider = FunctionProvider(noisy)
    plan = make_plan(SPACE, max_trials=60, n_replicates=2)
    return calibrate_plan(plan, provider), provider


def test_defaults_follow_the_number_of_trials_and_replicates(run: Any) -> None:
    result, provider = run
    selected = [t for t in provider.started if t.purpose == "select"]
    confirmed = [t for t in provider.started if t.purpose == "confirm"]
    assert len(selected) == 5
    assert {len(t.seeds) for t in selected} == {20}
    assert [len(t.seeds) for t in confirmed] == [40]
    assert result.n_simulations == 60 * 2 + 5 * 20 + 40


def test_no_seed_serves_twice(run: Any) -> None:
    _, provider = run
    selection = {t.seeds for t in provider.started if t.purpose == "select"}
    assert len(selection) == 1, "all candidates share their selection seeds"
    search = {s for t in provider.started if t.purpose == "search" for s in t.seeds}
    confirm = {s for t in provider.started if t.purpose == "confirm" for s in t.seeds}
    shared = set(next(iter(selection)))
    assert not search & shared
    assert not search & confirm
    assert not shared & confirm


def test_the_winner_has_the_lowest_selection_value_and_reports_the_confirmed_one(run: Any) -> None:
    result, _ = run
    values = [c.selection.objective for c in result.candidates]
    assert values == sorted(values)
    best = result.best
    assert best.objective == best.confirmation.objective != best.selection.objective
    assert best.optimism == pytest.approx(best.objective - best.search.objective)
    summary = result.as_dict()
    assert summary["summary"]["best_value"] == best.confirmation.objective
    assert summary["objective_se"] == best.confirmation.objective_se


def test_a_noisy_search_value_is_optimistic_on_average() -> None:
    results = [
        calibrate_plan(make_plan(SPACE, max_trials=40, n_replicates=2, seed=seed),
                       FunctionProvider(noisy))
        for seed in range(5)
    ]  # fmt: skip
    assert np.mean([result.best.optimism for result in results]) > 0.2


def test_a_deterministic_model_is_simulated_once_everywhere() -> None:
    provider = FunctionProvider(lambda p, _s: -((p["a"] - 0.3) ** 2))
    plan = make_plan(SPACE, deterministic=True, n_replicates=7, max_trials=20)
    result = calibrate_plan(plan, provider)
    assert {len(ticket.seeds) for ticket in provider.started} == {1}
    assert result.best.optimism == 0.0
    assert math.isnan(result.best.objective_se)


def test_losses_are_rescored_too() -> None:
    provider = FunctionProvider(lambda p, s: -noisy(p, s) + 5.0, kind="loss")
    result = calibrate_plan(make_plan(SPACE, kind="loss", max_trials=30), provider)
    assert result.best.evaluation.kind == "loss"
    assert result.best.objective > 0


class TestSeeds:
    def test_taken_seeds_are_passed_over(self) -> None:
        first, second = rescore_seed(0, 0), rescore_seed(0, 1)
        assert selection_seeds(base_seed=0, n=2, used=()) == (first, second)
        assert selection_seeds(base_seed=0, n=1, used=(first,)) == (second,)

    def test_common_random_numbers_are_the_same_for_all(self) -> None:
        a, b = (search_seeds(i, base_seed=1, n=3, crn="per-replicate-index") for i in "ab")
        assert a == b
        own = [search_seeds(i, base_seed=1, n=3, crn="none") for i in "ab"]
        assert own[0] != own[1]

    def test_many_confirmation_seeds_are_distinct(self) -> None:
        seeds = confirmation_seeds(base_seed=3, n=80_000, used=())
        assert len(set(seeds)) == 80_000, "31-bit hashes collide at this size; they are passed over"


class TestPairedDifference:
    def make(self, name: str, values: np.ndarray, kind: str = "loglik") -> Evaluation:
        sign = -1 if kind == "loglik" else 1
        top = values.max()
        objective = (
            -(top + math.log(np.exp(values - top).mean())) if kind == "loglik" else values.mean()
        )
        score = TargetScore("t", kind, sign * objective, 1.0, tuple(values))
        seeds = tuple(range(len(values)))
        return Evaluation(name, seeds, float(objective), 1.0, kind, scores=(score,))

    def test_common_noise_cancels(self) -> None:
        noise = np.random.default_rng(0).normal(0, 1, 50)
        a, b = self.make("a", noise - 0.5, "loss"), self.make("b", noise, "loss")
        difference, se = paired_difference(a, b, "logmeanexp")
        assert difference == pytest.approx(-0.5)
        assert se == pytest.approx(0.0, abs=1e-12)

    def test_a_mean_has_the_textbook_standard_error(self) -> None:
        rng = np.random.default_rng(1)
        x, y = rng.normal(0, 1, 40), rng.normal(0, 2, 40)
        _, se = paired_difference(
            self.make("a", x, "loss"), self.make("b", y, "loss"), "logmeanexp"
        )
        assert se == pytest.approx((x - y).std(ddof=1) / math.sqrt(40))

    def test_log_mean_exp_agrees_with_leaving_out_by_hand(self) -> None:
        rng = np.random.default_rng(2)
        x, y = rng.normal(0, 1, 12), rng.normal(0, 1, 12)
        difference, se = paired_difference(self.make("a", x), self.make("b", y), "logmeanexp")

        def lme(v: np.ndarray) -> float:
            return float(np.log(np.exp(v).mean()))

        left = np.array([-lme(np.delete(x, i)) + lme(np.delete(y, i)) for i in range(12)])
        assert difference == pytest.approx(lme(y) - lme(x))
        assert se == pytest.approx(math.sqrt(11 / 12 * ((left - left.mean()) ** 2).sum()))

    def test_a_candidate_without_likelihood_is_infinitely_worse(self) -> None:
        good = self.make("a", np.zeros(4))
        bad = Evaluation("b", good.seeds, math.inf, kind="loglik", reason="ZERO_LIKELIHOOD")
        assert paired_difference(bad, good, "logmeanexp")[0] == math.inf


def test_candidates_within_two_standard_errors_are_listed_and_no_others(run: Any) -> None:
    result, _ = run
    listed = {c.trial for c in result.indistinguishable}
    for candidate in result.candidates[1:]:
        close = candidate.difference <= 2 * candidate.difference_se
        assert (candidate.trial in listed) == close
    assert any(c.trial not in listed for c in result.candidates[1:])
