"""The names existing jobs import: adapter, factory, wire."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from modelops_calabaria.calibration.base import AlgorithmAdapter, InfrastructureRequirements
from modelops_calabaria.calibration.factory import create_algorithm_adapter, parse_parameter_specs
from modelops_calabaria.calibration.optuna_adapter import OptunaAdapter
from modelops_calabaria.calibration.wire import (
    check_convergence,
    convert_to_trial_result,
    generate_seed_info,
    get_connection_info,
    save_calibration_results,
)
from modelops_calabaria.parameters.transforms import LogTransform
from modelops_contracts.errors import InvalidInput, Unavailable
from modelops_contracts.ports import AdaptiveAlgorithm
from modelops_contracts.types import TrialResult, TrialStatus
from support.search import bowl, minimise, mixed_space, result_of

SPECS = {
    "x": {"lower": -1.0, "upper": 3.0},
    "n": {"lower": 1, "upper": 20, "kind": "int", "transform": "log"},
}


def test_specs_keep_kind_and_transform() -> None:
    x, n = parse_parameter_specs(SPECS)
    assert (x.kind, n.kind) == ("float", "int")
    assert isinstance(n.transform, LogTransform)
    with pytest.raises(ValueError, match="lower missing"):
        parse_parameter_specs({"x": {"upper": 1.0}})
    with pytest.raises(ValueError, match="unknown key 'uper'"):
        parse_parameter_specs({"x": {"lower": 0.0, "upper": 1.0, "uper": 1}})


def test_the_adapter_asks_at_most_max_trials_and_keeps_a_study() -> None:
    adapter = create_algorithm_adapter("optuna", SPECS, {"max_trials": 20, "seed": 4})
    assert isinstance(adapter, OptunaAdapter)
    assert isinstance(adapter, AdaptiveAlgorithm)
    assert adapter.study is None
    assert adapter.storage is None
    adapter.initialize("calib-1", {"max_trials": 20, "seed": 4})
    adapter.connect_infrastructure({})
    trials = minimise(adapter, lambda p: math.inf if p["x"] > 2 else bowl(p), 100)
    assert len(trials) == 20
    assert adapter.finished()
    assert adapter.study_name == "study_calib-1"
    assert len(adapter.study.trials) == 20
    best = min((loss, p["x"]) for p, loss in trials)
    assert adapter.study.best_params["x"] == best[1]


def test_the_same_answers_without_a_study() -> None:
    runs = []
    for connect in (True, False):
        adapter = OptunaAdapter(parse_parameter_specs(SPECS), max_trials=15)
        adapter.initialize("j", {"max_trials": 15})
        if connect:
            adapter.connect_infrastructure({})
        runs.append(minimise(adapter, bowl, 15))
    assert runs[0] == runs[1]


def test_requirements_are_optional() -> None:
    needs = OptunaAdapter(parse_parameter_specs(SPECS)).get_infrastructure_requirements()
    assert needs.databases == {"optuna": {"type": "postgresql", "optional": True}}
    assert needs.secrets == {"POSTGRES_URL"}
    assert InfrastructureRequirements().databases == {}
    assert issubclass(OptunaAdapter, AlgorithmAdapter)


def test_a_database_that_cannot_be_used_does_not_show_its_password() -> None:
    adapter = OptunaAdapter(parse_parameter_specs(SPECS))
    adapter.initialize("j", {})
    with pytest.raises(Unavailable) as caught:
        adapter.connect_infrastructure({"POSTGRES_URL": "nosuchdb://u:hunter2@h:1/d"})
    assert "hunter2" not in str(caught.value)


def test_unknown_algorithms_and_settings_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown algorithm 'optna'"):
        create_algorithm_adapter("optna", SPECS, {})
    with pytest.raises(InvalidInput, match="sampler tpe only"):
        create_algorithm_adapter("optuna", SPECS, {"sampler": {"type": "cmaes"}})


class TestWire:
    def test_seed_vectors(self) -> None:
        info = generate_seed_info("abc123", 42, 3)
        assert info.trial_seed == 183415352
        assert info.replicate_seeds == (2068545870, 1805355463, 1722438088)

    def test_a_result_without_a_loss_has_failed(self) -> None:
        result = convert_to_trial_result("p", {})
        assert result.status is TrialStatus.FAILED
        assert math.isnan(result.loss)
        assert result.diagnostics["error"] == "No loss provided in outputs"
        assert convert_to_trial_result("p", {"loss": 1}).loss == 1.0
        assert convert_to_trial_result("p", {"loss": math.inf}).status is TrialStatus.FAILED

    def test_convergence_is_strict(self) -> None:
        results = [TrialResult("a", 0.5)]
        assert not check_convergence(results, {"max_loss": 0.5})
        assert check_convergence(results, {"max_loss": 0.51})
        assert not check_convergence(results, {})
        with pytest.raises(InvalidInput, match="patience"):
            check_convergence(results, {"patience": 3})

    @pytest.mark.parametrize(
        ("environ", "expected"),
        [
            ({}, {}),
            ({"POSTGRES_URL": "u", "REDIS_URL": "r"}, {"POSTGRES_URL": "u", "REDIS_URL": "r"}),
            (
                {"POSTGRES_HOST": "h", "POSTGRES_PORT": "5", "POSTGRES_DB": "d",
                 "POSTGRES_PASSWORD": "a@b/c"},
                {"POSTGRES_URL": "postgresql://postgres:a%40b%2Fc@h:5/d"},
            ),
            ({"POSTGRES_HOST": "h"}, {}),
        ],
    )  # fmt: skip
    def test_connection_info(
        self, environ: dict[str, str], expected: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in ("URL", "HOST", "PORT", "DB", "USER", "PASSWORD"):
            monkeypatch.delenv(f"POSTGRES_{name}", raising=False)
        monkeypatch.delenv("REDIS_URL", raising=False)
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert get_connection_info() == expected

    def test_results_are_strict_json(self, tmp_path: Path) -> None:
        path = save_calibration_results({"a": [math.inf, 1.0], "b": math.nan}, tmp_path / "r.json")
        assert path.read_text().replace(" ", "").replace("\n", "") == '{"a":[null,1.0],"b":null}'


def test_an_adapter_can_be_restored() -> None:
    first = OptunaAdapter(mixed_space().parameter_space().specs, max_trials=30)
    minimise(first, bowl, 14)
    second = OptunaAdapter(mixed_space().parameter_space().specs, max_trials=30)
    second.restore(first.state())
    [a], [b] = first.ask(1), second.ask(1)
    assert a == b
    second.tell([result_of(b, 1.0)])


def test_the_package_offers_the_names_it_lists() -> None:
    from modelops_calabaria import calibration

    assert all(hasattr(calibration, name) for name in calibration.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = calibration.nothing
