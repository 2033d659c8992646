"""ExactJoin: keys by value, one row per replicate and observed row, an account of the rest."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import polars as pl
import pytest

from modelops_calabaria.alignment import AlignmentError, ExactJoin, ObservedDataError
from modelops_contracts.errors import InvalidValue
from support.scoring import frame

OBSERVED = frame(day=[1, 2, 3], cases=[5, 6, 7])


def test_one_row_per_replicate_and_observed_row_in_order() -> None:
    table = ExactJoin(["day"]).align(
        OBSERVED,
        [frame(cases=[30, 10, 20, 40], day=[3, 1, 2, 4]), frame(day=[1, 2, 3], cases=[1, 2, 3])],
    )
    assert len(table) == 6
    assert table.data.columns == ["day", "__replicate", "cases__obs", "cases__sim"]
    assert table.data["__replicate"].dtype == pl.Int32
    assert table.data["__replicate"].to_list() == [0, 0, 0, 1, 1, 1]
    assert table.data["day"].to_list() == [1, 2, 3] * 2
    assert table.get_sim_col("cases").to_list() == [10, 20, 30, 1, 2, 3]
    assert table.get_obs_col("cases").to_list() == [5, 6, 7] * 2
    assert table.coverage is not None
    assert table.coverage.matched == (3, 3)
    assert table.coverage.n_sim_unused == 1


def test_an_unmatched_replicate_keeps_its_rows_as_null() -> None:
    empty = OBSERVED.clear()
    table = ExactJoin("day").align(OBSERVED, [OBSERVED, empty, frame(day=[2], cases=[9])])
    assert table.n_replicates == 3
    assert table.get_sim_col("cases").to_list()[3:] == [None, None, None, None, 9, None]
    assert table.coverage is not None
    assert table.coverage.matched == (3, 0, 1)
    assert table.coverage.missing_keys[0] == (1, (1,))
    assert table.coverage.n_unmatched == 5


def test_a_single_table_gives_no_replicate_column() -> None:
    table = ExactJoin("day").align(OBSERVED, OBSERVED)
    assert table.replicate_col is None
    assert "__replicate" not in table.data.columns
    assert table.n_replicates == 1


def test_the_seed_the_simulator_writes_is_no_value() -> None:
    table = ExactJoin("day").align(OBSERVED, [OBSERVED.with_columns(seed=pl.lit(2**63 + 1))])
    assert "seed__sim" not in table.data.columns


@pytest.mark.parametrize(
    ("observed", "simulated"),
    [
        ([1, 2, 3], [1.0, 2.0, 3.0]),
        ([1.0, 2.0, 3.0], pl.Series([1, 2, 3], dtype=pl.UInt8)),
        (["2020-01-01", "2020-01-02"], [date(2020, 1, 1), date(2020, 1, 2)]),
        ([date(2020, 1, 1)], ["2020-01-01"]),
        (["2020-01-01"], [datetime(2020, 1, 1)]),  # noqa: DTZ001
        ([date(2020, 1, 1)], [datetime(2020, 1, 1)]),  # noqa: DTZ001
        (["2020-01-01T06:00:00"], [datetime(2020, 1, 1, 6)]),  # noqa: DTZ001
        ([0.1, 0.30000000000000004], [0.1, 0.3]),
        ([0.1, 0.2], pl.Series([0.1, 0.2], dtype=pl.Float32)),
        ([0.0], [-0.0]),
        (["a", "b"], pl.Series(["a", "b"], dtype=pl.Categorical)),
        ([True, False], [True, False]),
    ],
)
def test_keys_meet_by_value(observed: list[object], simulated: list[object]) -> None:
    n = len(observed)
    left = pl.DataFrame({"key": observed, "y": range(n)})
    right = pl.DataFrame({"key": simulated, "y": range(n)})
    table = ExactJoin("key").align(left, [right])
    assert table.get_sim_col("y").to_list() == list(range(n))


@pytest.mark.parametrize(
    ("observed", "simulated", "words"),
    [
        ([1], ["1"], ["'key'", "Int64", "String"]),
        ([1.5], [date(2020, 1, 1)], ["'key'", "Float64", "Date"]),
        ([True], [1], ["'key'", "Boolean", "Int64"]),
        (["first of May"], [date(2020, 5, 1)], ["'key'", "first of May"]),
        ([2**60], [0.5], ["'key'"]),
    ],
)
def test_keys_of_different_kinds_are_refused(
    observed: list[object], simulated: list[object], words: list[str]
) -> None:
    left, right = frame(key=observed, y=[1]), frame(key=simulated, y=[1])
    with pytest.raises(AlignmentError) as caught:
        ExactJoin("key").align(left, [right])
    assert all(word in str(caught.value) for word in words)
    assert caught.value.reason == "BAD_OUTPUT"


def test_replicates_may_differ_in_order_and_width() -> None:
    table = ExactJoin("day").align(
        OBSERVED,
        [
            frame(day=[1, 2, 3], cases=[1, 2, 3]).cast({"day": pl.Int8, "cases": pl.UInt16}),
            frame(cases=[3.5, 2.0, 1.0], day=[3, 2, 1]),
        ],
    )
    assert table.get_sim_col("cases").to_list() == [1, 2, 3, 1, 2, 3.5]


def test_a_missing_column_names_replicate_and_columns() -> None:
    with pytest.raises(AlignmentError, match=r"replicate 1: .*'cases'.*day, case") as caught:
        ExactJoin("day").align(OBSERVED, [OBSERVED, OBSERVED.rename({"cases": "case"})])
    assert caught.value.hint == "did you mean 'case'?"
    with pytest.raises(AlignmentError, match=r"replicate 0: .*'day'"):
        ExactJoin("day").align(OBSERVED, [OBSERVED.rename({"day": "time"})])


def test_no_overlap_shows_keys_of_both_sides() -> None:
    with pytest.raises(AlignmentError, match=r"day=1; day=2; day=3.*day=11; day=12; day=13"):
        ExactJoin("day").align(OBSERVED, [OBSERVED.with_columns(pl.col("day") + 10)] * 2)


@pytest.mark.parametrize(("how", "expected"), [("sum", 30.0), ("mean", 15.0), ("last", 20.0)])
def test_duplicates_in_a_simulated_table(how: str, expected: float) -> None:
    twice = frame(day=[1, 2, 1, 3], cases=[10, 6, 20, 7])
    table = ExactJoin("day", duplicates=how).align(OBSERVED, [OBSERVED, twice])
    assert table.get_sim_col("cases").to_list() == [5, 6, 7, expected, 6, 7]


def test_duplicates_are_refused_by_default() -> None:
    twice = frame(day=[1, 2, 2, 3], cases=[10, 6, 20, 7])
    with pytest.raises(AlignmentError, match=r"replicate 1: 1 keys .*day=2"):
        ExactJoin("day").align(OBSERVED, [OBSERVED, twice])


@pytest.mark.parametrize(
    ("observed", "words"),
    [
        (frame(day=[1, 1, 2], cases=[1, 2, 3]), "day=1"),
        (frame(day=[1, None], cases=[1, 2]), "1 missing"),
        (frame(day=[1.0, float("nan")], cases=[1, 2]), "1 missing"),
        (frame(days=[1], cases=[1]), "no key column 'day'; its columns are days, cases"),
        (frame(day=[], cases=[]), "no rows"),
    ],
)
def test_observed_data_that_can_never_be_aligned(observed: pl.DataFrame, words: str) -> None:
    with pytest.raises(ObservedDataError, match=words):
        ExactJoin("day").align(observed, [OBSERVED])


def test_no_replicates() -> None:
    with pytest.raises(ValueError, match="empty"):
        ExactJoin("day").align(OBSERVED, [])


def test_pandas_tables() -> None:
    simulated = pd.DataFrame({"day": [1, 2, 3], "cases": [1.0, 2.0, 3.0]})
    table = ExactJoin("day").align(
        pd.DataFrame({"day": [1, 2, 3], "cases": [5, 6, 7]}), [simulated]
    )
    assert table.residuals("cases").to_list() == [4, 4, 4]
    stamps = pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2020-01-02"]), "y": [1, 2]})
    both = ExactJoin("day").align(stamps, [stamps])
    assert both.get_sim_col("y").to_list() == [1, 2]


def test_several_keys() -> None:
    observed = frame(day=[1, 1, 2], age=["old", "young", "old"], y=[1, 2, 3])
    simulated = observed.sort("age", "day").with_columns(pl.col("y") * 10)
    table = ExactJoin(["day", "age"]).align(observed, [simulated, simulated.reverse()])
    assert table.get_sim_col("y").to_list() == [10, 20, 30] * 2


def test_equal_keys_in_all_replicates_and_keys_in_other_order_agree() -> None:
    same = [frame(day=[3, 1, 2, 9], cases=[r, r + 1, r + 2, r + 3]) for r in range(4)]
    mixed = [table if r % 2 else table.reverse() for r, table in enumerate(same)]
    one, other = (ExactJoin("day").align(OBSERVED, tables) for tables in (same, mixed))
    assert one.data.equals(other.data)
    assert one.coverage == other.coverage


@pytest.mark.parametrize("turn", [False, True])
def test_gaps_and_repeats_are_the_same_whether_or_not_replicates_repeat_their_keys(
    turn: bool,
) -> None:
    tables = [frame(day=[1, 3, 3, 8], cases=[10 * r + i for i in range(4)]) for r in range(3)]
    if turn:
        tables[1] = tables[1][[3, 0, 1, 2]]
    table = ExactJoin("day", duplicates="sum").align(OBSERVED, tables)
    assert table.get_sim_col("cases").to_list() == [0, None, 3, 10, None, 23, 20, None, 43]
    last = ExactJoin("day", duplicates="last").align(OBSERVED, tables)
    assert last.get_sim_col("cases").to_list() == [0, None, 2, 10, None, 12, 20, None, 22]
    for aligned in (table, last):
        assert aligned.coverage is not None
        assert aligned.coverage.matched == (2, 2, 2)
        assert aligned.coverage.n_sim_unused == 3
    with pytest.raises(AlignmentError, match=r"replicate 0: 3 keys .*day=3"):
        ExactJoin("day").align(OBSERVED, tables)


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="duplicates must be one of"):
        ExactJoin("day", duplicates="first")
    with pytest.raises(ValueError, match="at least one column"):
        ExactJoin([])
    with pytest.raises(ValueError, match="twice"):
        ExactJoin(["day", "day"])


def test_observed_keys_that_rounding_makes_one() -> None:
    """Else both observed rows would silently take the same simulated row."""
    observed = frame(dose=[1e-10, 2e-10, 1.0], y=[1, 2, 3])
    with pytest.raises(ObservedDataError, match=r"cannot be told apart.*9 decimals.*dose=1e-10"):
        ExactJoin("dose").align(observed, [frame(dose=[1e-10, 1.0], y=[5, 6])])
    table = ExactJoin("dose", float_key_decimals=12).align(observed, [observed])
    assert table.get_sim_col("y").to_list() == [1, 2, 3]


def test_observed_dates_that_are_one_instant() -> None:
    observed = frame(t=["2020-01-01", "2020-01-01 00:00:00"], y=[1, 2])
    simulated = pl.DataFrame({"t": [datetime(2020, 1, 1)], "y": [5]})  # noqa: DTZ001
    with pytest.raises(ObservedDataError, match="cannot be told apart"):
        ExactJoin("t").align(observed, [simulated])


@pytest.mark.parametrize("decimals", [-1, 16, 2.5, True, "9"])
def test_decimals_are_checked(decimals: object) -> None:
    with pytest.raises(InvalidValue, match="float_key_decimals must be a whole number"):
        ExactJoin("t", float_key_decimals=decimals)  # type: ignore[arg-type]
