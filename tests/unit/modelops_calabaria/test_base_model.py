from __future__ import annotations

import copy
import pickle
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.base_model import run_model
from modelops_contracts.errors import ModelOpsError

SPACE = cb.ParameterSpace(
    [cb.ParameterSpec("beta", 0, 1), cb.ParameterSpec("n", 1, 5, "int", default=3)]
)


class Toy(cb.BaseModel):
    PARAMS = SPACE
    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("days", 2), cb.ConfigSpec("ages", [1])])

    def build_sim(self, params, config):
        return params["beta"] * params["n"], config["days"]

    def run_sim(self, state, seed):
        return state

    @cb.model_output("daily")
    def daily(self, raw, seed):
        return pl.DataFrame({"day": range(raw[1]), "x": [raw[0]] * raw[1]})

    @cb.model_output("total")
    def total(self, raw, seed):
        return pl.DataFrame({"total": [raw[0]]})

    @cb.model_scenario("long")
    def long(self):
        return cb.ScenarioSpec("long", param_patches={"n": 5}, config_patches={"days": 4})


class Bare(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("n", 1, 5, "int")])

    def build_sim(self, params, config):
        assert config == {}
        return params["n"]

    def run_sim(self, state, seed):
        return state

    @cb.model_output("n")
    def n(self, raw, seed):
        return pl.DataFrame({"n": [raw]})


class TestSimulate:
    def test_every_output_gets_the_seed(self):
        tables = Toy().simulate({"beta": 0.5, "n": 2}, 7)
        assert sorted(tables) == ["daily", "total"]
        assert tables["daily"].to_dict(as_series=False) == {
            "day": [0, 1],
            "x": [1.0, 1.0],
            "seed": [7, 7],
        }
        assert tables["daily"].schema["seed"] == pl.Int64
        big = Toy().simulate({"beta": 0.5}, 2**63)["total"]
        assert big.schema["seed"] == pl.UInt64
        assert big["seed"].to_list() == [2**63]

    def test_defaults_fill_a_mapping(self):
        assert Toy().simulate({"beta": 0.5}, 1)["total"]["total"].item() == 1.5
        with pytest.raises(ValueError, match="Missing required parameters: beta"):
            Toy().simulate({}, 1)

    def test_numpy_seeds_are_fine_and_others_are_not(self):
        assert Toy().simulate({"beta": 0.5}, np.uint64(3))["total"]["seed"].item() == 3
        for wrong in (-1, 2**64, 1.5, True, "1"):
            with pytest.raises(ModelOpsError, match="seed"):
                Toy().simulate({"beta": 0.5}, wrong)

    def test_compatible_spaces_are_accepted(self):
        twin = cb.ParameterSpace(tuple(reversed(SPACE.specs)))
        params = cb.ParameterSet.new(twin, beta=0.5, n=2)
        assert Toy().simulate(params, 1)["total"]["total"].item() == 1.0
        other = cb.ParameterSpace([cb.ParameterSpec("beta", 0, 2), SPACE.get_spec("n")])
        with pytest.raises(ValueError, match="different parameter space"):
            Toy().simulate(cb.ParameterSet.new(other, beta=0.5, n=2), 1)

    @pytest.mark.parametrize("params", [None, 0.5, [("beta", 0.5)]])
    def test_what_is_no_mapping_is_refused(self, params):
        with pytest.raises(TypeError, match="params must be a ParameterSet or a mapping"):
            Toy().simulate(params, 1)

    def test_whole_numbers_only_and_no_configuration(self):
        assert Bare().simulate({"n": 2.0}, 1)["n"]["n"].to_list() == [2]
        assert Bare().base_config == {}
        with pytest.raises(ValueError, match="Unknown configurations: days"):
            Bare().simulate({"n": 2}, 1, config={"days": 3})


class Spoiling(cb.BaseModel):
    """Changes its configuration while it runs."""

    PARAMS = SPACE
    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("ages", [1]), cb.ConfigSpec("days", 2)])

    def build_sim(self, params, config):
        config["ages"].append(9)
        return list(config["ages"])

    def run_sim(self, state, seed):
        return state

    @cb.model_output("ages")
    def ages(self, raw, seed):
        return pl.DataFrame({"age": raw})

    @cb.model_scenario("old")
    def old(self):
        return cb.ScenarioSpec("old", config_patches={"ages": [7]})


