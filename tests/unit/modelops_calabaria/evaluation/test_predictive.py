"""Predictive ranges of an ensemble."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.alignment import AlignmentError, ExactJoin, MetricAlignment
from modelops_calabaria.evaluation.evaluator import annealed_mse
from modelops_calabaria.evaluation.likelihoods import (
    neg_binomial_loglik_per_rep,
    poisson_loglik_per_rep,
)
from modelops_calabaria.evaluation.predictive import predictive_ensemble
from modelops_calabaria.evaluation.quantities import Param
from modelops_calabaria.targets import LikelihoodTarget, LossTarget
from support.scoring import frame, output

OBSERVED = {"day": [1, 2, 3], "y": [10, 20, 90]}


def members(n: int, values: Any = (10.0, 20.0, 30.0), **params: float) -> list[Any]:
    return [(params, output(day=[1, 2, 3], y=list(values))) for _ in range(n)]


def target(family: Any, **options: Any) -> LikelihoodTarget:
    return LikelihoodTarget("t", "out", OBSERVED, ExactJoin("day"), family, **options)


def test_one_draw_of_the_family_per_member_and_row() -> None:
    from scipy.stats import poisson

    table = predictive_ensemble(target(poisson_loglik_per_rep("y")), members(4000), seed=1)
    assert table.columns == ["day", "observed", "q025", "q500", "q975", "inside", "n_members"]
    assert table["observed"].to_list() == [10.0, 20.0, 90.0]
    assert table["inside"].to_list() == [True, True, False]
    assert table["n_members"].to_list() == [4000] * 3
    for name, level in (("q025", 0.025), ("q500", 0.5), ("q975", 0.975)):
        assert table[name].to_list() == pytest.approx(poisson.ppf(level, [10, 20, 30]), abs=1)


def test_the_seed_decides() -> None:
    family = poisson_loglik_per_rep("y")
    first, again, other = (
        predictive_ensemble(target(family), members(20), seed=seed) for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_every_member_has_its_own_parameters() -> None:
    family = neg_binomial_loglik_per_rep("y", Param("k"))
    tight = predictive_ensemble(target(family), members(500, k=1e6), seed=1)
    wide = predictive_ensemble(target(family), members(500, k=0.5), seed=1)
    assert (wide["q975"] > 1.5 * tight["q975"]).all()
    both = [*members(250, k=1e6), *members(250, k=0.5)]
    mixed = predictive_ensemble(target(family), both, seed=1)
    assert (mixed["q975"] > tight["q975"]).all()


def test_losses_take_the_simulated_values() -> None:
    loss = LossTarget("t", "out", OBSERVED, ExactJoin("day"), annealed_mse("y"))
    ensemble = [({}, output(day=[1, 2, 3], y=[v, v, v])) for v in (0.0, 10.0, 20.0)]
    table = predictive_ensemble(loss, ensemble, seed=0, quantiles=(0.0, 0.5, 1.0))
    assert table["q000"].to_list() == [0.0] * 3
    assert table["q500"].to_list() == [10.0] * 3
    assert table["q1000"].to_list() == [20.0] * 3
    assert table["inside"].to_list() == [True, True, False]


def test_metrics() -> None:
    loss = LossTarget("t", "out", {"R0": 2.5, "peak": 6}, MetricAlignment(), annealed_mse("value"))
    table = predictive_ensemble(loss, [({}, output(R0=[2.0], peak=[7.0]))] * 3, seed=0)
    assert table["metric"].to_list() == ["R0", "peak"]
    assert table["q500"].to_list() == [2.0, 7.0]


def test_scaled_metrics_are_shown_in_their_own_units() -> None:
    alignment = MetricAlignment(scale="observed")
    loss = LossTarget("t", "out", {"R0": 2.5, "peak": -6}, alignment, annealed_mse("value"))
    table = predictive_ensemble(loss, [({}, output(R0=[2.0], peak=[-7.0]))] * 3, seed=0)
    assert table["observed"].to_list() == [2.5, -6.0]
    assert table["q500"].to_list() == [2.0, -7.0]


@pytest.mark.parametrize("family", [poisson_loglik_per_rep("y"), None])
def test_members_that_lack_rows_are_counted_out_there_only(family: Any) -> None:
    short = ({}, output(day=[1], y=[10.0]))
    broken = ({}, output(day=[1, 2, 3], y=[10.0, math.nan, 30.0]))
    chosen = (
        target(family)
        if family
        else LossTarget("t", "out", OBSERVED, ExactJoin("day"), annealed_mse("y"))
    )
    table = predictive_ensemble(chosen, [*members(5), short, broken], seed=1)
    assert table["n_members"].to_list() == [7, 5, 6]
    assert table["q500"].null_count() == 0


def test_a_member_outside_the_domain_is_counted_out() -> None:
    negative = ({}, output(day=[1, 2, 3], y=[10.0, -5.0, 30.0]))
    table = predictive_ensemble(
        target(poisson_loglik_per_rep("y")), [*members(5), negative], seed=1
    )
    assert table["n_members"].to_list() == [5, 5, 5]


def test_a_member_that_cannot_be_aligned_is_counted_out() -> None:
    loss = LossTarget("t", "out", {"R0": 2.5, "peak": 6}, MetricAlignment(), annealed_mse("value"))
    good = ({}, output(R0=[2.0], peak=[7.0]))
    table = predictive_ensemble(loss, [({}, output(R0=[2.0])), good, good], seed=0)
    assert table["n_members"].to_list() == [2, 2]
    with pytest.raises(AlignmentError, match="target t, output out, replicate 0: metric 'peak'"):
        predictive_ensemble(loss, [({}, output(R0=[2.0]))], seed=0)


def test_a_row_nobody_has_is_null_and_not_inside() -> None:
    only_first = [({}, output(day=[1], y=[10.0]))] * 4
    table = predictive_ensemble(target(poisson_loglik_per_rep("y")), only_first, seed=1)
    assert table["n_members"].to_list() == [4, 0, 0]
    assert table["q500"].to_list()[1:] == [None, None]
    assert table["inside"].to_list()[1:] == [False, False]


def test_users_functions_take_the_simulated_values() -> None:
    mine = target(lambda aligned: np.zeros(aligned.n_replicates))
    table = predictive_ensemble(mine, members(3), seed=1)
    assert table["q500"].to_list() == [10.0, 20.0, 30.0]


def test_nothing_that_matches_is_an_error() -> None:
    elsewhere = [({}, {"out": frame(day=[9], y=[1.0])})]
    with pytest.raises(AlignmentError, match="target t"):
        predictive_ensemble(target(poisson_loglik_per_rep("y")), elsewhere, seed=1)


def test_misuse() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        predictive_ensemble(target(poisson_loglik_per_rep("y")), [], seed=1)
    with pytest.raises(ValueError, match="quantiles"):
        predictive_ensemble(
            target(poisson_loglik_per_rep("y")), members(2), seed=1, quantiles=[2.0]
        )


def test_the_table_is_plain_polars() -> None:
    table = predictive_ensemble(target(poisson_loglik_per_rep("y")), members(2), seed=1)
    assert table.schema["inside"] == pl.Boolean
    assert table.schema["q025"] == pl.Float64
