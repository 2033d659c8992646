"""Known answers: every family, loss and estimate against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.alignment import AlignedData, AlignmentError, ExactJoin, MetricAlignment
from modelops_calabaria.evaluation.evaluator import annealed_mse, mean_signal_mse, metric_mse
from modelops_calabaria.evaluation.likelihoods import (
    beta_binomial_loglik_per_rep,
    beta_binomial_od_loglik_per_rep,
    binomial_loglik_per_rep,
    binomial_report_loglik_per_rep,
    dirichlet_multinomial_loglik_per_rep,
    gamma_poisson_loglik_per_rep,
    log_normal_loglik_per_rep,
    neg_binomial_loglik_per_rep,
    normal_loglik_per_rep,
    poisson_loglik_per_rep,
    student_t_loglik_per_rep,
)
from modelops_calabaria.evaluation.replicates import logmeanexp
from modelops_calabaria.targets import LikelihoodTarget, LikelihoodTargetSet, LossTarget
from support.scoring import aligned, frame, joint

Loglik = Callable[[AlignedData], np.ndarray]

ONE = {"y": [5], "x": [5], "n": [10], "t": [1.0]}


@pytest.mark.parametrize(
    ("loglik", "observed", "simulated", "expected"),
    [
        (poisson_loglik_per_rep("y"), ONE, {"y": [4.0]}, -1.856019937),
        (neg_binomial_loglik_per_rep("y", 3), ONE, {"y": [4.0]}, -2.295450083),
        (binomial_loglik_per_rep("p", "x", "n"), ONE, {"p": [0.4]}, -1.606152691),
        (binomial_report_loglik_per_rep("y", 0.6), {"y": [3]}, {"y": [5]}, -1.062473242),
        (binomial_report_loglik_per_rep("y", 0.6), {"y": [6]}, {"y": [5]}, -math.inf),
        (binomial_report_loglik_per_rep("y", 0.6), {"y": [0]}, {"y": [0]}, 0.0),
        (beta_binomial_loglik_per_rep("x", "n", 1, 1), ONE, {"x": [4], "n": [10]}, -1.801571681),
        (beta_binomial_od_loglik_per_rep("p", "x", "n", 0.1), ONE, {"p": [0.4]}, -1.903320235),
        (gamma_poisson_loglik_per_rep("x", "t"), ONE, {"x": [4], "t": [1.0]}, -2.684105077),
        (normal_loglik_per_rep("y", 2), ONE, {"y": [4.0]}, -1.737085714),
        (student_t_loglik_per_rep("y", 2, 4), ONE, {"y": [4.0]}, -1.825537988),
        (log_normal_loglik_per_rep("y", 0.3), ONE, {"y": [4.0]}, -1.601031666),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_one_observation(
    loglik: Loglik,
    observed: dict[str, list[float]],
    simulated: dict[str, list[float]],
    expected: float,
) -> None:
    value = loglik(aligned(observed, simulated))
    assert value.shape == (1,)
    assert value[0] == pytest.approx(expected, abs=1e-9)


def test_negative_binomial_with_large_k_is_poisson() -> None:
    value = neg_binomial_loglik_per_rep("y", 1e8)(aligned(ONE, {"y": [4.0]}))[0]
    assert value == pytest.approx(-1.8560200, abs=1e-7)


def test_dirichlet_multinomial_is_one_term_per_group() -> None:
    observed = frame(age=["a", "b", "c"], y=[2, 3, 5])
    simulated = frame(age=["a", "b", "c"], y=[1, 2, 3])
    loglik = dirichlet_multinomial_loglik_per_rep("age", "y", (), prior=1.0)
    one = ExactJoin("age").align(observed, [simulated])
    assert loglik(one)[0] == pytest.approx(-3.259880660, abs=1e-9)

    both = pl.concat([observed.with_columns(site=pl.lit(s)) for s in ("n", "s")]).sample(
        fraction=1, shuffle=True, seed=3
    )
    tables = pl.concat([simulated.with_columns(site=pl.lit(s)) for s in ("s", "n")])
    grouped = dirichlet_multinomial_loglik_per_rep("age", "y", "site")
    two = ExactJoin(["site", "age"]).align(both, [tables, tables])
    assert grouped.pointwise(two).shape == (2, 2)
    assert grouped(two) == pytest.approx([2 * -3.259880660] * 2, abs=1e-8)


@pytest.mark.parametrize(
    ("loglik", "value", "ess", "se"),
    [
        ((-10, -11, -12), -10.691006324, 1.958698653, 0.515572097),
        ((-10, -math.inf, -12), -10.971684278, 1.265802228, 0.827658893),
    ],
)
def test_logmeanexp(loglik: tuple[float, ...], value: float, ess: float, se: float) -> None:
    estimate = logmeanexp(np.array(loglik))
    assert estimate.value == pytest.approx(value, abs=1e-9)
    assert estimate.ess == pytest.approx(ess, abs=1e-9)
    assert estimate.se == pytest.approx(se, abs=1e-9)


def test_logmeanexp_of_impossible_replicates() -> None:
    estimate = logmeanexp(np.full(3, -math.inf))
    assert estimate.value == -math.inf
    assert estimate.ess == 0
    assert math.isnan(estimate.se)


def _constant_target(name: str, values: tuple[float, ...]) -> LikelihoodTarget:
    return LikelihoodTarget(
        name, "out", {"day": [1], "y": [0]}, ExactJoin("day"), lambda aligned: np.array(values)
    )


def test_targets_are_joined_inside_the_mean_over_replicates() -> None:
    targets = [_constant_target("a", (-1, -2, -3)), _constant_target("b", (-3, -2, -1))]
    outputs = [{"out": frame(day=[1], y=[0])}] * 3
    evaluation = joint(targets, outputs)
    assert evaluation.objective == pytest.approx(4.0, abs=1e-12)
    assert evaluation.objective_se == pytest.approx(0.0, abs=1e-12)
    assert LikelihoodTargetSet(targets).evaluate(outputs).log_marginal == pytest.approx(-4.0)
    # Each target alone is shown, and adding those numbers up would be another, wrong objective.
    apart = sum(score.value for score in evaluation.scores)
    assert apart == pytest.approx(-3.382012648, abs=1e-9)


@pytest.mark.parametrize(("coverage", "expected"), [("worst", math.inf), ("zero", 7.25)])
def test_annealed_with_three_rows_missing(coverage: str, expected: float) -> None:
    target = LossTarget(
        "t",
        "out",
        {"t": [1, 2, 3, 4], "y": [1, 2, 3, 4]},
        ExactJoin("t"),
        annealed_mse("y"),
        coverage=coverage,
    )
    assert target.evaluate([{"out": frame(t=[1], y=[1])}]).loss == expected


def test_annealed_with_three_rows_missing_is_an_error_by_default() -> None:
    observed = {"t": [1, 2, 3, 4], "y": [1, 2, 3, 4]}
    target = LossTarget("t", "out", observed, ExactJoin("t"), annealed_mse("y"))
    with pytest.raises(AlignmentError, match="3 of 4 observed rows"):
        target.evaluate([{"out": frame(t=[1], y=[1])}])


def test_no_integer_overflow_and_no_unsigned_wrap() -> None:
    observed = pl.DataFrame({"i": [0], "y": [0]}, schema={"i": pl.Int64, "y": pl.Int32})
    simulated = pl.DataFrame({"i": [0], "y": [50_000]}, schema={"i": pl.Int64, "y": pl.Int32})
    table = ExactJoin("i").align(observed, [simulated])
    assert annealed_mse("y").evaluate(table).loss == 2.5e9

    unsigned = {"i": pl.Int64, "y": pl.UInt32}
    table = ExactJoin("i").align(
        pl.DataFrame({"i": [0], "y": [3]}, schema=unsigned),
        [pl.DataFrame({"i": [0], "y": [5]}, schema=unsigned)],
    )
    assert table.residuals("y").to_list() == [-2.0]
    assert table.residuals("y").dtype == pl.Float64


@pytest.mark.parametrize("stacked", [True, False])
def test_worked_scalar_case(stacked: bool) -> None:
    tables = [pl.DataFrame({"metric": ["R0"], "value": [value]}) for value in (2.3, 2.6, 2.4)]
    table = MetricAlignment().align({"R0": 2.5}, pl.concat(tables) if stacked else tables)
    assert len(table) == 3
    assert annealed_mse("value").evaluate(table).loss == pytest.approx(0.02, abs=1e-12)
    assert mean_signal_mse("value").evaluate(table).loss == pytest.approx(0.0044444, abs=1e-7)
    assert metric_mse().evaluate(table).loss == pytest.approx(0.02, abs=1e-12)
