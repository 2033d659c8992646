"""Two SIR models of one outbreak: every infection by chance, and the mean-field limit.

Both describe a closed school of N boys. Each infectious boy meets the others at random and infects
at rate ``beta``; he recovers at rate ``gamma``. Day 0 has one infectious boy; outputs are at noon
of days 1 to 14.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
from scipy.integrate import solve_ivp

import modelops_calabaria as cb

DAYS = np.arange(1, 15)


class Epidemic(NamedTuple):
    """What one run of either model hands to the outputs."""

    infectious: np.ndarray  # (14,) boys infectious on days 1..14
    ever_infected: float  # boys infected up to day 14
    boys: int


class SchoolSIR(cb.BaseModel):
    """What the two models share: parameters, configuration, scenarios and outputs."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec(
                "beta",
                0.5,
                4.0,
                doc="infections per infectious boy and day",
                unit="1/day",
                transform="log",
            ),
            cb.ParameterSpec(
                "gamma",
                0.1,
                2.0,
                doc="recoveries per infectious boy and day",
                unit="1/day",
                transform="log",
            ),
            cb.ParameterSpec(
                "k",
                1.0,
                100.0,
                doc="dispersion of the observed counts (read by the target)",
                default=10.0,
                transform="log",
            ),
        ]
    )
    CONFIG = cb.ConfigurationSpace(
        [
            cb.ConfigSpec("boys", 763, doc="boys in the school"),
            cb.ConfigSpec("introduced", 1, doc="infectious boys on day 0"),
        ]
    )

    @cb.model_scenario("small-school")
    def small_school(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec(
            "small-school", doc="the same outbreak among 200 boys", config_patches={"boys": 200}
        )

    def build_sim(self, params: cb.ParameterSet, config: Mapping[str, object]) -> dict[str, float]:
        return {
            "beta": params["beta"],
            "gamma": params["gamma"],
            "boys": config["boys"],
            "introduced": config["introduced"],
        }

    @cb.model_output("in_bed")
    def in_bed(self, raw: Epidemic, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"day": DAYS, "in_bed": raw.infectious})

    @cb.model_output("outbreak")
    def outbreak(self, raw: Epidemic, seed: int) -> pl.DataFrame:
        peak = int(np.argmax(raw.infectious))
        return pl.DataFrame(
            {
                "metric": ["peak_day", "peak_height", "attack_rate"],
                "value": [
                    float(DAYS[peak]),
                    float(raw.infectious[peak]),
                    raw.ever_infected / raw.boys,
                ],
            }
        )


class DeterministicSIR(SchoolSIR):
    """The mean-field limit: dS = -beta S I / N, dI = beta S I / N - gamma I."""

    DETERMINISTIC = True

    def run_sim(self, state: dict[str, float], seed: int) -> Epidemic:
        boys, introduced = state["boys"], state["introduced"]

        def change(_t: float, y: np.ndarray) -> tuple[float, float]:
            infections = state["beta"] * y[0] * y[1] / boys
            return -infections, infections - state["gamma"] * y[1]

        start = (boys - introduced, introduced)
        path = solve_ivp(change, (0, DAYS[-1]), start, t_eval=DAYS, rtol=1e-8, atol=1e-8).y
        return Epidemic(path[1], boys - path[0, -1], int(boys))


class StochasticSIR(SchoolSIR):
    """The same rates, boy by boy: an exact simulation (Gillespie's direct method, 1977)."""

    def run_sim(self, state: dict[str, float], seed: int) -> Epidemic:
        boys, infectious = int(state["boys"]), int(state["introduced"])
        rng = np.random.default_rng(seed)
        # Every boy is infected once and recovers once at most, so this many draws always suffice.
        waits = rng.standard_exponential(2 * boys).tolist()
        coins = rng.random(2 * boys).tolist()
        contact, gamma = state["beta"] / boys, state["gamma"]
        susceptible, now, days = boys - infectious, 0.0, DAYS.tolist()
        seen: list[int] = []
        for wait, coin in zip(waits, coins, strict=True):
            if infectious == 0:
                break
            infection, recovery = contact * susceptible * infectious, gamma * infectious
            now += wait / (infection + recovery)
            while len(seen) < len(days) and now > days[len(seen)]:
                seen.append(infectious)
            if len(seen) == len(days):
                break
            if coin * (infection + recovery) < infection:
                susceptible -= 1
                infectious += 1
            else:
                infectious -= 1
        seen += [infectious] * (len(days) - len(seen))
        return Epidemic(np.array(seen, dtype=float), boys - susceptible, boys)
