"""MetricAlignment: scalars and short vectors, long or wide, one table or many."""

from __future__ import annotations

import pandas as pd
import polars as pl
import pytest

from modelops_calabaria.alignment import (
    AlignmentError,
    MetricAlignment,
    MetricAlignmentError,
    ObservedDataError,
)
from modelops_contracts.errors import InvalidValue
from support.scoring import frame

VALUES = [2.3, 2.6, 2.4]
WIDE = [frame(R0=[value], peak=[10 * value]) for value in VALUES]
LONG = [frame(metric=["peak", "R0"], value=[10 * value, value]) for value in VALUES]


@pytest.mark.parametrize(
    "simulated",
    [
        WIDE,
        LONG,
        [WIDE[0], LONG[1], WIDE[2]],
        pl.concat(WIDE),
        pl.concat(LONG),
        pl.concat(WIDE).with_columns(seed=pl.Series([7, 8, 9])),
        pl.concat(LONG).with_columns(__replicate=pl.Series([0, 0, 4, 4, 9, 9])).sort("metric"),
        pd.DataFrame({"R0": VALUES, "peak": [10 * v for v in VALUES]}),
        [item.with_columns(seed=pl.lit(3)) for item in WIDE],
    ],
)
@pytest.mark.parametrize(
    "observed",
    [
        {"peak": 20, "R0": 2.5},
        frame(metric=["peak", "R0"], value=[20.0, 2.5]),
        frame(peak=[20.0], R0=[2.5], seed=[1]),
        pd.DataFrame({"metric": ["peak", "R0"], "value": [20.0, 2.5]}),
    ],
)
def test_every_shape_gives_the_same_table(observed: object, simulated: object) -> None:
    table = MetricAlignment().align(observed, simulated)
    assert table.on_cols == ["metric"]
    assert len(table) == 6
    assert table.data["metric"].to_list() == ["peak", "R0"] * 3
    assert table.data["__replicate"].to_list() == [0, 0, 1, 1, 2, 2]
    assert table.get_sim_col("value").to_list() == pytest.approx([23.0, 2.3, 26.0, 2.6, 24.0, 2.4])
    assert table.get_obs_col("value").to_list() == [20.0, 2.5] * 3


def test_a_number_needs_one_name() -> None:
    table = MetricAlignment("R0").align(2.5, WIDE)
    assert table.data["metric"].unique().to_list() == ["R0"]
    with pytest.raises(ObservedDataError, match="exactly one metric"):
        MetricAlignment().align(2.5, WIDE)


def test_only_the_named_metrics() -> None:
    table = MetricAlignment(["R0"]).align({"peak": 20, "R0": 2.5}, WIDE)
    assert len(table) == 3
    with pytest.raises(MetricAlignmentError, match=r"'R1' is not in the observed data.*R0"):
        MetricAlignment("R1").align({"R0": 2.5}, WIDE)


def test_vectors_and_scalars_together() -> None:
    observed = frame(
        metric=["attack", "attack", "R0"], age=["old", "young", None], value=[0.2, 0.5, 2.5]
    )
    simulated = frame(
        metric=["R0", "attack", "attack"], age=[None, "young", "old"], value=[2.4, 0.6, 0.3]
    )
    table = MetricAlignment(index_cols=["age"]).align(observed, [simulated, simulated.reverse()])
    assert table.on_cols == ["metric", "age"]
    assert table.get_sim_col("value").to_list() == [0.3, 0.6, 2.4] * 2


def test_replicate_column_and_wide_index() -> None:
    simulated = frame(run=["b", "b", "a", "a"], age=[1, 2, 1, 2], attack=[0.3, 0.4, 0.1, 0.2])
    table = MetricAlignment(index_cols=["age"], replicate_col="run").align(
        frame(age=[1, 2], attack=[0.0, 0.0]), simulated
    )
    assert table.get_sim_col("value").to_list() == [0.1, 0.2, 0.3, 0.4]


def test_scale_divides_both_sides_and_the_sd() -> None:
    observed = frame(metric=["R0", "peak"], value=[2.0, -20.0], sd=[1.0, 5.0])
    table = MetricAlignment(scale="observed").align(observed, [frame(R0=[3.0], peak=[-10.0])])
    assert table.get_obs_col("value").to_list() == [1.0, -1.0]
    assert table.get_sim_col("value").to_list() == [1.5, -0.5]
    assert table.get_obs_col("sd").to_list() == [0.5, 0.25]
    given = MetricAlignment(scale={"R0": 2.0, "peak": 10.0}).align(
        observed, [frame(R0=[3], peak=[4])]
    )
    assert given.get_sim_col("value").to_list() == [1.5, 0.4]
    with pytest.raises(ObservedDataError, match="observed value of 0"):
        MetricAlignment(scale="observed").align({"R0": 0}, WIDE)
    with pytest.raises(ObservedDataError, match="no entry for metric 'peak'"):
        MetricAlignment(scale={"R0": 2.0}).align(observed, [frame(R0=[3], peak=[4])])


