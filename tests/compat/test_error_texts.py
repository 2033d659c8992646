"""The error texts that existing code matches, one row of the table per case: type and fragment.

Every error is also one of ours: a ModelOpsError with a code. Unknown names come with a hint.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import modelops_calabaria as cb
import modelops_contracts as mc
from modelops_calabaria.calibration.wire import convert_to_trial_result
from modelops_calabaria.core.evaluation.loglik_fns import beta_binomial_loglik_factory
from modelops_calabaria.core.evaluation.reduce import MeanGroupedByReplicate
from modelops_calabaria.modelops_wire import wire_function
from modelops_calabaria.parameters.transforms import resolve_transform
from modelops_calabaria.scenarios import compose_scenarios
from modelops_contracts.types import UniqueParameterSet

SPEC = cb.ParameterSpec("beta", 0.1, 0.9)
COUNT = cb.ParameterSpec("n", 1, 9, kind="int")
SPACE = cb.ParameterSpace([SPEC, COUNT])
OTHER = cb.ParameterSpace([cb.ParameterSpec("gamma", 0.0, 1.0)])
GOOD = {"beta": 0.5, "n": 3}
VIEW = cb.ParameterView.from_fixed(SPACE, n=3)
ALL = cb.CoordinateSystem(cb.ParameterView.all_free(SPACE))
CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("days", 5)])
DAYS = cb.ConfigurationSet.from_defaults(CONFIG)
REF = "sha256:" + "a" * 64
ODD: Any = object()


class Sir(cb.BaseModel):
    PARAMS = SPACE
    CONFIG = CONFIG

    def build_sim(self, params: Any, config: Any) -> Any:
        return config

    def run_sim(self, state: Any, seed: int) -> Any:
        return state

    @cb.model_output("inc")
    def inc(self, raw: Any, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"day": [1], "cases": [2.0]})

    @cb.model_scenario("shut")
    def shut(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("shut", param_patches={"n": 1})


class Listing(Sir):
    @cb.model_output("inc")
    def inc(self, raw: Any, seed: int) -> Any:
        return [1, 2]


class Seeding(Sir):
    @cb.model_output("inc")
    def inc(self, raw: Any, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"seed": [1]})


class Renaming(Sir):
    @cb.model_scenario("shut")
    def shut(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("open")


class Unscenic(Sir):
    @cb.model_scenario("shut")
    def shut(self) -> Any:
        return {"n": 1}


class Abstract(cb.BaseModel):
    PARAMS = SPACE

    def build_sim(self, params: Any, config: Any) -> Any: ...


def model_without_parameters() -> None:
    class Naked(cb.BaseModel):
        def build_sim(self, params: Any, config: Any) -> Any: ...

        def run_sim(self, state: Any, seed: int) -> Any: ...

    Naked()


def scenarios(*policies: str) -> Any:
    named = [
        cb.ScenarioSpec(name, param_patches={"beta": 0.2}, conflict_policy=policy)
        for name, policy in zip(("one", "two"), policies, strict=True)
    ]
    return compose_scenarios(named, cb.ParameterSet(SPACE, GOOD), CONFIG.defaults())


def patched(**patches: Any) -> Any:
    scenario = cb.ScenarioSpec("odd", param_patches=patches)
    return scenario.apply(cb.ParameterSet(SPACE, GOOD), CONFIG.defaults())


def table(**changes: Any) -> Any:
    good = {"size": 3, "inline": b"abc", "checksum": mc.digest_bytes(b"abc")}
    return mc.TableArtifact(**{**good, **changes})


def returned(**changes: Any) -> Any:
    good: dict[str, Any] = {"task_id": "t", "outputs": {"o": table()}}
    return mc.SimReturn(**{**good, **changes})


def task(**changes: Any) -> Any:
    good: dict[str, Any] = {
        "bundle_ref": REF,
        "entrypoint": "models.sir.Sir/baseline",
        "params": UniqueParameterSet.from_dict({"x": 1.0}),
        "seed": 1,
    }
    return mc.SimTask(**{**good, **changes})


def aligned_without_replicates() -> cb.AlignedData:
    return cb.AlignedData(pl.DataFrame({"x__obs": [1.0], "x__sim": [1.0]}), ["x"])


STATIC: Any = staticmethod(lambda self, raw, seed: None)

Trigger = Callable[[], object]
ROWS: dict[str, list[tuple[type[Exception], str, Trigger]]] = {
    "ParameterSpec": [
        (ValueError, "Parameter kind must be", lambda: cb.ParameterSpec("x", 0, 1, "text")),
        (ValueError, "lower .* > upper", lambda: cb.ParameterSpec("x", 2, 1)),
        (ValueError, "must have integer bounds", lambda: cb.ParameterSpec("x", 0.5, 2, "int")),
        (TypeError, "requires int", lambda: COUNT.validate_value(3.9)),
        (TypeError, "requires numeric.*bool", lambda: SPEC.validate_value(True)),
        (ValueError, "outside bounds", lambda: SPEC.validate_value(2.0)),
        (ValueError, "NaN", lambda: SPEC.validate_value(math.nan)),
        (ValueError, "infinite", lambda: SPEC.validate_value(math.inf)),
    ],
    "ParameterSpace and ParameterSet": [
        (ValueError, "Duplicate parameter names.*beta", lambda: cb.ParameterSpace([SPEC, SPEC])),
        (ValueError, "Missing required parameters", lambda: cb.ParameterSet(SPACE, {"n": 1})),
        (ValueError, "Unknown parameters", lambda: cb.ParameterSet(SPACE, {**GOOD, "z": 1})),
        (
            ValueError,
            "Validation failed for beta",
            lambda: cb.ParameterSet(SPACE, {**GOOD, "beta": 7}),
        ),
        (KeyError, "Unknown parameter: z", lambda: SPACE.get_spec("z")),
        (KeyError, "Parameter z not in set", lambda: cb.ParameterSet(SPACE, GOOD)["z"]),
    ],
    "View and Coordinates": [
        (ValueError, "Unknown fixed parameters", lambda: cb.ParameterView.from_fixed(SPACE, z=1)),
        (ValueError, r"bind\(\) error.*missing", VIEW.bind),
        (ValueError, r"bind\(\) error.*unexpected", lambda: VIEW.bind(beta=0.2, z=1)),
        (ValueError, "different space", lambda: VIEW.project(cb.ParameterSet(OTHER, {"gamma": 0}))),
        (
            ValueError,
            "non-free parameters",
            lambda: cb.CoordinateSystem(VIEW, {"n": cb.Identity()}),
        ),
        (ValueError, "Expected z vector of length 2", lambda: ALL.to_M(np.zeros(3))),
        (TypeError, "must be numeric", lambda: ALL.to_M(["a", "b"])),  # type: ignore[arg-type]
        (
            TypeError,
            "Transform protocol",
            lambda: cb.CoordinateSystem(VIEW, {"beta": ODD}),
        ),
    ],
    "transforms": [
        (ValueError, "requires x > 0", lambda: cb.LogTransform().forward(0.0)),
        (ValueError, "requires positive bounds", lambda: cb.LogTransform().bounds((0.0, 1.0))),
        (ValueError, "requires 0 < x < 1", lambda: cb.LogitTransform().forward(1.0)),
        (ValueError, "requires 0≤x≤1", lambda: cb.AffineSqueezedLogit().forward(1.5)),
        (ValueError, "eps must be in", lambda: cb.AffineSqueezedLogit(eps=0.7)),
        (ValueError, "Unknown transform 'lgo'", lambda: resolve_transform("lgo")),
    ],
    "configuration": [
        (ValueError, "name cannot be empty", lambda: cb.ConfigSpec("", 1)),
        (
            ValueError,
            "Duplicate configuration names",
            lambda: cb.ConfigurationSpace([cb.ConfigSpec("a", 1), cb.ConfigSpec("a", 2)]),
        ),
        (
            ValueError,
            "Unknown configurations",
            lambda: cb.ConfigurationSet(CONFIG, {"days": 1, "z": 1}),
        ),
        (ValueError, "Missing required configurations", lambda: cb.ConfigurationSet(CONFIG, {})),
        (KeyError, "Unknown configuration: z", lambda: CONFIG.get_spec("z")),
        (
            KeyError,
            "Configuration z not in set",
            lambda: cb.ConfigurationSet.from_defaults(CONFIG)["z"],
        ),
    ],
    "scenarios": [
        (ValueError, "unknown parameter: z", lambda: patched(z=1)),
        (ValueError, "invalid value for beta", lambda: patched(beta=7.0)),
        (
            ValueError,
            "Parameter 'beta' set by multiple scenarios: one and two",
            lambda: scenarios("strict", "strict"),
        ),
    ],
    "BaseModel": [
        (TypeError, "PARAMS must be set", model_without_parameters),
        (TypeError, "Can't instantiate abstract class", lambda: cb.describe_model(Abstract)),
        (TypeError, "must return pl.DataFrame", lambda: Listing().simulate(GOOD, 1)),
        (
            ValueError,
            "different parameter space",
            lambda: Sir().simulate(cb.ParameterSet(OTHER, {"gamma": 0.5}), 1),
        ),
        (ValueError, "Unknown scenario: sut", lambda: Sir().simulate_scenario("sut", GOOD, 1)),
        (ValueError, "must not add.*seed.*column", lambda: Seeding().simulate(GOOD, 1)),
        (KeyError, "not found", lambda: Sir().extract_outputs({}, 1, outputs=["x"])),
        (ValueError, "Unknown scenario 'sut'", lambda: Sir().builder("sut").build()),
    ],
    "decorators": [
        (TypeError, "must be an instance method", lambda: cb.model_output("x")(STATIC)),
        (TypeError, "must return ScenarioSpec", lambda: Unscenic().get_scenario("shut")),
        (ValueError, "different name", lambda: Renaming().get_scenario("shut")),
    ],
    "wire": [
        (KeyError, "Model z:Z not found", lambda: cb.entry_from_manifest("z:Z", {"models": {}})),
        (
            KeyError,
            "Output 'z' not found",
            lambda: cb.WireResponse({}, {}).get_dataframe("z"),
        ),
        (ImportError, "Expected 'module_or_file:Symbol' format", lambda: cb.load_symbol("models")),
        (ImportError, "Cannot import", lambda: cb.load_symbol("nowhere_at_all:X")),
        (ValueError, "Unknown scenario: sut", lambda: on_the_wire("sut")),
        (ValueError, "Unknown outputs", lambda: on_the_wire("baseline", outputs=["z"])),
        (ValueError, "Invalid kind", lambda: cb.SerializedParameterSpec("x", 0, 1, "text")),
        (ValueError, "Invalid bounds", lambda: cb.SerializedParameterSpec("x", 2, 1, "float")),
    ],
    "evaluation": [
        (
            ValueError,
            "requires a replicate column",
            lambda: MeanGroupedByReplicate().reduce(aligned_without_replicates()),
        ),
        (
            ValueError,
            "No likelihood targets provided",
            lambda: cb.LikelihoodTargetSet([]).evaluate([{}]),
        ),
        (
            ValueError,
            "Prior must be a tuple",
            lambda: beta_binomial_loglik_factory("x", "n", prior=1),  # type: ignore[arg-type]
        ),
        (ValueError, "no simulated replicates", lambda: target().evaluate([])),
    ],
    "contracts": [
        (mc.ContractViolationError, "checksum is required", lambda: table(checksum="")),
        (
            mc.ContractViolationError,
            "checksum must be 64-character hex string",
            lambda: table(checksum="x" * 64),
        ),
        (mc.ContractViolationError, "task_id must be non-empty", lambda: returned(task_id="")),
        (
            mc.ContractViolationError,
            "outputs must contain at least one artifact",
            lambda: returned(outputs={}),
        ),
        (
            mc.ContractViolationError,
            "Output .* must be TableArtifact",
            lambda: returned(outputs={"o": b"abc"}),
        ),
        (
            mc.ContractViolationError,
            "inline artifacts must be <= 524288 bytes",
            lambda: table(size=524289, inline=b"a" * 524289),
        ),
        (mc.ContractViolationError, "size must be non-negative", lambda: table(size=-1)),
        (
            mc.ContractViolationError,
            "Must provide exactly one of inline or ref",
            lambda: table(ref="file:///x"),
        ),
        (
            mc.ContractViolationError,
            "inline bytes length .* doesn't match size",
            lambda: table(size=4),
        ),
        (
            mc.ContractViolationError,
            "ref must be non-empty when provided",
            lambda: table(inline=None, ref=""),
        ),
        (
            mc.ContractViolationError,
            "finite for COMPLETED status",
            lambda: mc.TrialResult("p", math.nan),
        ),
        (
            mc.ContractViolationError,
            "too large",
            lambda: mc.TrialResult("p", 1.0, {"x": "y" * 70_000}),
        ),
        (mc.ContractViolationError, "must be integers", lambda: mc.SeedInfo(1, 2, ("3",))),  # type: ignore[arg-type]
        (mc.ContractViolationError, "bundle_ref must be non-empty", lambda: task(bundle_ref="")),
        (mc.ContractViolationError, "entrypoint must be non-empty", lambda: task(entrypoint="")),
        (
            mc.ContractViolationError,
            "params must be UniqueParameterSet",
            lambda: task(params={"x": 1}),
        ),
        (mc.ContractViolationError, "seed must be int", lambda: task(seed="1")),
        (mc.ContractViolationError, "seed .* out of uint64 range", lambda: task(seed=-1)),
        (mc.ContractViolationError, "Invalid entrypoint format", lambda: task(entrypoint="a b/c")),
    ],
    "entrypoints": [
        (
            mc.EntrypointFormatError,
            "Invalid import_path format",
            lambda: mc.format_entrypoint("sir", "baseline"),
        ),
        (
            mc.EntrypointFormatError,
            "Invalid scenario slug",
            lambda: mc.format_entrypoint("models.Sir", "Base Line"),
        ),
        (
            mc.EntrypointFormatError,
            "Invalid module path format",
            lambda: mc.parse_entrypoint("1x:f"),
        ),
        (
            mc.EntrypointFormatError,
            "Invalid Python object name",
            lambda: mc.parse_entrypoint("targets:1f"),
        ),
        (
            mc.EntrypointFormatError,
            "Ambiguous entrypoint format",
            lambda: mc.parse_entrypoint("models.x:f/baseline"),
        ),
        (
            mc.EntrypointFormatError,
            r"Invalid entrypoint format \(must contain",
            lambda: mc.parse_entrypoint("models"),
        ),
    ],
    "studies": [
        (
            ValueError,
            "seed must be int in uint64 range",
            lambda: mc.ParameterSetEntry({"x": 1}, seed=-1),
        ),
        (
            ValueError,
            "bundle_ref must be",
            lambda: mc.SimulationStudy("m.M", "baseline", ({"x": 1},), "manual").to_simjob("no"),
        ),
    ],
}
CASES = [(area, *row) for area, rows in ROWS.items() for row in rows]


def target() -> cb.LossTarget:
    data = {"day": [1], "cases": [2.0]}
    return cb.LossTarget("t", "inc", data, cb.ExactJoin("day"), cb.annealed_mse("cases"))


def on_the_wire(scenario: str, **options: Any) -> Any:
    """The class above, made importable for the call."""
    return wire_function(f"{__name__}.Sir/{scenario}", GOOD, 1, **options)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where no registry is, the wire imports the class by its name."""
    import sys

    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, __name__, sys.modules.get(__name__) or _this_module())


def _this_module() -> Any:
    import types

    module = types.ModuleType(__name__)
    module.__dict__.update(globals())
    return module


@pytest.mark.parametrize(("area", "kind", "text", "trigger"), CASES, ids=lambda v: None)
def test_the_text_is_matched(area: str, kind: type[Exception], text: str, trigger: Trigger) -> None:
    with pytest.raises(kind, match=text) as caught:
        trigger()
    assert isinstance(caught.value, mc.ModelOpsError), area
    assert caught.value.code
    if isinstance(caught.value, KeyError):
        assert not str(caught.value).startswith(("'", '"'))


def test_results_without_a_loss_are_failed_trials() -> None:
    result = convert_to_trial_result("p", {"diagnostics": {}})  # type: ignore[call-arg]
    assert result.status is mc.TrialStatus.FAILED
    assert math.isnan(result.loss)
    assert result.diagnostics["error"] == "No loss provided in outputs"


def test_an_empty_set_of_losses_is_nothing() -> None:
    assert cb.LossTargetSet([]).evaluate([{}]).total_loss == 0.0