class TestConfiguration:
    def test_a_run_that_changes_it_changes_no_other_run(self):
        model, given = Spoiling(), {"ages": [5]}
        for _ in range(3):
            assert model.simulate({"beta": 1}, 1)["ages"]["age"].to_list() == [1, 9]
            assert model.simulate_scenario("old", {"beta": 1}, 1)["ages"]["age"].to_list() == [7, 9]
            changed = model.simulate({"beta": 1}, 1, config=given)
            assert changed["ages"]["age"].to_list() == [5, 9]
        assert given == {"ages": [5]}
        run = run_model(model, {"beta": 1}, 1)
        assert run.config["ages"] == [1]

    def test_order_of_precedence(self):
        model = Toy(base_config={"days": 3})
        assert model.simulate({"beta": 1}, 1)["daily"].height == 3
        assert model.simulate({"beta": 1}, 1, config={"days": 1})["daily"].height == 1
        assert model.simulate({"beta": 1}, 1, config_overrides={"days": 1})["daily"].height == 1
        scenario = model.simulate_scenario("long", {"beta": 1}, 1, config={"days": 1})
        assert scenario["daily"].height == 4
        assert scenario["total"]["total"].item() == 5.0

    def test_a_set_replaces_and_a_mapping_patches(self):
        model = Toy(base_config={"days": 3})
        replaced = cb.ConfigurationSet.from_defaults(Toy.CONFIG)
        assert model.simulate({"beta": 1}, 1, config=replaced)["daily"].height == 2
        strange = cb.ConfigurationSet.from_defaults(
            cb.ConfigurationSpace([cb.ConfigSpec("other", 1)])
        )
        with pytest.raises(ValueError, match="different space"):
            model.simulate({"beta": 1}, 1, config=strange)
        with pytest.raises(ValueError, match="not both"):
            model.simulate({"beta": 1}, 1, config={"days": 1}, config_overrides={"days": 1})
        with pytest.raises(ValueError, match="Unknown configurations: dyas"):
            model.simulate({"beta": 1}, 1, config={"dyas": 1})

    def test_models_do_not_share_mutable_defaults(self):
        one, two = Toy(), Toy()
        one.base_config["ages"].append(2)
        assert two.base_config["ages"] == [1]


class TestScenarios:
    def test_listing(self):
        assert Toy().list_scenarios() == ["baseline", "long"]
        assert Toy().get_scenario("long").param_patches == {"n": 5}
        with pytest.raises(ValueError, match="Unknown scenario: lnog") as caught:
            Toy().simulate_scenario("lnog", {"beta": 1}, 1)
        assert "long" in caught.value.hint

    def test_a_scenario_method_must_return_its_own_scenario(self):
        class WrongType(Toy):
            @cb.model_scenario("bad")
            def bad(self):
                return {"beta": 1}

        class WrongName(Toy):
            @cb.model_scenario("bad")
            def bad(self):
                return cb.ScenarioSpec("good")

        with pytest.raises(TypeError, match="must return ScenarioSpec"):
            WrongType().list_scenarios()
        with pytest.raises(ValueError, match="different name"):
            WrongName().list_scenarios()

    def test_scenarios_made_by_code(self):
        class Coded(Toy):
            def setup_scenarios(self):
                return [cb.ScenarioSpec(f"n{n}", param_patches={"n": n}) for n in (1, 2)]

        model = Coded()
        assert model.list_scenarios() == ["baseline", "long", "n1", "n2"]
        assert model.simulate_scenario("n2", {"beta": 1}, 1)["total"]["total"].item() == 2.0

    def test_another_default(self):
        class Renamed(Toy):
            DEFAULT_SCENARIO = "usual"

        assert Renamed().list_scenarios() == ["usual", "long"]


class TestOutputs:
    def test_only_what_is_asked_for_is_extracted(self):
        model = Toy()
        assert model.list_outputs() == ["daily", "total"]
        assert list(model.extract_outputs((1.0, 2), 1, outputs=["total"])) == ["total"]
        with pytest.raises(KeyError, match="not found") as caught:
            model.extract_outputs((1.0, 2), 1, outputs=["totl"])
        assert str(caught.value) == "Output 'totl' not found in Toy"
        assert "total" in caught.value.hint

    @pytest.mark.parametrize(
        ("table", "kind", "fragment"),
        [
            ({"a": [1]}, TypeError, "must return pl.DataFrame, got dict"),
            (None, TypeError, "must return pl.DataFrame, got NoneType"),
            (pl.LazyFrame({"a": [1]}), TypeError, "must return pl.DataFrame"),
            (pl.DataFrame({"seed": [1]}), ValueError, "must not add.*seed.*column"),
        ],
    )
    def test_bad_tables(self, table, kind, fragment):
        class Bad(Bare):
            @cb.model_output("n")
            def n(self, raw, seed):
                return table

        with pytest.raises(kind, match=fragment):
            Bad().simulate({"n": 1}, 1)

    def test_pandas_is_converted(self):
        class Pandas(Bare):
            @cb.model_output("n")
            def n(self, raw, seed):
                return pd.DataFrame({"a": [1, 2], "b": [0.5, 1.5], "c": ["x", None]})

        table = Pandas().simulate({"n": 1}, 1)["n"]
        assert table.schema == {
            "a": pl.Int64, "b": pl.Float64, "c": pl.String, "seed": pl.Int64,
        }  # fmt: skip
        assert table["c"].to_list() == ["x", None]


