"""Gates: each fires on what it is for, and stays silent on a sound calibration."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from modelops_calabaria.calibration.result import CalibrationResult
from modelops_calabaria.diagnostics.numbers import diagnose
from modelops_calabaria.outcome.findings import Finding, worst_severity
from modelops_contracts.evaluation import ReplicateFailure
from modelops_contracts.types import ErrorInfo, TargetScore
from support.toy_calibration import FunctionProvider, calibrate_plan, make_plan, predictive_table

SPACE = {"a": {"lower": 0.0, "upper": 1.0}, "b": {"lower": 0.0, "upper": 1.0}}


def bowl(params: Mapping[str, Any], _seed: int) -> float:
    return -9.0 - 300 * (params["a"] - 0.4) ** 2 - 300 * (params["b"] - 0.6) ** 2


def noisy_bowl(params: Mapping[str, Any], seed: int) -> float:
    return bowl(params, seed) + random.Random(seed).gauss(0, 0.05)


@pytest.fixture(scope="module")
def sound() -> CalibrationResult:
    plan = make_plan(SPACE, max_trials=80, n_replicates=10)
    return calibrate_plan(plan, FunctionProvider(bowl))


def codes(result: Any) -> dict[str, str]:
    return {finding.code: finding.severity for finding in diagnose(result)}


def with_settings(result: CalibrationResult, **changes: Any) -> CalibrationResult:
    return replace(result, settings={**result.settings, **changes})


def with_best(result: CalibrationResult, **changes: Any) -> CalibrationResult:
    best = result.best
    confirmed = replace(best.confirmation, **changes)  # type: ignore[type-var]
    return replace(
        result, candidates=(replace(best, confirmation=confirmed), *result.candidates[1:])
    )


def with_params(result: CalibrationResult, *values: Mapping[str, float]) -> CalibrationResult:
    candidates = [
        replace(c, params=dict(v), indistinguishable=True)
        for c, v in zip(result.candidates, values, strict=False)
    ]
    return replace(result, candidates=tuple(candidates))


def with_reasons(result: CalibrationResult, reason: str, share: float) -> CalibrationResult:
    n = int(share * result.trials.height)
    column = [reason] * n + [None] * (result.trials.height - n)
    return replace(result, trials=result.trials.with_columns(pl.Series("reason", column)))


def test_a_sound_calibration_passes(sound: CalibrationResult) -> None:
    assert codes(sound) == {}
    assert sound.verdict == "PASS"


@pytest.mark.parametrize(("share", "severity"), [(0.05, "WARN"), (0.5, "FAIL")])
def test_failed_trials(sound: CalibrationResult, share: float, severity: str) -> None:
    found = diagnose(with_reasons(sound, "SIM_FAILED", share))[0]
    assert (found.code, found.severity) == ("FAILED_TRIALS", severity)
    assert str(sound.trials["seed0"][0]) in found.action


@pytest.mark.parametrize(("share", "expected"), [(0.1, None), (0.3, "WARN"), (0.6, "FAIL")])
def test_zero_likelihood(sound: CalibrationResult, share: float, expected: str | None) -> None:
    assert codes(with_reasons(sound, "ZERO_LIKELIHOOD", share)).get("ZERO_LIKELIHOOD") == expected


def test_a_winner_without_likelihood_fails(sound: CalibrationResult) -> None:
    impossible = with_best(sound, objective=math.inf, reason="ZERO_LIKELIHOOD")
    assert codes(impossible)["ZERO_LIKELIHOOD"] == "FAIL"


def test_a_winner_that_failed_when_it_was_confirmed_is_no_impossible_one(
    sound: CalibrationResult,
) -> None:
    failure = ReplicateFailure(0, 77, ErrorInfo("ValueError", "negative rate"))
    broken = with_best(sound, objective=math.inf, reason="SIM_FAILED", failures=(failure,))
    assert "ZERO_LIKELIHOOD" not in codes(broken)
    (finding,) = [f for f in diagnose(broken) if f.code == "FAILED_TRIALS"]
    assert finding.severity == "FAIL"
    assert "SIM_FAILED: ValueError: negative rate" in finding.message
    assert "seed 77" in finding.action


@pytest.mark.parametrize(("ess", "expected"), [(40, None), (20, "WARN"), (5, "FAIL")])
def test_estimator_ess(sound: CalibrationResult, ess: float, expected: str | None) -> None:
    assert codes(with_best(sound, ess=float(ess))).get("ESTIMATOR_ESS") == expected


@pytest.mark.parametrize(("se", "expected"), [(0.5, None), (2.0, "WARN"), (4.0, "FAIL")])
def test_estimator_se_of_a_likelihood(
    sound: CalibrationResult, se: float, expected: str | None
) -> None:
    assert codes(with_best(sound, objective_se=se)).get("ESTIMATOR_SE") == expected


def test_estimator_se_of_a_loss_is_relative(sound: CalibrationResult) -> None:
    loss = with_best(sound, kind="loss", objective=10.0, objective_se=1.5)
    assert codes(loss)["ESTIMATOR_SE"] == "WARN"


def test_optimism(sound: CalibrationResult) -> None:
    objective = sound.best.search.objective + 1.0
    flattered = with_best(sound, objective=objective, objective_se=0.2)
    assert codes(flattered)["OPTIMISM"] == "WARN"
    assert "OPTIMISM" not in codes(with_best(sound, objective=objective, objective_se=0.6))


def test_no_signal(sound: CalibrationResult) -> None:
    assert codes(with_best(sound, objective=1e6))["NO_SIGNAL"] == "FAIL"


def test_at_bound_names_parameter_and_side(sound: CalibrationResult) -> None:
    found = [
        f for f in diagnose(with_params(sound, {"a": 0.995, "b": 0.5})) if f.code == "AT_BOUND"
    ]
    assert [f.subject for f in found] == ["a"]
    assert "upper bound" in found[0].message


def test_flat(sound: CalibrationResult) -> None:
    points = [{"a": 0.4, "b": b} for b in (0.2, 0.4, 0.6, 0.8)]
    found = [f for f in diagnose(with_params(sound, *points)) if f.code == "FLAT"]
    assert [f.subject for f in found] == ["b"]


def test_multimodal_needs_groups_not_strays(sound: CalibrationResult) -> None:
    groups = [{"a": a, "b": 0.5} for a in (0.3, 0.31, 0.7, 0.71)]
    strays = [{"a": a, "b": 0.5} for a in (0.3, 0.31, 0.32, 0.71)]
    assert "MULTIMODAL" in codes(with_params(sound, *groups))
    assert "MULTIMODAL" not in codes(with_params(sound, *strays))


def test_budget_only_when_a_budget_ended_the_search(sound: CalibrationResult) -> None:
    n = sound.trials.height
    falling = sound.trials.with_columns(pl.Series("loss", [100.0 - i for i in range(n)]))
    hungry = replace(sound, trials=falling)
    assert codes(hungry)["BUDGET"] == "WARN"
    assert "BUDGET" not in codes(replace(hungry, stop_reason="converged"))


def valley(params: Mapping[str, Any], _seed: int) -> float:
    """Narrow and bent: CMA-ES needs some hundred trials."""
    x, y = 4 * params["a"] - 2, 4 * params["b"] - 2
    return -100 * (y - x**2) ** 2 - (1 - x) ** 2


def budget_of(result: CalibrationResult) -> list[Finding]:
    return [finding for finding in diagnose(result) if finding.code == "BUDGET"]


def search(max_trials: int, **settings: Any) -> CalibrationResult:
    plan = make_plan(SPACE, max_trials=max_trials, **settings)
    return calibrate_plan(plan, FunctionProvider(valley))


def test_cmaes_that_was_cut_off_far_from_its_end_is_told() -> None:
    short = search(20, sampler={"type": "cmaes"}, deterministic=True)
    assert short.best.objective > 0.5  # it is 0 at the optimum
    (finding,) = budget_of(short)
    assert finding.severity == "WARN"
    assert "resume" in finding.action


def test_cmaes_that_ended_by_itself_or_all_but_has_no_budget_finding() -> None:
    whole = search(1000, sampler={"type": "cmaes"}, deterministic=True)
    assert whole.stop_reason == "converged"
    assert budget_of(whole) == []
    last = whole.trials.height - 5
    almost = search(last, sampler={"type": "cmaes"}, deterministic=True)
    assert almost.stop_reason == "max_trials"
    assert budget_of(almost) == []


def with_losses(result: CalibrationResult, losses: list[float], se: float) -> CalibrationResult:
    columns = [pl.Series("loss", losses), pl.Series("loss_se", [se] * len(losses))]
    trials = result.trials.head(len(losses)).with_columns(columns)
    return replace(result, trials=trials, stop_reason="max_trials")


def test_a_spread_that_noise_explains_is_none(sound: CalibrationResult) -> None:
    scattered = [10.0, *(11.0 + 3 * (i % 4) for i in range(39))]
    cmaes = with_settings(sound, sampler={"type": "cmaes"})
    (finding,) = budget_of(with_losses(cmaes, scattered, 0.5))
    assert "before it converged" in finding.message
    assert budget_of(with_losses(cmaes, scattered, 4.0)) == []


def test_a_search_with_few_trials_per_parameter_is_told(sound: CalibrationResult) -> None:
    level = [5.0] * 19
    (finding,) = budget_of(with_losses(sound, level, 0.5))
    assert (finding.value, finding.threshold) == (19, 20)
    assert budget_of(with_losses(sound, [5.0] * 20, 0.5)) == []
    design = with_settings(sound, sampler={"type": "qmc"})
    assert budget_of(with_losses(design, level, 0.5)) == []


@pytest.mark.parametrize(("imputed", "severity"), [(2, "WARN"), (400, "FAIL")])
def test_coverage(sound: CalibrationResult, imputed: int, severity: str) -> None:
    score = replace(sound.best.scores[0], n_imputed=imputed)
    assert codes(with_best(sound, scores=(score,)))["COVERAGE"] == severity


@pytest.mark.parametrize(("lost", "severity"), [(1, "WARN"), (5, "FAIL")])
def test_worst_scored_rows_are_counted_as_observed_rows(
    sound: CalibrationResult, lost: int, severity: str
) -> None:
    """One replicate of many may have lost them: more than that is not known here."""
    score = replace(sound.best.scores[0], n_observed=10, n_used=10 - lost, flags=("WORST",))
    (finding,) = [f for f in diagnose(with_best(sound, scores=(score,))) if f.code == "COVERAGE"]
    assert finding.severity == severity
    assert finding.value == lost / 10
    assert f"{lost} of 10 observed rows" in finding.message
    assert "in some replicate" in finding.message


@pytest.mark.parametrize("kind", ["loglik", "loss"])
def test_a_search_that_found_its_first_value_at_the_very_end_is_told(
    sound: CalibrationResult, kind: str
) -> None:
    late = with_settings(with_losses(sound, [math.inf] * 38 + [7.0, 6.0], 0.5), objective_kind=kind)
    (finding,) = budget_of(late)
    assert "no finite value before the last fifth" in finding.message
    assert Finding.from_json(finding.to_json()) == finding


@pytest.mark.parametrize(("observed", "expected"), [(1.0, None), (9.0, "FAIL")])
def test_fit(sound: CalibrationResult, observed: float, expected: str | None) -> None:
    curves = [[1.0] * 10 for _ in range(200)]
    table = pl.read_ipc(predictive_table(curves, [observed] * 10, 1))
    fit = table.with_columns(pl.lit("cases").alias("target"))
    assert codes(replace(sound, fit=fit)).get("FIT") == expected


def test_a_deterministic_loss_has_no_range_to_judge(sound: CalibrationResult) -> None:
    table = pl.read_ipc(predictive_table([[1.0] * 4], [5.0] * 4, 1))
    fit = table.with_columns(pl.lit("cases").alias("target"))
    targets = [{**t, "kind": "loss"} for t in sound.settings["targets"]]
    settled = with_settings(replace(sound, fit=fit), deterministic=True, targets=targets)
    assert "FIT" not in codes(settled)


def test_seed_reuse(sound: CalibrationResult) -> None:
    reused = with_best(sound, seeds=sound.best.search.seeds)
    assert codes(reused)["SEED_REUSE"] == "FAIL"


def test_flags_about_honesty(sound: CalibrationResult) -> None:
    target = sound.settings["targets"][0]
    mixed = with_settings(sound, targets=[target, {**target, "kind": "loss"}])
    assert codes(mixed)["MIXED_TRACKS"] == "WARN"
    assert codes(with_settings(sound, targets=[{**target, "weight": 0.5}]))["TEMPERED"] == "WARN"
    assert codes(with_settings(sound, schedule="async"))["NOT_REPRODUCIBLE"] == "WARN"


def test_a_deterministic_model_that_is_not_is_found() -> None:
    plan = make_plan(SPACE, deterministic=True, max_trials=30)
    assert "NOT_REPRODUCIBLE" in codes(calibrate_plan(plan, FunctionProvider(noisy_bowl)))


def score_of(score: TargetScore, name: str, values: list[float]) -> TargetScore:
    value = math.log(math.fsum(math.exp(v) for v in values) / len(values))
    return replace(score, target=name, value=value, per_replicate=tuple(values))


def test_target_conflict_needs_three_standard_errors(sound: CalibrationResult) -> None:
    def split(candidate: Any, first: float) -> Any:
        score = candidate.selection.scores[0]
        n = len(score.per_replicate)
        one, two = (
            score_of(score, name, [level + 0.01 * math.sin(7 * i + level) for i in range(n)])
            for name, level in (("one", first), ("two", -first))
        )
        return replace(candidate, selection=replace(candidate.selection, scores=(one, two)))

    best, other, *_ = sound.candidates
    conflict = replace(sound, candidates=(split(best, 0.0), split(other, 2.0)))
    found = [f for f in diagnose(conflict) if f.code == "TARGET_CONFLICT"]
    assert [f.subject for f in found] == ["one"]


def test_findings_survive_json_and_the_worst_decides() -> None:
    finding = Finding("X", "WARN", "text", "s", math.inf, math.nan, "do")
    again = Finding.from_json(finding.to_json())
    assert again.value == math.inf
    assert math.isnan(again.threshold)
    assert worst_severity([]) == "PASS"
    assert worst_severity([finding, Finding("Y", "FAIL", "")]) == "FAIL"
