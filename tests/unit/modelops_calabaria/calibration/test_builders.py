"""Calibration files: from the console's function, and from the builders of existing scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelops_calabaria.calibration.builders import (
    CalibrationSpecBuilder,
    OptunaCalibrationBuilder,
    build_calibration,
)
from modelops_contracts.errors import InvalidInput
from modelops_contracts.study import CalibrationSpec, load_spec
from support.toy_calibration import make_description, make_target

DECLARED = {
    "beta": {"lower": 0.1, "upper": 2.0},
    "gamma": {"lower": 0.05, "upper": 1.0},
    "n0": {"lower": 1, "upper": 9, "kind": "int", "default": 2},
}
BOUNDS = {"beta": (0.2, 1.0, "log"), "gamma": (0.1, 0.5, None)}


def build(*, deterministic: bool = False, **changes: Any) -> CalibrationSpec:
    description = make_description(DECLARED, deterministic=deterministic)
    options: dict[str, Any] = {"parameters": BOUNDS, **changes}
    return build_calibration(description, [("cases", make_target())], **options)


def test_the_file_carries_what_was_asked_and_reads_back() -> None:
    spec = build(
        observed_file="data/obs.csv",
        max_trials=7,
        seed=3,
        fixed={"n0": 4},
        weights={"cases": 2.0},
        n_startup_trials=12,
    )
    data = json.loads(json.dumps(spec.to_dict()))
    config = data["algorithm_config"]
    assert (data["model"], data["scenario"], data["algorithm"]) == (
        "toy.model",
        "baseline",
        "optuna",
    )
    assert data["target_data"]["target_entrypoints"] == ["toy.targets:cases"]
    assert data["target_data"]["weights"] == {"cases": 2.0}
    assert config["parameter_specs"]["beta"] == {"lower": 0.2, "upper": 1.0, "transform": "log"}
    assert config["sampler"] == {"type": "tpe", "n_startup_trials": 12}
    assert config["fixed"] == {"n0": 4}
    assert data["metadata"]["model_class"] == "toy.model:Toy"
    assert CalibrationSpec.from_dict(data).to_dict() == data


@pytest.mark.parametrize(
    ("deterministic", "parameters", "expected"),
    [
        (True, BOUNDS, "cmaes"),
        (False, BOUNDS, "tpe"),
        (True, {"beta": (0.2, 1.0), "n0": (1, 5)}, "tpe"),
    ],
)
def test_the_default_engine_is_written_down(
    deterministic: bool, parameters: Any, expected: str
) -> None:
    spec = build(deterministic=deterministic, parameters=parameters, fixed={"gamma": 0.2}
                 if "gamma" not in parameters else None)  # fmt: skip
    assert spec.algorithm_config["sampler"] == {"type": expected}


def test_integer_bounds_stay_integers() -> None:
    spec = build(parameters={"n0": (1.0, 5.0)}, fixed={"beta": 1.0, "gamma": 0.2})
    assert spec.algorithm_config["parameter_specs"]["n0"] == {"lower": 1, "upper": 5, "kind": "int"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parameters": {"beta": (0.2, 1.0)}}, "gamma is neither free nor fixed"),
        ({"parameters": {"bet": (0.2, 1.0)}, "fixed": {"gamma": 0.2}}, "no parameter 'bet'"),
        ({"sampler": "cmae"}, "unknown sampler 'cmae'"),
        ({"sampler": "qmc", "n_startup_trials": 4}, "n_startup_trials means nothing"),
        ({"scenario": "closed"}, "no scenario 'closed'"),
        ({"weights": {"deaths": 1.0}}, "weight for 'deaths'"),
        ({"max_trials": 0}, "max_trials"),
    ],
)
def test_mistakes_are_found_before_a_file_is_written(changes: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        build(**changes)


class Toy:
    """Stands for a model class; a builder only reads its name."""


def full() -> OptunaCalibrationBuilder:
    builder = OptunaCalibrationBuilder("toy.model:Toy")
    builder.set_targets(["toy.targets:cases"], target_ids=["cases"]).set_observed_data("obs.csv")
    return builder.add_parameter("beta", 0.1, 0.9, transform="log")


def test_the_optuna_builder_has_the_known_defaults(tmp_path: Path) -> None:
    builder = full().fix(gamma=0.2).set_seed(5).set_rescore(top_k=3).set_convergence(max_loss=0.5)
    path = builder.set_sampler("tpe", n_startup_trials=4).save(tmp_path / "c.json")
    spec = load_spec(path)
    assert isinstance(spec, CalibrationSpec)
    config = dict(spec.algorithm_config)
    assert (config["max_trials"], config["batch_size"], config["n_replicates"]) == (100, 4, 3)
    assert spec.max_iterations == 100
    assert config["fixed"] == {"gamma": 0.2}
    assert config["sampler"] == {"type": "tpe", "n_startup_trials": 4}
    assert spec.convergence_criteria == {"max_loss": 0.5}
    assert not path.read_bytes().endswith(b"\n")


def test_missing_parts_are_value_errors() -> None:
    with pytest.raises(ValueError, match="no parameters"):
        OptunaCalibrationBuilder(Toy).build()
    with pytest.raises(ValueError, match="no targets"):
        OptunaCalibrationBuilder(Toy).add_parameter("a", 0.0, 1.0).build()
    with pytest.raises(ValueError, match="no observed data"):
        CalibrationSpecBuilder(Toy).set_targets(["t.m:f"]).build()


def test_what_is_not_supported_says_so() -> None:
    with pytest.raises(ValueError, match="pruner: not supported; remove it"):
        full().set_pruner("median")
    with pytest.raises(ValueError, match="unknown sampler 'tbe'"):
        full().set_sampler("tbe")
