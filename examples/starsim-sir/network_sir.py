"""A Starsim disease on a random contact network, behind the five methods of a model.

Nothing here is special to Starsim: build, run, and say which tables come out.
"""

from collections.abc import Mapping

import polars as pl
import starsim as ss

import modelops_calabaria as cb


class NetworkSIR(cb.BaseModel):
    """Agents meet at random on a network that is drawn anew every day."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec(
                "beta",
                0.02,
                0.5,
                doc="transmission per contact and day",
                unit="1/day",
                transform="log",
            ),
            cb.ParameterSpec("dur_inf", 3.0, 14.0, doc="mean infectious period", unit="days"),
            cb.ParameterSpec(
                "n_contacts", 2, 8, kind="int", doc="contacts per agent and day", default=4
            ),
        ]
    )
    CONFIG = cb.ConfigurationSpace(
        [
            cb.ConfigSpec("agents", 1000, doc="simulated people"),
            cb.ConfigSpec("last_day", "2020-03-01", doc="end of the simulation"),
        ]
    )

    @cb.model_scenario("distancing")
    def distancing(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec(
            "distancing", doc="two contacts a day", param_patches={"n_contacts": 2}
        )

    def build_sim(self, params: cb.ParameterSet, config: Mapping[str, object]) -> dict[str, object]:
        # A Starsim simulation takes its seed when it is made, so it is made in run_sim.
        return {
            "n_agents": config["agents"],
            "diseases": ss.SIR(
                beta=ss.perday(params["beta"]),
                init_prev=0.01,
                dur_inf=ss.lognorm_ex(mean=ss.days(params["dur_inf"])),
                p_death=0,
            ),
            "networks": ss.RandomNet(n_contacts=params["n_contacts"]),
            "start": "2020-01-01",
            "stop": config["last_day"],
            "dt": "day",
            "verbose": 0,
        }

    def run_sim(self, state: dict[str, object], seed: int) -> ss.Sim:
        return ss.Sim(**state, rand_seed=seed % 2**31).run()

    @cb.model_output("prevalence")
    def prevalence(self, raw: ss.Sim, seed: int) -> pl.DataFrame:
        infected = [float(n) for n in raw.results.sir.n_infected]
        return pl.DataFrame({"day": range(len(infected)), "infected": infected})
