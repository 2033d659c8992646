"""Names and import paths that existing projects use."""

from __future__ import annotations

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import modelops_calabaria as cb

KEPT = [
    "BaseModel",
    "ModelSimulator",
    "SimulatorBuilder",
    "Scalar",
    "ParameterSpec",
    "ParameterSpace",
    "ParameterSet",
    "ParameterView",
    "CoordinateSystem",
    "ConfigSpec",
    "ConfigurationSpace",
    "ConfigurationSet",
    "Identity",
    "LogTransform",
    "LogitTransform",
    "AffineSqueezedLogit",
    "ScenarioSpec",
    "compose_scenarios",
    "scenario_hash",
    "model_output",
    "model_scenario",
    "calibration_target",
    "get_registered_targets",
    "SamplingStrategy",
    "GridSampler",
    "SobolSampler",
    "CalibrationSpecBuilder",
    "OptunaCalibrationBuilder",
    "WireABI",
    "SerializedParameterSpec",
    "WireResponse",
    "EntryRecord",
    "entry_from_manifest",
    "make_wire",
    "make_wire_from_manifest",
    "SEED_COL",
    "load_symbol",
    "__version__",
]

NEW = [
    "CalibrationResult",
    "Evaluation",
    "Finding",
    "StudyInterrupted",
    "StudyResult",
    "LossTarget",
    "LossTargetSet",
    "LikelihoodTarget",
    "LikelihoodTargetSet",
    "ExactJoin",
    "AsofJoin",
    "JoinAlignment",
    "MetricAlignment",
    "AlignedData",
    "AlignmentError",
    "register_alignment",
    "ALIGNMENT_STRATEGIES",
    "Prior",
    "HaltonSampler",
    "LatinHypercubeSampler",
    "RandomSampler",
    "FileSampler",
    "Param",
    "scalar_target",
    "run_study",
    "extend_study",
    "calibrate",
    "evaluate",
    "check",
    "diagnose",
    "neg_binomial_loglik_per_rep",
    "annealed_mse",
]

MODULES = [
    "base_model",
    "constants",
    "decorators",
    "scenarios",
    "simulator",
    "builder",
    "parameters",
    "parameters.types",
    "parameters.view",
    "parameters.coordinates",
    "parameters.config",
    "parameters.transforms",
    "sampling",
    "sampling.base",
    "sampling.grid",
    "sampling.sobol",
    "wire_protocol",
    "wire_loader",
    "modelops_wire",
    "calibration",
    "calibration.base",
    "calibration.factory",
    "calibration.builders",
    "calibration.optuna_adapter",
    "calibration.wire",
    "core.constants",
    "core.types",
    "core.alignment",
    "core.target",
    "core.evaluation",
    "core.evaluation.aggregate",
    "core.evaluation.composable",
    "core.evaluation.factories",
    "core.evaluation.likelihood",
    "core.evaluation.loglik_fns",
    "core.evaluation.reduce",
    "core.evaluation.loss",
    "core.evaluation.loss.base",
]


@pytest.mark.parametrize("name", [*KEPT, *NEW])
def test_names_are_public(name):
    assert name in cb.__all__
    assert name in dir(cb)


def test_all_names_are_loaded_from_where_they_are_defined():
    source = Path(cb.__file__).read_text(encoding="utf-8")
    tree = ast.parse(source)
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in ast.walk(block)
        if isinstance(node, ast.ImportFrom) and node.module.startswith("modelops_calabaria.")
        for alias in node.names
    }
    homes = {name: f"modelops_calabaria.{home}" for name, home in cb._HOMES.items()}
    assert typed == homes
    assert sorted([*homes, "__version__"]) == sorted(cb.__all__)


def test_a_typo_is_explained():
    with pytest.raises(AttributeError, match="no attribute 'ParameterSpce'; did you mean"):
        cb.ParameterSpce  # noqa: B018
    assert not hasattr(cb, "__wrapped__")


@pytest.mark.parametrize("module", MODULES)
def test_import_paths(module):
    importlib.import_module(f"modelops_calabaria.{module}")


def test_constants():
    from modelops_calabaria.core import constants, types

    assert cb.SEED_COL == "seed"
    assert constants.SEED_COL == "__seed"
    assert (constants.SUFFIX_OBS, constants.SUFFIX_SIM) == ("__obs", "__sim")
    assert (constants.REPLICATE_COL, constants.LOSS_COL) == ("__replicate", "__loss")
    assert constants.DEFAULT_TARGET == "__default_target"
    assert cb.Scalar == types.Scalar == float | int
    assert types.TableIPC is bytes


HEAVY = ("numpy", "polars", "scipy", "optuna", "matplotlib", "pandas", "pyarrow", "pydantic")


@pytest.mark.parametrize(
    "code",
    [
        "import modelops_calabaria",
        "import modelops_calabaria as cb; cb.BaseModel; cb.ParameterSpace; cb.ScenarioSpec",
        "from modelops_calabaria import BaseModel, ParameterSpec, model_output, calibration_target",
        "from modelops_calabaria.modelops_wire import wire_function, describe_function",
    ],
)
def test_imports_are_light(code):
    program = (
        f"{code}\nimport json, sys\nprint(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == []
