"""One objective from all replicates and targets, and what happens when something is wrong."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.alignment import ExactJoin
from modelops_calabaria.evaluation.evaluator import annealed_mse, mean_signal_mse
from modelops_calabaria.evaluation.joint import evaluate_joint
from modelops_calabaria.evaluation.likelihoods import (
    binomial_report_loglik_per_rep,
    neg_binomial_loglik_per_rep,
    poisson_loglik_per_rep,
)
from modelops_calabaria.evaluation.quantities import Param
from modelops_calabaria.targets import LikelihoodTarget, LossTarget
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.evaluation import Evaluation
from support.scoring import PARAM_ID, frame, joint, output

OBSERVED = {"day": [1, 2, 3], "y": [3, 5, 2]}
OUTPUTS = [
    output(day=[1, 2, 3], y=[2.0, 4.0, 3.0]),
    output(day=[1, 2, 3], y=[4.0, 6.0, 1.0]),
    output(day=[1, 2, 3], y=[3.0, 5.0, 2.0]),
]
SHORT = output(day=[1, 2], y=[2.0, 4.0])
IMPOSSIBLE = output(day=[1, 2, 3], y=[0.0, 4.0, 3.0])


def poisson(name: str = "cases", **options: Any) -> LikelihoodTarget:
    family = options.pop("family", poisson_loglik_per_rep("y"))
    return LikelihoodTarget(name, "out", OBSERVED, ExactJoin("day"), family, **options)


def squared(name: str = "error", weight: float = 1.0, **options: Any) -> LossTarget:
    return LossTarget(name, "out", OBSERVED, ExactJoin("day"), annealed_mse("y", weight), **options)


def per_replicate(target: LikelihoodTarget) -> np.ndarray:
    return target.evaluate(OUTPUTS).loglik_per_rep


# -- objectives ------------------------------------------------------------------------------------


def test_logmeanexp_by_default() -> None:
    loglik = per_replicate(poisson())
    evaluation = joint([poisson()], OUTPUTS)
    assert evaluation.kind == "loglik"
    assert evaluation.objective == pytest.approx(-math.log(np.exp(loglik).mean()))
    weights = np.exp(loglik - loglik.max())
    se = weights.std(ddof=1) / (math.sqrt(3) * weights.mean())
    assert evaluation.objective_se == pytest.approx(se)
    assert evaluation.ess == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    assert evaluation.reason is None
    (score,) = evaluation.scores
    assert (score.target, score.kind, score.weight) == ("cases", "loglik", 1.0)
    assert score.value == pytest.approx(-evaluation.objective)
    assert score.per_replicate == pytest.approx(loglik)
    assert (score.n_observed, score.n_used, score.n_imputed) == (3, 3, 0)


def test_mean_loglik_and_mean_signal() -> None:
    loglik = per_replicate(poisson())
    mean = joint([poisson()], OUTPUTS, replicates="mean_loglik")
    assert mean.objective == pytest.approx(-loglik.mean())
    assert mean.objective_se == pytest.approx(loglik.std(ddof=1) / math.sqrt(3))
    assert math.isnan(mean.ess)
    signal = joint([poisson()], OUTPUTS, replicates="mean_signal")
    average = output(day=[1, 2, 3], y=[3.0, 5.0, 2.0])
    assert signal.objective == pytest.approx(-poisson().evaluate([average]).loglik_per_rep[0])
    assert signal.objective_se > 0


def test_several_likelihoods_are_weighted_inside_the_mean() -> None:
    other = poisson("other", family=neg_binomial_loglik_per_rep("y", 2.0), weight=0.5)
    evaluation = joint([poisson(), other], OUTPUTS)
    expected = per_replicate(poisson()) + 0.5 * per_replicate(other)
    assert evaluation.objective == pytest.approx(-math.log(np.exp(expected).mean()))
    assert evaluation.flags == ("TEMPERED",)
    assert evaluation.scores[1].flags == ("TEMPERED",)


def test_losses_are_a_weighted_sum_with_one_jackknife() -> None:
    signal = LossTarget("signal", "out", OBSERVED, ExactJoin("day"), mean_signal_mse("y", 3.0))
    targets = [squared(weight=2.0), signal]
    evaluation = joint(targets, OUTPUTS)

    def total(outputs: list[dict[str, pl.DataFrame]]) -> float:
        return sum(t.evaluate(outputs).weighted_loss for t in targets)

    assert evaluation.kind == "loss"
    assert evaluation.objective == pytest.approx(total(OUTPUTS))
    left_out = [total([o for i, o in enumerate(OUTPUTS) if i != r]) for r in range(3)]
    jackknife = math.sqrt(2 / 3 * sum((x - np.mean(left_out)) ** 2 for x in left_out))
    assert evaluation.objective_se == pytest.approx(jackknife)
    assert math.isnan(evaluation.ess)


def test_both_tracks_add_up_and_say_so() -> None:
    evaluation = joint([poisson(), squared(weight=0.5)], OUTPUTS)
    apart = joint([poisson()], OUTPUTS).objective + joint([squared(weight=0.5)], OUTPUTS).objective
    assert evaluation.objective == pytest.approx(apart)
    assert evaluation.flags == ("MIXED_TRACKS",)
    assert math.isfinite(evaluation.objective_se)


def test_one_replicate_has_no_standard_error() -> None:
    for target in (poisson(), squared()):
        assert math.isnan(joint([target], OUTPUTS[:1]).objective_se)


def test_weights_of_the_study_win() -> None:
    given = joint([squared(weight=5.0), squared("b")], OUTPUTS, weights={"error": 2.0})
    assert [score.weight for score in given.scores] == [2.0, 1.0]
    assert given.objective == pytest.approx(3 * given.scores[0].value)
    tempered = joint([poisson()], OUTPUTS, weights={"cases": 0.5})
    assert tempered.flags == ("TEMPERED",)


def test_weight_zero_is_a_diagnostic_that_decides_nothing() -> None:
    alone = joint([squared()], OUTPUTS)
    impossible = poisson(family=binomial_report_loglik_per_rep("y", 0.5))
    both = joint([squared(), impossible], OUTPUTS, weights={"cases": 0.0})
    assert (both.objective, both.kind) == (alone.objective, "loss")
    assert both.scores[1].flags == ("DIAGNOSTIC",)
    assert both.scores[1].per_replicate[0] == -math.inf
    long = LossTarget(
        "long", "out", {"day": [1, 9], "y": [1, 1]}, ExactJoin("day"), annealed_mse("y", 0.0)
    )
    failing = joint([squared(), long], OUTPUTS)
    assert failing.objective == alone.objective
    assert failing.reason is None
    assert failing.scores[1].flags == ("COVERAGE", "DIAGNOSTIC")
    assert "target long" in failing.failures[0].error.message


def test_parameters_reach_the_evaluators() -> None:
    target = poisson(family=neg_binomial_loglik_per_rep("y", Param("k")))
    fixed = poisson(family=neg_binomial_loglik_per_rep("y", 4.0))
    given = joint([target], OUTPUTS, params={"k": 4.0, "beta": 0.1})
    assert given.objective == joint([fixed], OUTPUTS).objective
    with pytest.raises(ValueError, match=r"Param\('k'\)"):
        joint([target], OUTPUTS, params={"beta": 0.1})
    outside = joint([target], OUTPUTS, params={"k": 0.0})
    assert (outside.objective, outside.reason) == (math.inf, "EVALUATION_FAILED")


def test_evaluations_travel_as_json() -> None:
    for outputs in (OUTPUTS, [*OUTPUTS[:2], None], [*OUTPUTS[:2], SHORT], [IMPOSSIBLE]):
        evaluation = joint([poisson(), squared()], outputs)
        again = Evaluation.from_json(evaluation.to_json())
        assert again.to_json() == evaluation.to_json()


# -- failures are data -----------------------------------------------------------------------------


def test_a_failed_replicate_fails_the_set() -> None:
    errors = [None, ErrorInfo("ValueError", "beta is odd"), None]
    evaluation = joint([poisson()], [OUTPUTS[0], None, OUTPUTS[2]], errors=errors)
    assert (evaluation.objective, evaluation.reason) == (math.inf, "SIM_FAILED")
    assert evaluation.kind == "loglik"
    (failure,) = evaluation.failures
    assert (failure.index, failure.seed, failure.error.message) == (1, 101, "beta is odd")


def test_a_failed_replicate_as_the_worst() -> None:
    outputs = [OUTPUTS[0], None, OUTPUTS[2]]
    evaluation = joint([poisson()], outputs, failed_replicates="worst")
    two = joint([poisson()], [OUTPUTS[0], OUTPUTS[2]])
    # R stays 3: one third of the likelihood is gone, it is not shared among the others.
    assert evaluation.objective == pytest.approx(two.objective + math.log(3 / 2))
    assert evaluation.scores[0].per_replicate[1] == -math.inf
    assert evaluation.failures[0].index == 1
    lost = joint([squared()], outputs, failed_replicates="worst")
    assert (lost.objective, lost.reason) == (math.inf, "INFEASIBLE")
    mean = joint([poisson()], outputs, failed_replicates="worst", replicates="mean_signal")
    assert (mean.objective, mean.reason) == (math.inf, "ZERO_LIKELIHOOD")
    nothing = joint([poisson()], [None, None], failed_replicates="worst")
    assert nothing.reason == "SIM_FAILED"


def test_time_outs_have_their_own_reason() -> None:
    errors = [{"error_type": "timed_out", "message": "60 s", "traceback": "tb"}, None, None]
    evaluation = joint([poisson()], [None, *OUTPUTS[1:]], errors=errors)
    assert evaluation.reason == "TIMEOUT"
    assert evaluation.failures[0].traceback == "tb"
    mixed = [errors[0], {"error_type": "ValueError", "message": "x"}, None]
    assert joint([poisson()], [None, None, OUTPUTS[2]], errors=mixed).reason == "SIM_FAILED"


def test_coverage_and_bad_output_have_reasons_and_places() -> None:
    short = joint([squared(), poisson()], [*OUTPUTS, SHORT])
    assert (short.objective, short.reason) == (math.inf, "COVERAGE")
    assert [f.index for f in short.failures] == [3, 3]
    assert short.failures[0].seed == 103
    assert "target error, output out, replicate 3 (seed 103)" in short.failures[0].error.message
    bad = joint([poisson()], [OUTPUTS[0], output(day=[1, 2, 3], y=[1.0, math.nan, 1.0])])
    assert bad.reason == "BAD_OUTPUT"
    assert "'y' at day=2" in bad.failures[0].error.message
    negative = joint([poisson()], [output(day=[1, 2, 3], y=[1.0, -1.0, 1.0])])
    assert negative.reason == "BAD_OUTPUT"


def test_places_count_the_replicates_that_failed() -> None:
    """Replicate 0 failed, so the second table belongs to replicate 2, with its own seed."""
    outputs = [None, OUTPUTS[0], SHORT]
    evaluation = joint([poisson()], outputs, failed_replicates="worst")
    assert evaluation.reason == "COVERAGE"
    assert [(f.index, f.seed) for f in evaluation.failures] == [(0, 100), (2, 102)]
    assert "replicate 2 (seed 102)" in evaluation.failures[1].error.message


def test_impossible_data_is_an_answer() -> None:
    evaluation = joint([poisson()], [IMPOSSIBLE, IMPOSSIBLE])
    assert (evaluation.objective, evaluation.reason) == (math.inf, "ZERO_LIKELIHOOD")
    assert evaluation.ess == 0
    assert math.isnan(evaluation.objective_se)
    assert evaluation.failures == ()
    part = joint([poisson()], [IMPOSSIBLE, *OUTPUTS])
    assert math.isfinite(part.objective)


def test_worst_coverage_never_improves_a_score() -> None:
    complete = joint([poisson(coverage="worst")], OUTPUTS)
    short = joint([poisson(coverage="worst")], [*OUTPUTS[:2], SHORT])
    assert short.objective > complete.objective
    assert short.scores[0].flags == ("WORST",)
    assert short.scores[0].n_used == 2
    filled = joint([squared(coverage="zero")], [*OUTPUTS[:2], SHORT])
    assert filled.scores[0].flags == ("IMPUTED",)
    assert filled.scores[0].n_imputed == 1


def test_missing_observations_are_counted() -> None:
    target = LossTarget(
        "gap", "out", {"day": [1, 2, 3], "y": [1, None, 2]}, ExactJoin("day"), annealed_mse("y")
    )
    score = joint([target], OUTPUTS).scores[0]
    assert (score.n_observed, score.n_used, score.flags) == (2, 2, ("MISSING_OBS",))


# -- users' own targets ----------------------------------------------------------------------------


class Own:
    """A target by protocol only."""

    model_output = "out"

    def __init__(self, name: str, result: Any) -> None:
        self.name = name
        self._result = result

    def evaluate(self, outputs: Any) -> Any:
        self.seen = outputs
        return self._result


class Result:
    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def test_users_targets_join_by_what_their_result_has() -> None:
    own = Own("own", Result(loss=2.0))
    evaluation = joint([squared(), own], OUTPUTS)
    assert evaluation.objective == pytest.approx(joint([squared()], OUTPUTS).objective + 2.0)
    assert math.isnan(evaluation.objective_se)
    assert own.seen == OUTPUTS
    likely = Own("own", Result(loglik_per_rep=[-1.0, -2.0, -3.0]))
    expected = per_replicate(poisson()) + np.array([-1.0, -2.0, -3.0])
    both = joint([poisson(), likely], OUTPUTS)
    assert both.objective == pytest.approx(-math.log(np.exp(expected).mean()))


def test_users_targets_that_are_none() -> None:
    with pytest.raises(ValueError, match="target own"):
        joint([Own("own", Result(score=1.0))], OUTPUTS)


@pytest.mark.parametrize(
    ("result", "words"),
    [(Result(loss=math.nan), "loss is NaN"), (Result(loglik_per_rep=[1.0]), "3 numbers")],
)
def test_a_score_that_is_none_fails_this_parameter_set_alone(result: Result, words: str) -> None:
    evaluation = joint([Own("own", result)], OUTPUTS)
    assert (evaluation.objective, evaluation.reason) == (math.inf, "EVALUATION_FAILED")
    assert "target own" in evaluation.failures[0].error.message
    assert words in evaluation.failures[0].error.message


def test_what_a_users_code_raises_fails_this_parameter_set_alone() -> None:
    """A job of thousands of trials must not end because one of them divides by zero."""

    def fragile(aligned: Any) -> Any:
        raise ZeroDivisionError("no cases at all")

    target = LikelihoodTarget("own", "out", OBSERVED, ExactJoin("day"), fragile)
    evaluation = joint([target, poisson()], OUTPUTS)
    assert (evaluation.objective, evaluation.reason) == (math.inf, "EVALUATION_FAILED")
    assert evaluation.failures[0].error.message.startswith(
        "target own: ZeroDivisionError: no cases at all"
    )
    assert "in fragile" in evaluation.failures[0].traceback
    assert [score.target for score in evaluation.scores] == ["own", "cases"]


# -- misuse raises ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"replicates": "median"}, "replicates must be one of logmeanexp"),
        ({"failed_replicates": "skip"}, "failed_replicates must be one of fail, worst"),
        ({"weights": {"casse": 1.0}}, "no target here"),
        ({"weights": {"cases": -1.0}}, "finite and at least 0"),
        ({"weights": {"cases": math.inf}}, "finite and at least 0"),
        ({"weights": {"cases": 0.0}}, "no objective"),
        ({"seeds": (1,)}, "do not match"),
        ({"errors": [None]}, "do not match"),
    ],
)
def test_misuse(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        joint([poisson()], OUTPUTS, **options)


def test_more_misuse() -> None:
    with pytest.raises(ValueError, match="no targets"):
        joint([], OUTPUTS)
    with pytest.raises(ValueError, match="no replicates"):
        evaluate_joint([poisson()], [], param_id=PARAM_ID, params={}, seeds=[])
    with pytest.raises(ValueError, match="two targets are named 'cases'"):
        joint([poisson(), poisson()], OUTPUTS)
    with pytest.raises(ValueError, match="no likelihood target"):
        joint([squared()], OUTPUTS, replicates="mean_loglik")
    with pytest.raises(ValueError, match="no output 'out'"):
        joint([poisson()], [{"other": frame(day=[1], y=[1])}])
    reporting = poisson(family=binomial_report_loglik_per_rep("y", 0.5))
    with pytest.raises(ValueError, match="no sense for binomial_report"):
        joint([reporting], OUTPUTS, replicates="mean_signal")


@pytest.mark.parametrize("weight", ["2", None, [1.0], math.nan, math.inf, -1.0])
def test_a_weight_that_is_none_is_refused_by_the_targets_name(weight: Any) -> None:
    with pytest.raises(ValueError, match="weight of target cases must be finite and at least 0"):
        joint([poisson()], OUTPUTS, weights={"cases": weight})
