"""Which model and targets a file means."""

from __future__ import annotations

from typing import Any

import pytest

from modelops.jobs.resolve import choose_targets, find_model, find_target
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.registry import BundleRegistry
from modelops_contracts.study import CalibrationSpec, SimulationStudy


@pytest.fixture
def registry() -> BundleRegistry:
    registry = BundleRegistry()
    registry.add_model("sir", "src/models/sir.py", "Sir")
    registry.add_model("seir", "src/models/more.py", "Seir")
    registry.add_model("seirs", "src/models/more.py", "Seirs")
    registry.add_target("b", "targets/b.py", "targets.b:counts", "inc")
    registry.add_target("a", "targets/a.py", "targets.a:counts", "inc")
    registry.set_target_set("main", ["b"], {"b": 3.0})
    return registry


def study(model: str = "models.sir", **more: Any) -> SimulationStudy:
    return SimulationStudy(model=model, scenario="baseline", parameter_sets=({"x": 1.0},), **more)


def calibration(**target_data: Any) -> CalibrationSpec:
    return CalibrationSpec("models.sir", "baseline", "optuna", target_data)


@pytest.mark.parametrize(
    ("model", "metadata"),
    [
        ("sir", {}),
        ("models.sir", {}),
        ("models.sir", {"model_class": "models.sir:Sir"}),
        ("x", {"model_class": "./src/models/sir.py:Sir"}),
        ("models.sir.Sir", {}),
        ("models.sir:Sir", {}),
    ],
)
def test_a_model_is_found_however_it_is_written(
    registry: BundleRegistry, model: str, metadata: dict[str, str]
) -> None:
    assert find_model(registry, study(model, metadata=metadata)) == "sir"


def test_a_typing_mistake_is_answered_with_the_nearest(registry: BundleRegistry) -> None:
    with pytest.raises(NotFound, match=r"model models\.sri is not registered; nearest: .*sir"):
        find_model(registry, study("models.sri"))


def test_without_any_model_the_hint_is_to_register(registry: BundleRegistry) -> None:
    with pytest.raises(NotFound) as caught:
        find_model(BundleRegistry(), study())
    assert caught.value.hint == "mops bundle register-model PATH makes models known"


def test_a_module_with_two_models_needs_the_class(registry: BundleRegistry) -> None:
    with pytest.raises(InvalidInput, match="seir, seirs"):
        find_model(registry, study("models.more"))


def test_targets_by_id_and_entry_point(registry: BundleRegistry) -> None:
    assert find_target(registry, "a").entrypoint == "targets.a:counts"
    assert find_target(registry, "targets.b:counts").target_id == "b"
    with pytest.raises(NotFound, match=r"nearest: targets\.b:counts"):
        find_target(registry, "targets.b:count")


def ids(registry: BundleRegistry, spec: Any, **options: Any) -> list[tuple[str, float | None]]:
    chosen = choose_targets(registry, spec, **options)
    return [(choice.target_id, choice.weight) for choice in chosen]


def test_silence_means_all_sorted_by_id(registry: BundleRegistry) -> None:
    assert ids(registry, study()) == [("a", None), ("b", None)]


def test_no_targets_means_none(registry: BundleRegistry) -> None:
    assert ids(registry, study(targets=[])) == []


def test_the_command_line_wins_over_the_file(registry: BundleRegistry) -> None:
    named = study(targets=["targets.a:counts"])
    assert ids(registry, named) == [("a", None)]
    assert ids(registry, named, asked=["b"]) == [("b", None)]
    assert ids(registry, named, target_set="main") == [("b", 3.0)]
    with pytest.raises(InvalidInput, match="both named"):
        ids(registry, named, asked=["b"], target_set="main")


def test_weights_of_the_file_win_over_those_of_the_set(registry: BundleRegistry) -> None:
    assert ids(registry, calibration(target_set="main")) == [("b", 3.0)]
    assert ids(registry, calibration(target_set="main", weights={"b": 2.0})) == [("b", 2.0)]
    both = calibration(target_set="main", target_entrypoints=["targets.b:counts"])
    assert ids(registry, both) == [("b", 3.0)]
    by_entrypoint = calibration(target_ids=["a"], weights={"targets.a:counts": 0.5})
    assert ids(registry, by_entrypoint) == [("a", 0.5)]


def test_an_unknown_set_names_the_nearest(registry: BundleRegistry) -> None:
    with pytest.raises(NotFound, match="nearest: main"):
        ids(registry, study(), target_set="mian")


def test_a_target_named_twice_counts_once(registry: BundleRegistry) -> None:
    assert ids(registry, study(), asked=["a", "targets.a:counts"]) == [("a", None)]
