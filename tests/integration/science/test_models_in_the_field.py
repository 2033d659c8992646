"""Models as people write them: hierarchies, several tables, whole numbers, files in the root."""

from __future__ import annotations

import sys
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.modelops_wire import describe_function, wire_function
from modelops_calabaria.tables import frame_from_ipc

AGES = ("child", "adult", "old")


# -- a hierarchy: an abstract base with parameters, a mixin with outputs, two leaves ---------------


class Outbreak(cb.BaseModel):
    """What all outbreak models share. It says how to set up, not how to run."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec("beta", 0.1, 1.0),
            cb.ParameterSpec("gamma", 0.05, 0.5, default=0.2),
            cb.ParameterSpec("seeds", 1, 20, kind="int", default=5),
        ]
    )
    CONFIG = cb.ConfigurationSpace(
        [cb.ConfigSpec("days", 30), cb.ConfigSpec("people", (300, 600, 100))]
    )

    def build_sim(self, params: Any, config: Any) -> dict[str, Any]:
        return {**params, "days": config["days"], "people": np.array(config["people"])}

    def run_sim(self, state: dict[str, Any], seed: int) -> np.ndarray:
        """New infections, shape (days, ages)."""
        people = state["people"]
        infectious = np.zeros_like(people)
        infectious[1] = state["seeds"]
        susceptible, chance, days = people - infectious, np.random.default_rng(seed), []
        for _ in range(state["days"]):
            risk = 1 - np.exp(-state["beta"] * infectious.sum() / people.sum())
            new, gone = self.step(susceptible, infectious, risk, state["gamma"], chance)
            susceptible, infectious = susceptible - new, infectious + new - gone
            days.append(new)
        return np.array(days)

    @abstractmethod
    def step(
        self, susceptible: Any, infectious: Any, risk: float, gamma: float, chance: Any
    ) -> Any:
        """New infections and recoveries of one day."""

    @cb.model_scenario("long")
    def long(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("long", config_patches={"days": 60})

    @cb.model_scenario("fast-recovery")
    def fast_recovery(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("fast-recovery", param_patches={"gamma": 0.5})


class AgeTables:
    """Outputs for any model whose runs are arrays of days and ages."""

    @cb.model_output("incidence")
    def incidence(self, raw: np.ndarray, seed: int) -> pl.DataFrame:
        days, ages = raw.shape
        return pl.DataFrame(
            {
                "day": np.repeat(np.arange(days), ages),
                "age": list(AGES) * days,
                "cases": raw.ravel(),
            }
        )

    @cb.model_output("summary")
    def summary(self, raw: np.ndarray, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"total": [raw.sum()], "peak": [int(raw.sum(axis=1).argmax())]})


class Chances(AgeTables, Outbreak):
    def step(
        self, susceptible: Any, infectious: Any, risk: float, gamma: float, chance: Any
    ) -> Any:
        return chance.binomial(susceptible, risk), chance.binomial(infectious, 1 - np.exp(-gamma))

    @cb.model_output("last_day")
    def last_day(self, raw: np.ndarray, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"age": AGES, "cases": raw[-1].astype(np.int32)})


class Averages(AgeTables, Outbreak):
    DETERMINISTIC = True

    def step(
        self, susceptible: Any, infectious: Any, risk: float, gamma: float, chance: Any
    ) -> Any:
        return susceptible * risk, infectious * (1 - np.exp(-gamma))


def weekly(model: cb.BaseModel, seed: int, **params: float) -> pl.DataFrame:
    """Observed data for the tests: what the model itself writes."""
    return model.simulate(params_of(model, params), seed)["incidence"].drop("seed")


def params_of(model: cb.BaseModel, given: Mapping[str, float]) -> dict[str, float]:
    return {**model.space.default_values(), **given}


def by_day_and_age(data: pl.DataFrame) -> cb.LikelihoodTarget:
    return cb.LikelihoodTarget(
        "incidence",
        "incidence",
        data,
        cb.ExactJoin(["day", "age"]),
        cb.poisson_loglik_per_rep("cases", floor=0.05),
    )


def test_an_abstract_base_is_no_model_and_says_so() -> None:
    with pytest.raises(TypeError, match="Can't instantiate abstract class"):
        Outbreak()
    with pytest.raises((TypeError, ValueError), match="abstract"):
        cb.run_study(Outbreak, [{"beta": 0.3}])


def test_outputs_and_scenarios_come_from_every_ancestor() -> None:
    assert Chances().list_outputs() == ["incidence", "last_day", "summary"]
    assert Averages().list_outputs() == ["incidence", "summary"]
    assert set(Chances().list_scenarios()) == {"baseline", "long", "fast-recovery"}


def test_a_study_of_several_tables_and_scenarios() -> None:
    study = cb.run_study(
        Chances,
        [{"beta": 0.3}, {"beta": 0.6}],
        scenario=["baseline", "long", "fast-recovery"],
        n_replicates=3,
        targets=[by_day_and_age(weekly(Chances(), 1, beta=0.4))],
        crn="per-replicate-index",
    )
    assert set(study.outputs) == {"incidence", "last_day", "summary"}
    rows = study.outputs["incidence"].group_by("scenario").len()
    assert dict(rows.iter_rows()) == {
        "baseline": 2 * 3 * 30 * 3,
        "long": 2 * 3 * 60 * 3,
        "fast-recovery": 2 * 3 * 30 * 3,
    }
    assert study.failures.height == 0
    assert study.evaluations.height == 2 * 3
    assert study.evaluations["objective"].is_finite().all()


def test_the_configuration_of_a_scenario_reaches_every_path() -> None:
    given = params_of(Chances(), {"beta": 0.5})
    direct = Chances().simulate_scenario("long", given, 7)["incidence"]
    study = cb.run_study(Chances, [{"beta": 0.5}], scenario="long").outputs["incidence"]
    assert direct["day"].max() == study["day"].max() == 59
    late = direct.filter(pl.col("day") >= 40).drop("seed")
    fit = cb.calibrate(
        Chances,
        [by_day_and_age(late)],
        parameters={"beta": (0.2, 0.9)},
        fixed={"gamma": 0.2, "seeds": 5},
        scenario="long",
        n_trials=12,
        engine="qmc",
    )
    # Without the scenario no run reaches these days and every trial would fail.
    assert fit.trials["status"].unique().to_list() == ["completed"]


def test_differences_pair_replicates_also_of_whole_numbers() -> None:
    study = cb.run_study(
        Chances,
        [{"beta": 0.4}],
        scenario=["baseline", "fast-recovery"],
        n_replicates=4,
        crn="per-replicate-index",
    )
    differences = study.differences(to="baseline")
    table = differences["incidence"]
    assert table.height == 4 * 30 * 3, "no row may get lost because its counts differ"
    frames = study.outputs["incidence"].partition_by("scenario", as_dict=True)
    expected = (
        frames[("fast-recovery",)]["cases"].cast(pl.Int64).sum()
        - frames[("baseline",)]["cases"].cast(pl.Int64).sum()
    )
    assert table["cases"].sum() == expected < 0
    assert differences["summary"].height == 4


def test_a_calibration_of_the_averages_finds_what_made_the_data() -> None:
    data = weekly(Averages(), 1, beta=0.47, gamma=0.21).with_columns(
        pl.col("cases").round().cast(pl.Int64)
    )
    fit = cb.calibrate(
        Averages,
        [by_day_and_age(data)],
        parameters={"beta": (0.1, 1.0), "gamma": (0.05, 0.5)},
        engine="cmaes",
        n_trials=160,
        seed=1,
    )
    assert fit.best.params["beta"] == pytest.approx(0.47, abs=0.03)
    assert fit.best.params["gamma"] == pytest.approx(0.21, abs=0.04)
    assert fit.best.params["seeds"] == 5


# -- whole numbers only ---------------------------------------------------------------------------


class Boxes(cb.BaseModel):
    PARAMS = cb.ParameterSpace(
        [cb.ParameterSpec("rows", 1, 6, kind="int"), cb.ParameterSpec("columns", 1, 6, kind="int")]
    )

    def build_sim(self, params: Any, config: Any) -> tuple[int, int]:
        assert type(params["rows"]) is int
        assert type(params["columns"]) is int
        return params["rows"], params["columns"]

    def run_sim(self, state: tuple[int, int], seed: int) -> int:
        return state[0] * state[1] + int(np.random.default_rng(seed).integers(0, 2))

    @cb.model_output("boxes")
    def boxes(self, raw: int, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"metric": ["boxes"], "value": [raw]})


@pytest.mark.parametrize("engine", ["tpe", "cmaes", "random", "qmc", "grid"])
def test_every_engine_searches_whole_numbers(engine: str) -> None:
    target = cb.scalar_target("boxes", "boxes", "boxes", 30, sd=1.0)
    fit = cb.calibrate(Boxes, [target], engine=engine, n_trials=36, n_replicates=2, seed=2)
    trials = fit.trials
    assert trials["param_rows"].dtype.is_integer()
    assert trials.height <= 36
    assert abs(fit.best.params["rows"] * fit.best.params["columns"] - 30) <= 6


def test_a_used_up_space_of_whole_numbers_ends_the_search() -> None:
    target = cb.scalar_target("boxes", "boxes", "boxes", 30, sd=1.0)
    fit = cb.calibrate(Boxes, [target], engine="random", n_trials=2000, n_replicates=1)
    assert fit.trials["param_id"].n_unique() == 36
    assert fit.trials.height < 2000
    assert {fit.best.params["rows"], fit.best.params["columns"]} == {5, 6}


@pytest.mark.parametrize("sampler", [cb.SobolSampler, cb.RandomSampler, cb.HaltonSampler])
def test_a_study_of_whole_numbers_runs_each_set_once(sampler: Any) -> None:
    design = sampler(Boxes.PARAMS, seed=1).sample(64)
    study = cb.run_study(Boxes, design)
    different = {tuple(row.items()) for row in design}
    assert study.parameters["param_id"].n_unique() == study.parameters.height == len(different)
    assert study.outputs["boxes"].height == study.parameters.height


# -- a file in the root of the project -------------------------------------------------------------


ROOT_MODEL = """
import polars as pl

