"""The stored schemas agree with the code, and with what the readers accept."""

from __future__ import annotations

import copy
from dataclasses import fields
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from modelops_contracts import schemas
from modelops_contracts.errors import InvalidInput
from modelops_contracts.study import CalibrationSpec, SimulationStudy

STUDY: dict[str, Any] = {
    "model": "models.sir",
    "scenario": "baseline",
    "parameter_sets": [
        {"params": {"beta": 0.5, "n0": 8}},
        {"params": {"beta": 0.9}, "seed": 7},
        {"beta": 0.1, "label": "old form", "flag": True},
    ],
    "sampling_method": "sobol",
    "n_replicates": 1,
    "outputs": None,
    "targets": ["targets.incidence:weekly"],
    "metadata": {"anything": [1]},
}
CALIBRATION: dict[str, Any] = {
    "model": "models.sir",
    "scenario": "baseline",
    "algorithm": "optuna",
    "target_data": {"target_ids": ["inc"], "weights": {"inc": 1.0}, "observed_file": None},
    "max_iterations": 10,
    "convergence_criteria": {"max_loss": 0.5, "patience": 3},
    "algorithm_config": {
        "parameter_specs": {
            "beta": {"lower": 0.1, "upper": 0.9, "transform": "Log", "prior": ["normal", 0, 1]},
            "n0": {"lower": 1, "upper": 9, "kind": "int"},
        },
        "sampler": {"type": "cmaes", "sigma": 0.2},
        "seed": 0,
    },
    "outputs": ["inc"],
    "metadata": {},
}
GOOD = {SimulationStudy: STUDY, CalibrationSpec: CALIBRATION}


@pytest.mark.parametrize("cls", schemas.SCHEMAS)
def test_stored_schemas_are_up_to_date(cls: type) -> None:
    path = Path(schemas.__file__).with_name(schemas.SCHEMAS[cls])
    hint = "run: python -m modelops_contracts.schemas"
    assert path.read_text(encoding="utf-8") == schemas.schema_text(cls), hint
    assert schemas.read_schema(cls) == schemas.schema_of(cls)


@pytest.mark.parametrize("cls", schemas.SCHEMAS)
def test_every_field_is_described(cls: type) -> None:
    schema = schemas.schema_of(cls)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert list(schema["properties"]) == [item.name for item in fields(cls)]
    assert all(part["description"] for part in schema["properties"].values())


@pytest.mark.parametrize("cls", schemas.SCHEMAS)
def test_what_is_written_conforms(cls: type[SimulationStudy | CalibrationSpec]) -> None:
    validator = jsonschema.Draft202012Validator(schemas.schema_of(cls))
    validator.validate(GOOD[cls])
    validator.validate(cls.from_dict(GOOD[cls]).to_dict())


MISTAKES: list[tuple[type, str, Any]] = [
    (SimulationStudy, "model", None),
    (SimulationStudy, "model", 3),
    (SimulationStudy, "scenario", "Big One"),
    (SimulationStudy, "parameter_sets", {"x": 1}),
    (SimulationStudy, "parameter_sets", [{"x": [1]}]),
    (SimulationStudy, "parameter_sets", [{"params": {"x": 1}, "seed": -1}]),
    (SimulationStudy, "n_replicates", 0),
    (SimulationStudy, "n_replicats", 1),
    (SimulationStudy, "outputs", "inc"),
    (SimulationStudy, "targets", ["nothing"]),
    (SimulationStudy, "metadata", 3),
    (CalibrationSpec, "algorithm", ""),
    (CalibrationSpec, "max_iterations", 0),
    (CalibrationSpec, "convergence_criteria", {"maxloss": 1}),
    (CalibrationSpec, "algorithm_config", {"max_trials": 3}),
    (CalibrationSpec, "algorithm_config.parameter_specs", {}),
    (CalibrationSpec, "algorithm_config.parameter_specs.beta", {"lower": 1}),
    (CalibrationSpec, "algorithm_config.parameter_specs.beta.transform", "sqrt"),
    (CalibrationSpec, "algorithm_config.sampler", {"sigma": 1}),
    (CalibrationSpec, "algorithm_config.pruner", {}),
    (CalibrationSpec, "algorithm_config.crn", "yes"),
    (CalibrationSpec, "target_data", {"weights": {"inc": -1}}),
]


@pytest.mark.parametrize(("cls", "path", "value"), MISTAKES)
def test_schema_and_reader_refuse_alike(
    cls: type[SimulationStudy | CalibrationSpec], path: str, value: Any
) -> None:
    content = copy.deepcopy(GOOD[cls])
    *parents, last = path.split(".")
    node = content
    for name in parents:
        node = node[name]
    node[last] = value
    assert not jsonschema.Draft202012Validator(schemas.schema_of(cls)).is_valid(content)
    with pytest.raises(InvalidInput):
        cls.from_dict(content)