def test_rename_maps_observed_to_simulated_names() -> None:
    table = MetricAlignment(rename={"R0": "r_nought"}).align({"R0": 2.5}, [frame(r_nought=[2.4])])
    assert table.data["metric"].to_list() == ["R0"]
    assert table.get_sim_col("value").to_list() == [2.4]


def test_an_absent_metric_is_named_with_replicate_and_neighbours() -> None:
    tables = [WIDE[0], WIDE[1].rename({"R0": "R_0"}), WIDE[2]]
    with pytest.raises(
        MetricAlignmentError, match=r"replicate 1: metric 'R0' is missing"
    ) as caught:
        MetricAlignment("R0").align(2.5, tables)
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, ValueError)
    assert not str(caught.value).startswith('"')
    long = [LONG[0], LONG[1].filter(pl.col("metric") == "peak")]
    with pytest.raises(MetricAlignmentError, match=r"replicate 1: .*metrics there: peak"):
        MetricAlignment("R0").align(2.5, long)


def test_missing_nan_leaves_a_gap() -> None:
    tables = [LONG[0], LONG[1].filter(pl.col("metric") == "peak")]
    table = MetricAlignment("R0", missing="nan").align(2.5, tables)
    assert table.get_sim_col("value").to_list() == [2.3, None]
    assert table.coverage is not None
    assert table.coverage.matched == (1, 0)


@pytest.mark.parametrize(
    ("simulated", "words"),
    [
        ([frame(metric=["R0", "R0"], value=[1.0, 2.0])], "more than once"),
        ([frame(R0=["high"])], "String"),
        ([frame(metric=["R0"], value=["high"])], "String"),
        ([frame(metric=["R0"], value=[None])], "NaN or null"),
        ([frame(R0=[1.0]), frame(R0=[float("nan")])], "replicate 1.*NaN"),
        ([frame(metric=["R0"], amount=[1.0])], "'R0' is missing"),
        ([frame(R0=[1.0]).clear()], "metrics there: none"),
    ],
)
def test_values_that_are_none(simulated: list[pl.DataFrame], words: str) -> None:
    with pytest.raises(MetricAlignmentError, match=words):
        MetricAlignment("R0").align(2.5, simulated)


def test_columns_that_are_missing() -> None:
    with pytest.raises(MetricAlignmentError, match=r"no column 'value'; found metric, amount"):
        MetricAlignment("R0", layout="long").align(2.5, [frame(metric=["R0"], amount=[1.0])])
    with pytest.raises(MetricAlignmentError, match=r"no column 'age'; found"):
        MetricAlignment(index_cols=["age"]).align(frame(metric=["R0"], value=[1.0]), LONG)


@pytest.mark.parametrize(("how", "expected"), [("sum", 3.0), ("mean", 1.5), ("last", 2.0)])
def test_duplicates(how: str, expected: float) -> None:
    twice = [frame(metric=["R0", "R0"], value=[1.0, 2.0])]
    table = MetricAlignment("R0", duplicates=how).align(2.5, twice)
    assert table.get_sim_col("value").to_list() == [expected]


def test_duplicates_in_observed_data_are_always_refused() -> None:
    with pytest.raises(ObservedDataError, match="more than once"):
        MetricAlignment().align(frame(metric=["R0", "R0"], value=[1.0, 2.0]), WIDE)


def test_no_replicates() -> None:
    with pytest.raises(ValueError, match="empty"):
        MetricAlignment("R0").align(2.5, [])


@pytest.mark.parametrize(
    "wrong", [{"layout": "tall"}, {"missing": "drop"}, {"scale": "size"}, {"scale": {"R0": 0.0}}]
)
def test_arguments_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MetricAlignment("R0", **wrong)  # type: ignore[arg-type]


def test_an_unknown_index_value_is_a_gap() -> None:
    observed = frame(metric=["attack"], age=["old"], value=[0.2])
    simulated = frame(metric=["attack"], age=["young"], value=[0.2])
    with pytest.raises(AlignmentError, match="'attack' at age=old is missing"):
        MetricAlignment(index_cols=["age"]).align(observed, [simulated])


def test_nearest_names_are_taken_from_all_the_model_writes() -> None:
    """Also from numbers of a wide table that no target asks for."""
    for simulated in (
        frame(seed=[1, 2], R0=[1.0, 2.0], peak_share=[0.1, 0.2]),
        frame(metric=["R0", "peak_share"], value=[1.0, 0.1]),
    ):
        with pytest.raises(MetricAlignmentError, match="metrics there: R0, peak_share") as caught:
            MetricAlignment().align({"R0": 1.5, "peak_shares": 0.1}, simulated)
        assert "did you mean 'peak_share'" in str(caught.value.hint)


def test_no_metrics_at_all() -> None:
    with pytest.raises(ObservedDataError, match="no rows"):
        MetricAlignment().align({}, WIDE)


@pytest.mark.parametrize("scale", [0, -1.0, float("inf"), "10"])
def test_a_scale_that_is_no_positive_number(scale: object) -> None:
    with pytest.raises(InvalidValue, match="scale of metric 'R0' must be a positive number"):
        MetricAlignment(scale={"R0": scale})  # type: ignore[dict-item]
