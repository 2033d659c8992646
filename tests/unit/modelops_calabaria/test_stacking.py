"""Tables whose columns or types differ from run to run are stacked, and none is lost."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.stacking import stack_tables


@pytest.mark.parametrize(
    ("one", "two", "kind", "values"),
    [
        ([1], [2], pl.Int64, [1, 2]),
        ([1], [2.5], pl.Float64, [1.0, 2.5]),
        ([1], ["a"], pl.String, ["1", "a"]),
        ([None], ["a"], pl.String, [None, "a"]),
        ([1, None], [[1, 2]], pl.String, ["1", None, "[1, 2]"]),
    ],
)
def test_types_are_widened_and_else_text(one: Any, two: Any, kind: Any, values: Any) -> None:
    stacked = stack_tables([pl.DataFrame({"x": one}), pl.DataFrame({"x": two})])
    assert stacked.schema == {"x": kind}
    assert stacked["x"].to_list() == values


def test_columns_that_are_missing_are_null() -> None:
    stacked = stack_tables([pl.DataFrame({"x": [1]}), pl.DataFrame({"y": [2]})])
    assert stacked.rows() == [(1, None), (None, 2)]


class Changing(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])

    def build_sim(self, params: Any, config: Any) -> float:
        return float(params["x"])

    def run_sim(self, state: float, seed: int) -> float:
        return state

    @cb.model_output("out")
    def out(self, raw: float, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"value": [1] if raw < 0.5 else [[1, 2]]})


def test_a_study_is_not_lost_to_a_model_that_changes_its_types() -> None:
    study = cb.run_study(Changing, [{"x": 0.2}, {"x": 0.8}])
    assert study.outputs["out"]["value"].dtype == pl.String
