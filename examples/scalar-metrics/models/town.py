"""An epidemic among the children and adults of a town, summed up in a few numbers.

Every day each susceptible person of group a escapes infection with probability
exp(-Σ_b beta_ab I_b / N_b), and each infectious person recovers with probability
1 - exp(-1 / infectious_days). Children are ``child_contact`` times as susceptible as adults. The
largest eigenvalue of the next-generation matrix is ``r0``, which sets the size of beta.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl

import modelops_calabaria as cb

AGES = ("child", "adult")


class Run(NamedTuple):
    """What one epidemic hands to the outputs."""

    infections: np.ndarray  # (days, 2) new infections per day and age group
    people: np.ndarray  # (2,)


class Town(cb.BaseModel):
    """A chain-binomial epidemic in two age groups that mix at random."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec("r0", 1.1, 4.0, doc="infections by one case when all are susceptible"),
            cb.ParameterSpec(
                "infectious_days", 1.5, 8.0, doc="mean infectious period", unit="days"
            ),
            cb.ParameterSpec(
                "child_contact",
                0.5,
                4.0,
                doc="susceptibility of children relative to adults",
                transform="log",
            ),
            cb.ParameterSpec("introduced", 1, 50, kind="int", doc="cases on day 0", default=20),
        ]
    )
    CONFIG = cb.ConfigurationSpace(
        [
            cb.ConfigSpec("people", (5_000, 15_000), doc="children and adults"),
            cb.ConfigSpec("days", 300, doc="length of the simulation"),
        ]
    )

    @cb.model_scenario("schools-closed")
    def schools_closed(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("schools-closed", param_patches={"child_contact": 0.5})

    def build_sim(self, params: cb.ParameterSet, config: Mapping[str, object]) -> dict[str, object]:
        people = np.array(config["people"])
        susceptibility = np.array([params["child_contact"], 1.0])
        # With random mixing the next-generation matrix has rank one; its eigenvalue is this mean.
        mean = float((susceptibility * people).sum() / people.sum())
        return {
            "people": people,
            "days": config["days"],
            "introduced": params["introduced"],
            "force": params["r0"] / params["infectious_days"] * susceptibility / mean,
            "recovers": 1 - np.exp(-1 / params["infectious_days"]),
        }

    def run_sim(self, state: dict, seed: int) -> Run:
        rng = np.random.default_rng(seed)
        people = state["people"]
        infectious = rng.multivariate_hypergeometric(people, state["introduced"])
        susceptible = people - infectious
        infections = np.zeros((state["days"], len(people)), dtype=np.int64)
        for day in range(state["days"]):
            if not infectious.any():
                break
            pressure = state["force"] * infectious.sum() / people.sum()
            new = rng.binomial(susceptible, 1 - np.exp(-pressure))
            recovered = rng.binomial(infectious, state["recovers"])
            susceptible, infectious = susceptible - new, infectious + new - recovered
            infections[day] = new
        return Run(infections, people)

    @cb.model_output("summary")
    def summary(self, raw: Run, seed: int) -> pl.DataFrame:
        """One row, one column per number: the wide layout."""
        daily = raw.infections.sum(axis=1)
        return pl.DataFrame(
            {
                "attack_rate": [daily.sum() / raw.people.sum()],
                "peak_day": [float(daily.argmax())],
                "peak_share": [daily.max() / raw.people.sum()],
            }
        )

    @cb.model_output("by_age")
    def by_age(self, raw: Run, seed: int) -> pl.DataFrame:
        """One row per number: the long layout, with an index column."""
        rates = raw.infections.sum(axis=0) / raw.people
        return pl.DataFrame(
            {"metric": ["attack_rate"] * len(AGES), "age": list(AGES), "value": rates}
        )