import modelops_calabaria as cb
from helpers import double


class Root(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 10.0)])
    DETERMINISTIC = True

    def build_sim(self, params, config):
        return params["x"]

    def run_sim(self, state, seed):
        return double(state)

    @cb.model_output("y")
    def y(self, raw, seed):
        return pl.DataFrame({"metric": ["y"], "value": [raw]})


@cb.calibration_target(model_output="y", data={})
def near_seven(data_paths):
    return cb.scalar_target("near_seven", "y", "y", 7.0)
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "root"\nversion = "1"\n')
    (tmp_path / "the_model.py").write_text(ROOT_MODEL)
    (tmp_path / "helpers.py").write_text("def double(x):\n    return 2 * x\n")
    monkeypatch.chdir(tmp_path)
    before, path = set(sys.modules), list(sys.path)
    yield tmp_path
    sys.path[:] = path
    for name in set(sys.modules) - before:
        if name in {"the_model", "helpers"}:
            del sys.modules[name]


def test_a_model_in_the_root_runs_by_its_address_and_on_the_wire(root: Path) -> None:
    study = cb.run_study("the_model:Root", [{"x": 1.0}, {"x": 2.0}])
    assert study.outputs["y"]["value"].to_list() == [2.0, 4.0]
    fit = cb.calibrate(
        "the_model.py:Root", ["the_model:near_seven"], engine="random", n_trials=60, seed=1
    )
    assert fit.best.params["x"] == pytest.approx(3.5, abs=0.5)
    assert describe_function("model", "the_model:Root")["outputs"] == ["y"]
    tables = wire_function("the_model.Root/baseline", {"x": 3.0}, 1)
    assert frame_from_ipc(tables["y"])["value"].to_list() == [6.0]
