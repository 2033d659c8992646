# ruff: noqa  (written as it was)
"""An SIR model as projects wrote it before: imports from the modules, plain dictionaries."""

from typing import Any, Dict, Mapping

import numpy as np
import polars as pl
from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.decorators import model_output, model_scenario
from modelops_calabaria.parameters.config import ConfigSpec, ConfigurationSpace
from modelops_calabaria.parameters.types import ParameterSet, ParameterSpace, ParameterSpec
from modelops_calabaria.scenarios import ScenarioSpec


class Sir(BaseModel):
    PARAMS = ParameterSpace(
        [
            ParameterSpec("beta", 0.1, 0.9, "float", doc="transmission"),
            ParameterSpec("gamma", 0.05, 0.5, doc="recovery"),
            ParameterSpec("n0", 1, 9, "int", "seeds"),
        ]
    )
    CONFIG = ConfigurationSpace([ConfigSpec("days", 20), ConfigSpec("people", 200)])

    def build_sim(self, params: ParameterSet, config: Mapping[str, Any]) -> Dict[str, Any]:
        return {"p": dict(params), "days": config["days"], "people": config["people"]}

    def run_sim(self, state: Dict[str, Any], seed: int) -> Dict[str, Any]:
        rng = np.random.default_rng(seed)
        p, i = state["p"], state["p"]["n0"]
        s, new = state["people"] - i, []
        for _ in range(state["days"]):
            infections = rng.binomial(s, 1 - np.exp(-p["beta"] * i / state["people"]))
            i += infections - rng.binomial(i, 1 - np.exp(-p["gamma"]))
            s -= infections
            new.append(infections)
        return {"new": new}

    @model_output("incidence")
    def extract_incidence(self, raw: Dict[str, Any], seed: int) -> pl.DataFrame:
        return pl.DataFrame({"day": range(len(raw["new"])), "cases": raw["new"]})

    @model_output("totals", metadata={"unit": "people"})
    def extract_totals(self, raw: Dict[str, Any], seed: int) -> pl.DataFrame:
        return pl.DataFrame({"total": [sum(raw["new"])]})

    @model_output("tests")
    def extract_tests(self, raw: Dict[str, Any], seed: int) -> pl.DataFrame:
        days = np.arange(len(raw["new"]))
        return pl.DataFrame({"day": days, "n": [50] * len(days), "x": np.minimum(raw["new"], 50)})

    @model_scenario("lockdown")
    def lockdown(self) -> ScenarioSpec:
        return ScenarioSpec(
            "lockdown",
            doc="half the contacts",
            param_patches={"beta": 0.2},
            config_patches={"days": 25},
        )
