"""Targets of the older form: f(sim_returns, target_data) -> {"loss": ..., "diagnostics": ...}."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.decorators import is_plain_function
from modelops_calabaria.describe import describe_target
from modelops_calabaria.evaluation.joint import evaluate_joint
from modelops_calabaria.targets import make_target
from modelops_contracts import Evaluation, SimReturn
from modelops_contracts.errors import InvalidInput, ModelOpsError


def read(artifact: Any) -> pl.DataFrame:
    content = artifact.inline if artifact.ref is None else urlopen(artifact.ref).read()
    return pl.read_ipc(BytesIO(artifact.verified(content)))


def mean_of_x(sim_returns: list[SimReturn], target_data: Any) -> dict[str, Any]:
    values = [read(one.outputs["out"])["x"].mean() for one in sim_returns]
    return {"loss": sum(values) / len(values), "diagnostics": {"n": len(values)}}


def outputs(*values: float, rows: int = 1) -> list[dict[str, pl.DataFrame]]:
    return [
        {"out": pl.DataFrame({"x": [value] * rows}), "other": pl.DataFrame({"y": [1]})}
        for value in values
    ]


def test_what_is_of_the_older_form() -> None:
    assert is_plain_function(mean_of_x)
    assert not is_plain_function(lambda: None)
    assert not is_plain_function(lambda data_paths: None)
    assert is_plain_function(lambda sim_returns, target_data, verbose=False: None)
    assert not is_plain_function(pl.DataFrame)


def test_it_is_scored_like_any_target() -> None:
    target = make_target(mean_of_x)
    result = target.evaluate(outputs(1.0, 2.0), seeds=[1, 2])
    assert (result.loss, dict(result.diagnostics)) == (1.5, {"n": 2})
    evaluation = evaluate_joint(
        [target], outputs(1.0, 2.0), param_id="p", params={}, seeds=[1, 2], weights={"mean_of_x": 3}
    )
    assert (evaluation.objective, evaluation.kind) == (4.5, "loss")


def test_it_sees_only_the_output_it_is_compared_with() -> None:
    seen: list[set[str]] = []

    def look(sim_returns: list[SimReturn], target_data: Any) -> dict[str, Any]:
        seen.append(set(sim_returns[0].outputs))
        return {"loss": 0.0}

    make_target(look).evaluate(outputs(1.0))
    make_target(look, model_output="out").evaluate(outputs(1.0))
    assert seen == [{"out", "other"}, {"out"}]


def test_large_tables_come_by_reference() -> None:
    assert make_target(mean_of_x, model_output="out").evaluate(outputs(2.0, rows=200_000)).loss == 2


def test_the_files_of_its_decorator_are_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.csv").write_text("x\n4\n")

    @cb.calibration_target(model_output="out", data={"x": str(tmp_path / "x.csv")}, weight=2.0)
    def apart(sim_returns: list[SimReturn], target_data: Any) -> dict[str, Any]:
        """The distance."""
        observed = pl.read_csv(target_data["x"])["x"][0]
        return {"loss": abs(mean_of_x(sim_returns, None)["loss"] - observed)}

    target = make_target(apart)
    assert (target.name, target.model_output, target.weight) == ("apart", "out", 2.0)
    assert target.evaluate(outputs(1.0)).weighted_loss == 6.0
    described = describe_target(apart, "targets:apart")
    assert (described.model_outputs, described.kind, described.weight) == (("out",), "loss", 2.0)
    assert described.data == (str(tmp_path / "x.csv"),)
    assert apart.__doc__ == "The distance."


@pytest.mark.parametrize(
    ("give", "told"),
    [
        (lambda: 3.0, "must return a mapping"),
        (lambda: {"diagnostics": {}}, "must return a mapping"),
        (lambda: {"loss": "low"}, "must be a number"),
        (lambda: {"loss": True}, "must be a number"),
        (lambda: {"loss": math.nan}, "NaN"),
    ],
)
def test_what_is_no_loss_is_refused_by_name(give: Callable[[], Any], told: str) -> None:
    def odd(sim_returns: Any, target_data: Any) -> Any:
        return give()

    with pytest.raises(ModelOpsError, match=told) as caught:
        make_target(odd).evaluate(outputs(1.0))
    assert "odd" in str(caught.value)


def test_an_infinite_loss_is_an_answer() -> None:
    def never(sim_returns: Any, target_data: Any) -> Any:
        return {"loss": math.inf}

    assert make_target(never).evaluate(outputs(1.0)).loss == math.inf


def scored(given: Any) -> Any:
    def spoken(sim_returns: Any, target_data: Any) -> Any:
        return {"loss": 1.0, "diagnostics": given}

    target = make_target(spoken)
    return evaluate_joint([target], outputs(1.0), param_id="p", params={}, seeds=[1])


def test_what_it_says_beside_its_loss_travels_with_the_score() -> None:
    said = {"mean": np.float64(2.5), "n": np.int64(3), "by_age": np.array([1, 2]), "r": math.nan}
    evaluation = scored(said)
    travelled = Evaluation.from_json(json.loads(json.dumps(evaluation.to_json())))
    assert travelled.to_json() == evaluation.to_json()
    kept = {"mean": 2.5, "n": 3, "by_age": [1, 2], "r": None}
    assert dict(travelled.scores[0].diagnostics) == kept
    assert "diagnostics" not in scored({}).to_json()["scores"][0]
    assert scored(None).scores[0].diagnostics == {}


@pytest.mark.parametrize("given", [{"f": object()}, {1: 2}, [1], {"x": "y" * 70_000}, "all good"])
def test_what_cannot_travel_is_refused_by_the_targets_name(given: Any) -> None:
    with pytest.raises(InvalidInput, match=r"target spoken.*diagnostics"):
        scored(given)
