"""Models as the field writes them, through the consoles and a job.

A module at the project's root with an abstract base, a mixin that brings outputs, two concrete
classes, several tables by age, whole-number parameters only, and a scenario that changes the
configuration.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from support.consoles import Consoles, make_consoles
from support.outbreak import succeed

MODEL = '''"""Households: an abstract base, tables from a mixin, two ways to draw."""

from abc import abstractmethod

import numpy as np
import polars as pl

import modelops_calabaria as cb


class Households(cb.BaseModel):
    """What both share. It cannot run."""

    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("weeks", 3), cb.ConfigSpec("ages", ("0", "5+"))])

    def build_sim(self, params, config):
        return dict(params), config["weeks"], config["ages"]

    @abstractmethod
    def draw(self, rng, mean, size): ...

    def run_sim(self, state, seed):
        params, weeks, ages = state
        mean = params["visits"] * params["rooms"] / 10
        return ages, self.draw(np.random.default_rng(seed), mean, (weeks, len(ages)))

    @cb.model_scenario("long")
    def long(self):
        return cb.ScenarioSpec("long", doc="twice the time", config_patches={"weeks": 6})


class AgeTables:
    """Outputs, without a model."""

    @cb.model_output("cases")
    def cases(self, raw, seed):
        ages, drawn = raw
        weeks = range(1, len(drawn) + 1)
        rows = [(w, a, int(drawn[w - 1][i])) for w in weeks for i, a in enumerate(ages)]
        return pl.DataFrame(rows, schema=["week", "age", "cases"], orient="row")

    @cb.model_output("totals")
    def totals(self, raw, seed):
        return pl.DataFrame({"metric": ["cases"], "value": [float(raw[1].sum())]})


SPACE = [cb.ParameterSpec("visits", 1, 9, kind="int"), cb.ParameterSpec("rooms", 1, 4, kind="int")]


class Chances(AgeTables, Households):
    PARAMS = cb.ParameterSpace(SPACE)

    def draw(self, rng, mean, size):
        return rng.poisson(mean, size)


class Averages(AgeTables, Households):
    PARAMS = cb.ParameterSpace(SPACE)
    DETERMINISTIC = True

    def draw(self, rng, mean, size):
        return np.full(size, round(10 * mean))
'''

TARGETS = """import modelops_calabaria as cb


@cb.calibration_target(model_output="totals")
def total():
    return cb.scalar_target("total", "totals", "cases", 72.0)


@cb.calibration_target(model_output="cases", data={"seen": "seen.csv"})
def cases(data_paths):
    keys = cb.ExactJoin(["week", "age"])
    return cb.LossTarget("cases", "cases", data_paths["seen"], keys, cb.annealed_mse("cases"))
"""

SEEN = "week,age,cases\n" + "".join(f"{w},{a},12\n" for w in (1, 2, 3) for a in ("0", "5+"))

PYPROJECT = """[project]
name = "households"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["modelops-calabaria", "numpy", "polars"]
"""


@pytest.fixture
def households(tmp_path: Path) -> Consoles:
    consoles = make_consoles(tmp_path)
    for name, text in (
        ("households.py", MODEL),
        ("targets.py", TARGETS),
        ("seen.csv", SEEN),
        ("pyproject.toml", PYPROJECT),
    ):
        (consoles.folder / name).write_text(text)
    succeed(consoles, "mops bundle init --name households")
    succeed(consoles, "mops bundle register-model households.py")
    succeed(consoles, "mops bundle register-target targets.py")
    return consoles


def test_the_abstract_base_and_the_mixin_are_no_models(households: Consoles) -> None:
    models = succeed(households, "cb models --json").json["models"]
    assert {model["entrypoint"] for model in models} == {
        "households:Chances",
        "households:Averages",
    }
    assert all(model["outputs"] == ["cases", "totals"] for model in models)
    refused = households.run("cb sampling grid households:Households -o x.json")
    assert refused.code == 1
    assert "draw" in refused.err or "abstract" in refused.err


def test_a_scenario_that_changes_the_configuration_reaches_every_table(
    households: Consoles,
) -> None:
    for scenario, weeks in (("baseline", 3), ("long", 6)):
        line = f"cb sampling grid households:Chances -g 3 -r 2 -s {scenario} -o {scenario}.json"
        succeed(households, line)
        ran = households.run(f"mops run {scenario}.json")
        assert ran.code == 0, ran
        succeed(households, "mops results export --format csv -o tables")
        cases = pl.read_csv(households.folder / "tables" / "cases.csv")
        assert cases["week"].max() == weeks
        assert set(cases["age"]) == {"0", "5+"}
        assert cases.height == 9 * 2 * weeks * 2
        assert pl.read_csv(households.folder / "tables" / "totals.csv").height == 9 * 2


def test_whole_numbers_are_calibrated_and_stay_whole(households: Consoles) -> None:
    line = "cb calibration optuna households:Averages seen.csv visits:1:9,rooms:1:4"
    succeed(households, f"{line} --max-trials 40 --seed 1 -o fit.json")
    succeed(households, "mops run fit.json")
    found = succeed(households, "mops results show --json").json["calibration"]
    visits, rooms = found["parameters"]["visits"], found["parameters"]["rooms"]
    assert type(visits) is int
    assert type(rooms) is int
    assert visits * rooms == 12
    assert found["objective"] == 0
