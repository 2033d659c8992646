"""Calibration files, their mistakes and their jobs."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import pytest

from modelops_contracts.calibration_spec import CalibrationSpec
from modelops_contracts.errors import InvalidInput

REF = "sha256:" + "a" * 64
CONTENT: dict[str, Any] = {
    "model": "models.sir",
    "scenario": "baseline",
    "algorithm": "optuna",
    "target_data": {
        "observed_file": "data/obs.csv",
        "target_entrypoints": ["targets.incidence:inc_target"],
        "target_ids": ["inc_target"],
        "weights": {"inc_target": 1.0},
    },
    "max_iterations": 1000000,
    "convergence_criteria": {"max_loss": 0.5},
    "algorithm_config": {
        "max_trials": 100,
        "batch_size": 4,
        "n_replicates": 3,
        "seed": 0,
        "parameter_specs": {
            "beta": {"lower": 0.1, "upper": 0.9, "transform": "log"},
            "n0": {"lower": 1, "upper": 9, "kind": "int"},
        },
        "fixed": {"gamma": 0.25},
        "sampler": {"type": "tpe", "n_startup_trials": 10},
        "replicates": "logmeanexp",
        "crn": "none",
        "schedule": "ordered",
        "config": {},
        "rescore": {"top_k": 5, "n_replicates": 20, "confirm": 40},
        "simulation_entrypoint": "models.sir:Sir",
    },
    "outputs": None,
    "metadata": {"model_class": "models.sir:Sir", "target_set": None},
}


@dataclass
class Bounds:
    name: str
    lower: float
    upper: float


SPACE = [Bounds("beta", 0.1, 0.9), Bounds("n0", 1, 9), Bounds("gamma", 0.1, 0.5)]


def changed(path: str, value: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    *parents, last = path.split(".")
    node = content
    for name in parents:
        node = node.setdefault(name, {})
    if value is KeyError:
        del node[last]
    else:
        node[last] = value
    return content


def test_round_trip() -> None:
    spec = CalibrationSpec.from_dict(CONTENT)
    assert spec.to_dict() == CONTENT
    assert list(spec.to_dict()) == list(CONTENT)
    spec.validate()
    spec.validate(SPACE)


@pytest.mark.parametrize(
    ("path", "value", "fragment"),
    [
        ("model", KeyError, r"\$\.model: is required"),
        ("algorithm", "", r"\$\.algorithm: must be text"),
        ("alorithm", "x", r"\$\.alorithm: unknown key; did you mean 'algorithm'"),
        ("algorithm_config", KeyError, r"\$\.algorithm_config: is required"),
        ("algorithm_config.parameter_specs", KeyError, "parameter_specs: is required"),
        ("algorithm_config.parameter_specs", {}, "must not be empty"),
        ("algorithm_config.parameter_specs.beta.upper", 0.01, r"beta: lower 0.1 > upper 0.01"),
        ("algorithm_config.parameter_specs.beta.uper", 1, "did you mean 'upper'"),
        ("algorithm_config.parameter_specs.beta.lower", KeyError, r"beta\.lower: is required"),
        ("algorithm_config.parameter_specs.beta.lower", True, "must be a finite number"),
        ("algorithm_config.parameter_specs.beta.transform", "logg", "did you mean 'log'"),
        ("algorithm_config.parameter_specs.n0.kind", "integer", "did you mean 'int'"),
        ("algorithm_config.parameter_specs.n0.upper", 9.5, "kind int needs whole bounds"),
        ("algorithm_config.fixed.beta", 0.2, "is also a parameter to calibrate"),
        ("algorithm_config.max_trails", 3, "did you mean 'max_trials'"),
        ("algorithm_config.max_trials", 0, "whole number of at least 1"),
        ("algorithm_config.pruner", {}, "pruner: not supported; remove it"),
        ("algorithm_config.sampler", "tpe", 'an object with a "type"'),
        ("algorithm_config.crn", "per-replicate", "did you mean 'per-replicate-index'"),
        ("algorithm_config.rescore.topk", 3, "did you mean 'top_k'"),
        (
            "algorithm_config.simulation_entrypoint",
            "models.sir.Sir/other",
            "names scenario 'other'",
        ),
        ("convergence_criteria.maxloss", 1, "did you mean 'max_loss'"),
        ("target_data", {"observed_file": "x.csv"}, "needs target_entrypoints or target_ids"),
        ("target_data.weigths", {}, "did you mean 'weights'"),
        ("target_data.weights", {"inc_target": -1}, "a number of at least 0"),
        ("max_iterations", 0, "whole number of at least 1"),
    ],
)
def test_mistakes(path: str, value: Any, fragment: str) -> None:
    content = changed(path, value)
    with pytest.raises(InvalidInput, match=fragment):
        CalibrationSpec.from_dict(content)


def test_the_constructor_is_lenient_and_validate_is_not() -> None:
    spec = CalibrationSpec("m", "baseline", "optuna", {}, 10)
    with pytest.raises(ValueError, match="parameter_specs: is required"):
        spec.validate()


def test_transforms_by_any_case() -> None:
    content = changed("algorithm_config.parameter_specs.beta.transform", "LOG")
    assert CalibrationSpec.from_dict(content).to_dict() == content


@pytest.mark.parametrize(
    ("path", "value", "fragment"),
    [
        (
            "algorithm_config.parameter_specs.beta.upper",
            0.95,
            r"\[0.1, 0.95\] is outside bounds of the model, \[0.1, 0.9\]",
        ),
        ("algorithm_config.fixed.gamma", 0.9, r"0.9 is outside bounds of the model"),
        (
            "algorithm_config.parameter_specs.betta",
            {"lower": 0, "upper": 1},
            "the model has no parameter 'betta'; did you mean 'beta'",
        ),
    ],
)
def test_against_the_model(path: str, value: Any, fragment: str) -> None:
    spec = CalibrationSpec.from_dict(changed(path, value))
    with pytest.raises(ValueError, match=fragment):
        spec.validate(SPACE)


@pytest.mark.parametrize(
    ("entrypoint", "model_class", "expected"),
    [
        ("models.sir:Sir", None, "models.sir.Sir"),
        ("models.sir.Sir/baseline", None, "models.sir.Sir"),
        ("src/models/sir.py:Sir", None, "models.sir.Sir"),
        ("sir", None, "sir"),
        (None, None, "models.sir"),
        ("sir", "models.sir:Sir", "models.sir.Sir"),
    ],
)
def test_import_path(entrypoint: str | None, model_class: str | None, expected: str) -> None:
    content = changed("algorithm_config.simulation_entrypoint", entrypoint or KeyError)
    content["metadata"] = {"model_class": model_class} if model_class else {}
    assert CalibrationSpec.from_dict(content).import_path() == expected


def test_job() -> None:
    job = CalibrationSpec.from_dict(CONTENT).to_job(REF)
    job.validate()
    assert job.job_id.startswith("calib-")
    assert len(job.job_id) == 14
    assert job.algorithm_config["model"] == "models.sir"
    assert job.algorithm_config["scenario"] == "baseline"
    assert job.target_spec.data["target_ids"] == ["inc_target"]
    assert job.target_spec.weights == {"inc_target": 1.0}
    assert job.to_blob_key() == f"jobs/calibration/{job.job_id}.json"
    with pytest.raises(ValueError, match="bundle_ref must be"):
        CalibrationSpec.from_dict(CONTENT).to_job("latest")
