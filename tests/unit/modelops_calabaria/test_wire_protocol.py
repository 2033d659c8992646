from __future__ import annotations

import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.wire_protocol import (
    EntryRecord,
    SerializedParameterSpec,
    WireABI,
    WireResponse,
    entry_from_manifest,
    make_wire,
    make_wire_for,
)


class Toy(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("a", 0, 1)])
    made = 0

    def __init__(self):
        type(self).made += 1

    def build_sim(self, params, config):
        return params["a"]

    def run_sim(self, state, seed):
        return state

    @cb.model_output("x")
    def x(self, raw, seed):
        return pl.DataFrame({"x": [raw]})

    @cb.model_scenario("high")
    def high(self):
        return cb.ScenarioSpec("high", param_patches={"a": 1})

    @cb.model_scenario("higher")
    def higher(self):
        return cb.ScenarioSpec("higher", param_patches={"a": 0.9}, conflict_policy="strict")


def test_serialized_specs():
    spec = SerializedParameterSpec.from_spec(cb.ParameterSpec("a", 0, 1, doc="d"))
    assert SerializedParameterSpec.from_json(spec.to_json()) == spec
    with pytest.raises(ValueError, match="Invalid kind"):
        SerializedParameterSpec("a", 0, 1, "bool")
    with pytest.raises(ValueError, match="Invalid bounds"):
        SerializedParameterSpec("a", 2, 1, "float")


def test_manifest_entries():
    spec = {"name": "a", "lower": 0, "upper": 1, "kind": "float"}
    manifest = {
        "models": {
            "m:Toy": {
                "model_digest": "sha256:x",
                "param_specs": [spec],
                "scenarios": ["baseline"],
                "outputs": ["x"],
            }
        }
    }
    entry = entry_from_manifest("m:Toy", manifest)
    assert entry == EntryRecord(
        "m:Toy",
        "sha256:x",
        WireABI.V1.value,
        (SerializedParameterSpec("a", 0, 1, "float"),),
        ("baseline",),
        ("x",),
    )
    with pytest.raises(KeyError, match="Model m:Tyo not found") as caught:
        entry_from_manifest("m:Tyo", manifest)
    assert "m:Toy" in caught.value.hint
    with pytest.raises(ValueError, match="unknown wire version"):
        make_wire(EntryRecord("m:Toy", "", "calabaria.wire.v9"))


def test_every_call_makes_a_fresh_model():
    wire = make_wire_for(Toy, "m:Toy", "d")
    before = Toy.made
    first = wire(params_M={"a": 0.25}, seed=5)
    second = wire(params_M={"a": 0.25}, seed=5)
    assert Toy.made == before + 2
    assert first.outputs == second.outputs
    assert first.get_dataframe("x").to_dict(as_series=False) == {"x": [0.25], "seed": [5]}
    assert list(first.get_all_dataframes()) == ["x"]
    assert first.provenance["model_digest"] == "d"


def test_stacks_of_scenarios():
    wire = make_wire_for(Toy, "m:Toy", "d")
    got = wire(params_M={"a": 0.25}, seed=5, scenario_stack=("baseline", "high"))
    assert got.provenance["params_effective"] == {"a": 1.0}
    assert got.provenance["params_M"] == {"a": 0.25}
    with pytest.raises(ValueError, match="set by multiple scenarios"):
        wire(params_M={"a": 0.25}, seed=5, scenario_stack=("high", "higher"))
    with pytest.raises(ValueError, match="Unknown scenario: hgih"):
        wire(params_M={"a": 0.25}, seed=5, scenario_stack=("hgih",))


def test_missing_outputs():
    with pytest.raises(KeyError, match="Output 'y' not found"):
        WireResponse({"x": b""}).get_dataframe("y")
    with pytest.raises(ValueError, match="Unknown outputs: y"):
        make_wire_for(Toy, "m:Toy", "d")(params_M={"a": 0}, seed=1, outputs=["y"])