class TestHierarchies:
    def test_abstract_intermediates_need_no_parameters(self):
        class Family(cb.BaseModel):
            def build_sim(self, params, config):
                return params

        class Stepper(Family, ABC):
            def run_sim(self, state, seed):
                return self.step(state)

            @abstractmethod
            def step(self, state): ...

        class Final(Stepper):
            PARAMS = SPACE

            def step(self, state):
                return state["beta"]

            @cb.model_output("x")
            def x(self, raw, seed):
                return pl.DataFrame({"x": [raw]})

        for unfinished in (Family, Stepper, cb.BaseModel):
            with pytest.raises(TypeError, match="Can't instantiate abstract class"):
                unfinished()
        assert Final().simulate({"beta": 0.25}, 1)["x"]["x"].item() == 0.25

    def test_concrete_models_need_parameters(self):
        with pytest.raises(TypeError, match="PARAMS must be set"):

            class NoParams(cb.BaseModel):
                def build_sim(self, params, config): ...

                def run_sim(self, state, seed): ...

        with pytest.raises(TypeError, match="PARAMS must be set"):

            class Wrong(Bare):
                PARAMS = [1]  # noqa: RUF012

        with pytest.raises(TypeError, match="CONFIG must be"):

            class WrongConfig(Bare):
                CONFIG = {}  # noqa: RUF012

    def test_a_family_without_parameters_cannot_be_run(self):
        class Family(cb.BaseModel, ABC):
            def build_sim(self, params, config): ...

            def run_sim(self, state, seed): ...

        with pytest.raises(TypeError, match="Family: PARAMS must be set"):
            Family()

    @pytest.mark.parametrize("options", [{"frozen": True}, {"slots": True}, {}], ids=str)
    def test_a_model_may_be_a_dataclass(self, options):
        @dataclass(**options)
        class Grown(Bare):
            factor: int = 3

            def run_sim(self, state, seed):
                return state * self.factor

            @cb.model_scenario("grown")
            def grown(self):
                return cb.ScenarioSpec("grown", param_patches={"n": 3})

        assert Grown().simulate_scenario("grown", {"n": 2}, 1)["n"]["n"].item() == 9
        assert copy.deepcopy(Grown(factor=5)).simulate({"n": 2}, 1)["n"]["n"].item() == 10

    def test_a_mixin_brings_outputs(self):
        class Doubled:
            @cb.model_output("double")
            def double(self, raw, seed):
                return pl.DataFrame({"double": [2 * raw]})

        class Mixed(Doubled, Bare):
            pass

        assert Mixed().list_outputs() == ["double", "n"]
        assert Mixed().simulate({"n": 2}, 1)["double"]["double"].item() == 4

    def test_simulate_is_final(self):
        with pytest.raises(TypeError, match="must not override simulate"):

            class Override(Bare):
                def simulate(self, params, seed): ...

    def test_an_own_constructor_need_not_call_ours(self):
        class Own(Bare):
            def __init__(self, factor=2):
                self.factor = factor

            def run_sim(self, state, seed):
                return state * self.factor

        assert Own(3).simulate({"n": 2}, 1)["n"]["n"].item() == 6


def test_models_pickle():
    model = Toy(base_config={"days": 3})
    model.list_scenarios()
    twin = pickle.loads(pickle.dumps(model))
    assert twin.simulate({"beta": 1}, 1)["daily"].height == 3
    assert twin.list_scenarios() == ["baseline", "long"]


class TestBuilder:
    def test_steps_make_new_builders(self):
        builder = Toy().builder()
        fixed = builder.fix(n=2)
        assert builder.fixed == {}
        simulator = fixed.with_transforms(beta="identity").build()
        assert simulator.dim == 1
        assert simulator.free_param_names == ("beta",)
        assert simulator.bounds().tolist() == [[0.0, 1.0]]
        assert simulator.sim([0.5], 1)["total"]["total"].item() == 1.0
        with pytest.raises(AttributeError):
            simulator.scenario = "long"

    def test_scenario(self):
        simulator = Toy().builder("long").build()
        assert simulator.sim([0.5, 2], 1)["total"]["total"].item() == 2.5

    def test_mistakes(self):
        builder = Toy().builder()
        with pytest.raises(ValueError, match="Unknown parameters: bata"):
            builder.fix(bata=1)
        with pytest.raises(ValueError, match="Unknown parameters: bata"):
            builder.with_transforms(bata="log")
        with pytest.raises(ValueError, match="Unknown transform 'sqrt'"):
            builder.with_transforms(beta="sqrt")
        with pytest.raises(ValueError, match="non-free parameters: n"):
            builder.fix(n=1).with_transforms(n="identity").build()
        with pytest.raises(ValueError, match="Unknown scenario 'lnog'"):
            Toy().builder("lnog").build()
