"""Targets of one evaluation share the columns of its tables, and nothing stays behind."""

from __future__ import annotations

import polars as pl

from modelops_calabaria.alignment.matching import stack
from modelops_calabaria.alignment.sharing import share_columns


def tables(*values: int) -> list[pl.DataFrame]:
    return [pl.DataFrame({"day": [1, 2], "cases": [value, value]}) for value in values]


def stacked(frames: list[pl.DataFrame]) -> pl.Series:
    (column,) = stack(frames, ["day"], ["cases"]).columns["cases"]
    return column


def test_the_same_tables_are_stacked_once() -> None:
    frames = tables(1, 2)
    with share_columns():
        assert stacked(frames) is stacked(list(frames))
    assert stacked(frames) is not stacked(frames)


def test_other_tables_are_other_columns_even_at_the_same_address() -> None:
    with share_columns():
        seen = [stacked(tables(i, i + 1)).to_list() for i in range(50)]
    assert seen == [[i, i, i + 1, i + 1] for i in range(50)]


def test_one_evaluation_does_not_see_the_columns_of_another() -> None:
    frames = tables(1, 2)
    with share_columns():
        outer = stacked(frames)
        with share_columns():
            assert stacked(frames) is not outer
        assert stacked(frames) is outer


def test_tables_of_different_types_stay_in_parts() -> None:
    frames = [*tables(1), pl.DataFrame({"day": [1], "cases": [0.5]})]
    assert [p.dtype for p in stack(frames, ["day"]).columns["cases"]] == [pl.Int64, pl.Float64]
