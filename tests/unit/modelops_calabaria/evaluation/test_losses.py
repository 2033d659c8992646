"""Losses: shapes, formulas, weights, jackknife."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest

from modelops_calabaria.alignment import (
    AlignedData,
    BadOutputError,
    MetricAlignment,
    ObservedDataError,
)
from modelops_calabaria.alignment.errors import AlignmentError, EvaluationError
from modelops_calabaria.evaluation.aggregate import IdentityAggregator, MeanAcrossReplicates
from modelops_calabaria.evaluation.evaluator import (
    Evaluator,
    LossEvaluator,
    annealed,
    annealed_mse,
    mean_of_per_replicate_mse,
    mean_signal,
    mean_signal_mse,
    metric_mse,
    replicate_mean_mse,
)
from modelops_calabaria.evaluation.losses import (
    AbsoluteErrorLoss,
    LogSquaredErrorLoss,
    NormalizedAbsoluteErrorLoss,
    ScaledSquaredErrorLoss,
    SquaredErrorLoss,
)
from modelops_calabaria.evaluation.quantities import Param
from modelops_calabaria.evaluation.reduce import MeanGroupedByReplicate, MeanReducer
from modelops_calabaria.evaluation.replicates import spread
from support.scoring import aligned, frame

OBSERVED = {"y": [1.0, 4.0], "sd": [1.0, 2.0]}
REPLICATES = ({"y": [2.0, 2.0]}, {"y": [1.0, 8.0]}, {"y": [0.0, 5.0]})


def table() -> AlignedData:
    return aligned(OBSERVED, *REPLICATES)


def test_annealed_and_mean_signal() -> None:
    result = annealed_mse("y", weight=2.0).evaluate(table())
    assert result.name == "annealed_mse[y]"
    assert result.loss == pytest.approx((2.5 + 8.0 + 1.0) / 3)
    assert result.weighted_loss == pytest.approx(2 * result.loss)
    assert result.per_replicate == pytest.approx([2.5, 8.0, 1.0])
    mean = mean_signal_mse("y").evaluate(table())
    assert mean.name == "mean_signal_mse[y]"
    assert mean.loss == pytest.approx((0.0 + 1.0) / 2)
    assert mean_of_per_replicate_mse("y") == annealed_mse("y")
    assert replicate_mean_mse("y") == mean_signal_mse("y")
    assert Evaluator is LossEvaluator


def test_standard_error_is_the_delete_one_jackknife() -> None:
    losses = annealed_mse("y").evaluate(table()).per_replicate
    assert losses is not None
    assert spread(losses) == pytest.approx(np.std([2.5, 8.0, 1.0], ddof=1) / math.sqrt(3))

    mean = mean_signal_mse("y").evaluate(table())
    assert mean.per_replicate is not None
    left_out = []
    for r in range(3):
        others = [item for i, item in enumerate(REPLICATES) if i != r]
        left_out.append(mean_signal_mse("y").evaluate(aligned(OBSERVED, *others)).loss)
    jackknife = math.sqrt(2 / 3 * ((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    assert spread(mean.per_replicate) == pytest.approx(jackknife)
    one = annealed_mse("y").evaluate(aligned(OBSERVED, REPLICATES[0])).per_replicate
    assert one is not None
    assert math.isnan(spread(one))


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (SquaredErrorLoss("y"), [1.0, 4.0]),
        (AbsoluteErrorLoss("y"), [1.0, 2.0]),
        (NormalizedAbsoluteErrorLoss("y"), [0.25, 0.5]),
        (ScaledSquaredErrorLoss("y", "sd"), [1.0, 1.0]),
        (ScaledSquaredErrorLoss("y", 2), [0.25, 1.0]),
        (LogSquaredErrorLoss("y"), [math.log(2 / 3) ** 2, math.log(5 / 3) ** 2]),
        (LogSquaredErrorLoss("y", offset=0.0), [math.log(1 / 2) ** 2, math.log(4 / 2) ** 2]),
    ],
)
def test_pointwise_losses(loss: Any, expected: list[float]) -> None:
    one = aligned(OBSERVED, REPLICATES[0])
    computed = loss.compute(one)
    assert computed.has_loss
    assert computed.get_loss_col().to_list() == pytest.approx(expected)
    assert annealed(loss).evaluate(one).loss == pytest.approx(np.mean(expected))
    assert mean_signal(loss).evaluate(one).loss == pytest.approx(np.mean(expected))


def test_parameters_in_a_loss() -> None:
    evaluator = annealed(ScaledSquaredErrorLoss("y", Param("sigma")))
    one = aligned(OBSERVED, REPLICATES[0])
    assert evaluator.evaluate(one, {"sigma": 2.0}).loss == pytest.approx(0.625)


def test_values_a_loss_cannot_use() -> None:
    with pytest.raises(BadOutputError, match="'y' is -2"):
        annealed(LogSquaredErrorLoss("y")).evaluate(aligned({"y": [1.0]}, {"y": [-2.0]}))
    with pytest.raises(ObservedDataError, match="logarithm"):
        annealed(LogSquaredErrorLoss("y", 0.0)).evaluate(aligned({"y": [0.0]}, {"y": [1.0]}))
    with pytest.raises(ObservedDataError, match="all observed values"):
        annealed(NormalizedAbsoluteErrorLoss("y")).evaluate(aligned({"y": [0.0]}, {"y": [1.0]}))
    for gap in (None, math.nan, math.inf):
        with pytest.raises(BadOutputError, match="'y' is"):
            annealed_mse("y").evaluate(aligned({"y": [1.0, 1.0]}, {"y": [1.0, gap]}))
    with pytest.raises(AlignmentError, match="observed column 'y'"):
        annealed_mse("y").evaluate(aligned({"y": [None, 1.0]}, {"y": [1.0, 1.0]}))


def test_a_loss_that_returns_nan_is_named() -> None:
    class Broken:
        def compute(self, table: AlignedData) -> AlignedData:
            return table.with_column("__loss", np.full(table.grid_shape(), np.nan))

    with pytest.raises(EvaluationError, match="Broken"):
        LossEvaluator(IdentityAggregator(), Broken(), MeanReducer()).evaluate(table())


def test_a_users_parts_are_equal_citizens() -> None:
    class Cubic:
        simulated_columns = ("y",)

        def compute(self, table: AlignedData) -> AlignedData:
            return table.with_column(
                "__loss", np.abs(table.observed("y") - table.simulated("y")) ** 3
            )

    class Worst:
        def reduce(self, table: AlignedData) -> float:
            return float(table.get_loss_col().max())  # type: ignore[arg-type]

    evaluator = LossEvaluator(MeanAcrossReplicates("y"), Cubic(), Worst(), 1.0, "worst")
    result = evaluator.evaluate(table())
    assert result.loss == pytest.approx(1.0)
    assert result.per_replicate is not None
    assert result.per_replicate.shape == (3,)
    assert math.isfinite(spread(result.per_replicate))


def test_replicates_are_required_where_they_are_meant() -> None:
    from modelops_calabaria.alignment import ExactJoin

    single = ExactJoin("i").align(frame(i=[0], y=[1.0]), frame(i=[0], y=[2.0]))
    with pytest.raises(ValueError, match="requires a replicate column"):
        annealed_mse("y").evaluate(single)
    with pytest.raises(ValueError, match="requires a replicate column"):
        mean_signal_mse("y").evaluate(single)
    evaluator = LossEvaluator(IdentityAggregator(), SquaredErrorLoss("y"), MeanReducer())
    assert evaluator.evaluate(single).loss == 1.0


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weights_are_checked(weight: float) -> None:
    with pytest.raises(ValueError, match="finite and at least 0"):
        annealed_mse("y", weight=weight)


def test_metric_mse_weighs_metrics_alike() -> None:
    observed = frame(metric=["a", "a", "b"], k=[1, 2, None], value=[1.0, 1.0, 10.0])
    simulated = frame(metric=["a", "a", "b"], k=[1, 2, None], value=[2.0, 4.0, 12.0])
    both = MetricAlignment(index_cols=["k"]).align(observed, [simulated])
    assert metric_mse().evaluate(both).loss == pytest.approx((5.0 + 4.0) / 2)
    assert metric_mse(weights={"a": 3.0, "b": 1.0}).evaluate(both).loss == pytest.approx(19 / 4)
    assert metric_mse("b").evaluate(both).loss == pytest.approx(4.0)
    assert metric_mse("b", scale="observed").evaluate(both).loss == pytest.approx(0.04)
    scaled = metric_mse(scale={"a": 1.0, "b": 2.0})
    assert scaled.evaluate(both).loss == pytest.approx((5.0 + 1.0) / 2)
    with pytest.raises(ObservedDataError, match="no metric 'c'; there are a, b"):
        metric_mse("c").evaluate(both)
    with pytest.raises(ObservedDataError, match="no metric 'c'"):
        metric_mse(weights={"c": 1.0}).evaluate(both)


def test_weight_zero_switches_off_even_an_infinite_loss() -> None:
    class Endless:
        def compute(self, table: AlignedData) -> AlignedData:
            return table.with_column("__loss", np.full(table.grid_shape(), np.inf))

    evaluator = LossEvaluator(IdentityAggregator(), Endless(), MeanReducer(), weight=0.0)
    result = evaluator.evaluate(table())
    assert (result.loss, result.weighted_loss) == (math.inf, 0.0)


def test_metric_mse_needs_metrics() -> None:
    with pytest.raises(ObservedDataError, match="no metric among the keys"):
        metric_mse().evaluate(aligned({"value": [1.0]}, {"value": [2.0]}))


def test_metric_weights_may_stand_in_the_data() -> None:
    observed = frame(metric=["a", "b"], value=[1.0, 10.0], weight=[3.0, 1.0])
    both = MetricAlignment().align(observed, [frame(a=[2.0], b=[14.0])])
    assert metric_mse().evaluate(both).loss == pytest.approx((3 * 1 + 16) / 4)


def test_tables_made_by_hand() -> None:
    data = frame(
        __replicate=[1, 0, 1, 0], i=[0, 1, 1, 0], y__obs=[1, 4, 4, 1], y__sim=[1.0, 2.0, 8.0, 2.0]
    )
    by_hand = AlignedData(data, ["i"], "__replicate")
    assert annealed_mse("y").evaluate(by_hand).per_replicate == pytest.approx([2.5, 8.0])
    ragged = AlignedData(data.head(3), ["i"], "__replicate")
    with pytest.raises(AlignmentError, match=r"different numbers of rows \(1 to 2\)"):
        annealed_mse("y").evaluate(ragged)
    mixed = AlignedData(data.with_columns(y__obs=pl.Series([1, 4, 5, 1])), ["i"], "__replicate")
    with pytest.raises(AlignmentError, match="differ in keys or observed values"):
        annealed_mse("y").evaluate(mixed)


def test_residuals_and_names() -> None:
    one = aligned({"y": [3, 5]}, {"y": [5, None]})
    assert one.residuals_raw("y").to_list() == [-2.0, None]
    assert one.residuals("y").to_list() == [-2.0]
    assert one.sim_colname("y") == "y__sim"
    assert one.obs_colname("y") == "y__obs"
    assert not one.has_loss
    with pytest.raises(KeyError, match="no column 'z'"):
        one.get_sim_col("z")
    assert [s.name for s in one.get_sim_cols(["y"]) + one.get_obs_cols(["y"])] == [
        "y__sim",
        "y__obs",
    ]


def test_grouped_and_plain_mean_agree_on_complete_tables() -> None:
    computed = SquaredErrorLoss("y").compute(table())
    assert MeanReducer().reduce(computed) == MeanGroupedByReplicate().reduce(computed)
