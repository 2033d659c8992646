"""AsofJoin: the nearest row, never further than allowed."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import polars as pl
import pytest

from modelops_calabaria.alignment import AlignmentError, AsofJoin
from modelops_contracts.errors import InvalidValue
from support.scoring import frame


def matches(
    strategy: str, observed: list[float], simulated: list[float], **options: object
) -> list[float | None]:
    join = AsofJoin("t", strategy=strategy, **options)  # type: ignore[arg-type]
    table = join.align(
        frame(t=observed, y=[0] * len(observed)), [frame(t=simulated, y=[0] * len(simulated))]
    )
    return table.data["t_right"].to_list()


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("backward", [None, 0.0, 2.0, 4.0]),
        ("forward", [0.0, 2.0, 2.0, None]),
        ("nearest", [0.0, 0.0, 2.0, 4.0]),
    ],
)
def test_strategies_with_the_default_limit(strategy: str, expected: list[float | None]) -> None:
    observed = [-0.5, 1.0, 2.0, 4.9]
    assert matches(strategy, observed, [4.0, 0.0, 2.0]) == expected


def test_ties_of_nearest_go_to_the_earlier_row() -> None:
    assert matches("nearest", [1.0, 3.0], [0.0, 2.0, 4.0]) == [0.0, 2.0]


def test_nothing_is_extrapolated_further_than_one_step() -> None:
    assert matches("backward", [3.0, 3.1], [0.0, 1.0, 2.0]) == [2.0, None]
    assert matches("nearest", [2.5, 2.6], [0.0, 1.0, 2.0]) == [2.0, None]
    assert matches("nearest", [0.05], [0.0, 0.1, 0.2]) == [0.0]


def test_one_simulated_row_matches_only_itself() -> None:
    assert matches("nearest", [1.0, 1.001], [1.0]) == [1.0, None]


def test_tolerance() -> None:
    assert matches("backward", [1.4, 9.0], [0.0, 1.0], tolerance=0.4) == [1.0, None]
    assert matches("backward", [1.5, 9.0], [0.0, 1.0], tolerance=math.inf) == [1.0, 1.0]


def test_steps_differ_by_replicate() -> None:
    table = AsofJoin("t", strategy="backward").align(
        frame(t=[2.5], y=[0]), [frame(t=[0, 1], y=[0, 1]), frame(t=[0, 2], y=[0, 2])]
    )
    assert table.get_sim_col("y").to_list() == [None, 2.0]


def test_groups_are_kept_apart_and_rows_sorted_by_group_then_axis() -> None:
    observed = frame(t=[2.0, 1.0, 1.0], site=["b", "b", "a"], y=[0, 0, 0])
    simulated = frame(
        t=[0.0, 1.0, 2.0, 0.0, 1.0, 5.0], site=["b", "b", "b", "a", "a", "c"], y=[1, 2, 3, 4, 5, 6]
    )
    table = AsofJoin("t", by="site").align(observed, [simulated, simulated.reverse()])
    assert table.on_cols == ["site", "t"]
    assert table.data["site"].to_list() == ["a", "b", "b"] * 2
    assert table.get_sim_col("y").to_list() == [5, 2, 3] * 2
    assert table.coverage is not None
    assert table.coverage.n_sim_unused == 6


def test_dates_and_timedeltas() -> None:
    observed = frame(t=["2020-01-03"], y=[0])
    simulated = frame(t=[date(2020, 1, 1)], y=[7])
    near = AsofJoin("t", strategy="backward", tolerance=timedelta(days=2))
    assert near.align(observed, [simulated]).get_sim_col("y").to_list() == [7]
    far = AsofJoin("t", strategy="backward", tolerance=timedelta(hours=47))
    with pytest.raises(AlignmentError, match="no simulated row"):
        far.align(observed, [simulated])
    with pytest.raises(AlignmentError, match="timedelta"):
        near.align(frame(t=[1], y=[0]), [frame(t=[1], y=[0])])


def test_duplicates() -> None:
    observed, simulated = frame(t=[1.2], y=[0]), frame(t=[1.0, 1.0, 2.0], y=[1, 2, 9])
    with pytest.raises(AlignmentError, match="more than once"):
        AsofJoin("t").align(observed, [simulated])
    total = AsofJoin("t", duplicates="sum").align(observed, [simulated])
    assert total.get_sim_col("y").to_list() == [3]
    last = AsofJoin("t", duplicates="last").align(observed, [simulated])
    assert last.get_sim_col("y").to_list() == [2]


def test_one_simulated_row_may_serve_several_observed_rows() -> None:
    table = AsofJoin("t").align(frame(t=[0.9, 1.1], y=[0, 0]), [frame(t=[0.0, 1.0], y=[1, 2])])
    assert table.get_sim_col("y").to_list() == [2, 2]
    assert table.coverage is not None
    assert table.coverage.n_sim_unused == 1


def test_a_single_table_gives_no_replicate_column() -> None:
    table = AsofJoin("t").align(frame(t=[1], y=[0]), frame(t=[1], y=[3]))
    assert table.replicate_col is None
    assert table.data.columns == ["t", "y__obs", "y__sim", "t_right"]


def test_texts_have_no_distance() -> None:
    with pytest.raises(AlignmentError, match="numbers or dates"):
        AsofJoin("t").align(frame(t=["a"], y=[0]), [frame(t=["a"], y=[0])])


@pytest.mark.parametrize("wrong", [{"strategy": "closest"}, {"tolerance": -1}, {"duplicates": "x"}])
def test_arguments_are_checked(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AsofJoin("t", **wrong)  # type: ignore[arg-type]


def test_polars_agrees() -> None:
    observed = frame(t=[0.5, 1.5, 3.5, 7.0], y=[0] * 4)
    simulated = frame(t=[0.0, 1.0, 3.0, 6.0], y=[1, 2, 3, 4])
    ours = AsofJoin("t", strategy="backward", tolerance=math.inf).align(observed, [simulated])
    theirs = observed.sort("t").join_asof(simulated.sort("t"), on="t", strategy="backward")
    assert ours.get_sim_col("y").to_list() == theirs["y_right"].cast(pl.Float64).to_list()


@pytest.mark.parametrize("offset", [0.0, 1e3, 1e6])
def test_ties_are_ties_of_values_not_of_their_rounding(offset: float) -> None:
    steps = [round(offset + k / 10, 9) for k in range(12)]
    between = [round(offset + k / 10 + 0.05, 9) for k in range(11)]
    assert matches("nearest", between, steps) == steps[:-1]
    assert matches("nearest", between, steps, tolerance=0.05) == steps[:-1]


def test_a_tolerance_of_zero_takes_equal_keys_only() -> None:
    keys = [1_000_000.5, 1_000_000.500000001, 2.0**52 + 1]
    assert matches("nearest", [2.0**52], keys, tolerance=1) == [2.0**52 + 1]
    with pytest.raises(AlignmentError, match="no simulated row matches"):
        matches("nearest", [2.0**52], keys, tolerance=0)


def test_a_number_is_no_tolerance_of_time_stamps() -> None:
    observed = pl.DataFrame({"t": [datetime(2020, 1, 1)], "y": [1]})  # noqa: DTZ001
    simulated = pl.DataFrame({"t": [datetime(2020, 1, 2)], "y": [1]})  # noqa: DTZ001
    with pytest.raises(AlignmentError, match="has no unit") as caught:
        AsofJoin("t", tolerance=1).align(observed, [simulated])
    assert "timedelta" in str(caught.value.hint)
    for limit in (timedelta(days=1), math.inf):
        assert AsofJoin("t", tolerance=limit).align(observed, [simulated]).data["y__sim"][0] == 1


def test_by_does_not_hold_the_axis_itself() -> None:
    with pytest.raises(InvalidValue, match="names a column twice: t, t"):
        AsofJoin("t", by="t")


@pytest.mark.parametrize("tolerance", ["1d", True, [1]])
def test_a_tolerance_that_is_no_number(tolerance: object) -> None:
    with pytest.raises(InvalidValue, match="tolerance must be a number, a timedelta or None"):
        AsofJoin("t", tolerance=tolerance)  # type: ignore[arg-type]
