from __future__ import annotations

import pickle
from datetime import date

import pytest

from modelops_calabaria.parameters import (
    ConfigSpec,
    ConfigurationSet,
    ConfigurationSpace,
    ParameterSet,
    ParameterSpace,
    ParameterSpec,
)
from modelops_calabaria.scenarios import ScenarioSpec, compose_scenarios, scenario_hash

SPACE = ParameterSpace([ParameterSpec("beta", 0, 1), ParameterSpec("n", 1, 5, "int")])
PARAMS = ParameterSet.new(SPACE, beta=0.5, n=2)
CONFIG = ConfigurationSet.from_defaults(ConfigurationSpace([ConfigSpec("days", 10)]))


def test_apply_makes_new_objects():
    lockdown = ScenarioSpec("lockdown", param_patches={"beta": 0.1}, config_patches={"days": 20})
    params, config = lockdown.apply(PARAMS, CONFIG)
    assert params.to_dict() == {"beta": 0.1, "n": 2}
    assert config["days"] == 20
    assert PARAMS["beta"] == 0.5
    assert CONFIG["days"] == 10


def test_what_has_no_patch_passes_through():
    plain: dict[str, object] = {}
    params, config = ScenarioSpec("s").apply(PARAMS, plain)
    assert params is PARAMS
    assert config is plain
    assert ScenarioSpec("s", config_patches={"a": 1}).apply(PARAMS, plain)[1] == {"a": 1}
    assert plain == {}


def test_mistakes_name_scenario_and_parameter():
    with pytest.raises(ValueError, match="'s' patches unknown parameter: bata"):
        ScenarioSpec("s", param_patches={"bata": 1}).apply(PARAMS, CONFIG)
    with pytest.raises(ValueError, match=r"'s' has an invalid value for beta: .*outside bounds"):
        ScenarioSpec("s", param_patches={"beta": 7}).apply(PARAMS, CONFIG)
    with pytest.raises(ValueError, match=r"invalid value for n: .*requires int"):
        ScenarioSpec("s", param_patches={"n": 1.5}).apply(PARAMS, CONFIG)
    with pytest.raises(ValueError, match="unknown configuration: dyas"):
        ScenarioSpec("s", config_patches={"dyas": 7}).apply(PARAMS, CONFIG)
    with pytest.raises(ValueError, match="conflict_policy"):
        ScenarioSpec("s", conflict_policy="first")
    with pytest.raises(ValueError, match="name cannot be empty"):
        ScenarioSpec("")


def test_the_last_one_wins():
    a = ScenarioSpec("a", param_patches={"beta": 0.1, "n": 3})
    b = ScenarioSpec("b", param_patches={"beta": 0.2})
    params, config, applied = compose_scenarios([a, b], PARAMS, CONFIG)
    assert params.to_dict() == {"beta": 0.2, "n": 3}
    assert config is CONFIG
    assert list(applied.items()) == [("a", a), ("b", b)]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_strict_refuses_overlaps(order):
    pair = (
        ScenarioSpec("a", param_patches={"beta": 0.1}),
        ScenarioSpec("b", param_patches={"beta": 0.2}, conflict_policy="strict"),
    )
    first, second = (pair[i] for i in order)
    text = f"Parameter 'beta' set by multiple scenarios: {first.name} and {second.name}"
    with pytest.raises(ValueError, match=text):
        compose_scenarios([first, second], PARAMS, CONFIG)


def test_strict_covers_configuration_and_allows_what_is_listed():
    a = ScenarioSpec("a", config_patches={"days": 1})
    strict = ScenarioSpec("b", config_patches={"days": 2}, conflict_policy="strict")
    with pytest.raises(ValueError, match=r"'days' set by multiple scenarios.*a.*b"):
        compose_scenarios([a, strict], PARAMS, CONFIG)
    allowed = ScenarioSpec(
        "b", config_patches={"days": 2}, conflict_policy="strict", allow_overlap=("days",)
    )
    assert compose_scenarios([a, allowed], PARAMS, CONFIG)[1]["days"] == 2


def test_hashes():
    assert scenario_hash(ScenarioSpec("test")) == "97936c7c81ad1a31"
    spec = ScenarioSpec(
        "s", param_patches={"b": 1, "a": 2.5}, conflict_policy="strict", allow_overlap=("b", "a")
    )
    assert scenario_hash(spec) == "e4dbe2f106ba12fd"
    assert scenario_hash(ScenarioSpec("test", doc="words")) == scenario_hash(ScenarioSpec("test"))
    day = ScenarioSpec("s", config_patches={"start": date(2020, 1, 2)})
    assert scenario_hash(day) == scenario_hash(
        ScenarioSpec("s", config_patches={"start": "2020-01-02"})
    )


def test_scenarios_are_frozen_and_pickle():
    spec = ScenarioSpec("s", "d", {"beta": 0.1}, {"days": 2}, "strict", ["beta"])
    assert pickle.loads(pickle.dumps(spec)) == spec
    with pytest.raises(TypeError):
        spec.param_patches["beta"] = 1
    with pytest.raises(AttributeError):
        spec.name = "t"
