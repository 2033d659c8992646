"""What a calibration costs beside the simulations: the loop and its engines.

A trial late in a search is compared with one early in it, in the same run. Milliseconds are CPU
time of this machine; the largest admitted are those of the requirement. Bare ``cma`` is asked and
told the same points as our engine.

Run: python benchmarks/calibration.py
"""

from __future__ import annotations

import copy
import random
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

from _ratio import REPEATS, Ratio, measure, report

from modelops_calabaria.calibration.algorithms.base import SearchEngine
from modelops_calabaria.calibration.algorithms.cmaes import CmaesEngine
from modelops_calabaria.calibration.algorithms.random import RandomEngine
from modelops_calabaria.calibration.algorithms.tpe import TpeEngine
from modelops_calabaria.calibration.desk import Ticket, open_desk
from modelops_calabaria.calibration.journal import MemoryJournal
from modelops_calabaria.calibration.plan import CalibrationPlan, plan_calibration
from modelops_calabaria.calibration.search import run_search
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.errors import Unavailable
from modelops_contracts.ports import NullReporter
from modelops_contracts.study import CalibrationSpec
from modelops_contracts.types import (
    Evaluation,
    ModelDescription,
    TargetDescription,
    TargetScore,
    TrialResult,
)

DIMENSIONS = 5


def space() -> SearchSpace:
    return SearchSpace.of([ParameterSpec(f"p{i}", 0.0, 1.0) for i in range(DIMENSIONS)])


Score = Callable[[Mapping[str, Any]], float]


def bowl(params: Mapping[str, Any]) -> float:
    return sum((float(x) - 0.3) ** 2 for x in params.values())


def make_noise() -> Score:
    """A score without any shape, on which no search converges."""
    chance = random.Random(1)
    return lambda _params: chance.random()


def advance(engine: SearchEngine, n: int, score: Score = bowl) -> None:
    """``n`` trials, one in flight."""
    for _ in range(n):
        (proposal,) = engine.ask(1)
        engine.tell([TrialResult(proposal.param_id, score(proposal.params))])


def at_trials(
    make: Callable[[], SearchEngine], young: int, old: int, score: Score
) -> tuple[SearchEngine, SearchEngine]:
    """One search, kept as it was after ``young`` and after ``old`` trials."""
    engine = make()
    advance(engine, young, score)
    early = copy.deepcopy(engine)
    advance(engine, old - young, score)
    return early, engine


def seconds_per_trial(engine: SearchEngine, n: int, score: Score) -> float:
    """CPU of the next ``n`` trials, from where the engine stands; it is left as it was."""
    going = copy.deepcopy(engine)
    begun = time.process_time()
    advance(going, n, score)
    return (time.process_time() - begun) / n


def ages(
    what: str,
    make: Callable[[], SearchEngine],
    *,
    n: int,
    most: float,
    score: Score = bowl,
    young: int = 1000,
    old: int = 5000,
) -> list[Ratio]:
    """A trial late in a search against one early in it, and against ``most`` milliseconds."""
    early, late = at_trials(make, young, old, score)
    spent = [
        (seconds_per_trial(early, n, score), seconds_per_trial(late, n, score))
        for _ in range(REPEATS)
    ]
    then, now = (1000 * statistics.median(side) for side in zip(*spent, strict=True))
    return [
        Ratio(f"{what}, trial {old:,} against trial {young:,}", now / then, 1.5,
              f"{now:.3g} ms / {then:.3g} ms"),
        Ratio(f"{what} at trial {old:,}, ms of CPU per trial", now, most),
    ]  # fmt: skip


class InstantProvider:
    """Answers at once, so that the loop's own cost remains."""

    def __init__(self) -> None:
        self.open: list[Ticket] = []
        self.asked_at: list[float] = []

    def start(self, ticket: Ticket) -> None:
        self.asked_at.append(time.process_time())
        self.open.append(ticket)

    def next_outcome(self) -> tuple[Ticket, Evaluation]:
        ticket = self.open.pop(0)
        loss = sum((float(x) - 0.3) ** 2 for x in ticket.params.params.values())
        score = TargetScore("t", "loss", loss, 1.0, (loss,) * len(ticket.seeds), 10, 10)
        return ticket, Evaluation(ticket.params.param_id, ticket.seeds, loss, scores=(score,))

    def cancel_all(self) -> None:
        self.open.clear()

    def predict(self, label: str, draws: object, *, seed: int) -> dict[str, bytes]:
        raise Unavailable(f"{label}, {seed}: not simulated here ({draws})")


def plan_of(n: int) -> CalibrationPlan:
    target = TargetDescription("t.m:t", "t", ("out",), "loss")
    names = space().names
    spec = CalibrationSpec(
        model="m",
        scenario="baseline",
        algorithm="optuna",
        target_data={"target_entrypoints": ["t.m:t"]},
        algorithm_config={
            "parameter_specs": {name: {"lower": 0.0, "upper": 1.0} for name in names},
            "sampler": {"type": "random"},
            "max_trials": n,
        },
    )
    description = ModelDescription(
        "m:M",
        parameters=tuple({"name": name, "lower": 0.0, "upper": 1.0} for name in names),
        scenarios={"baseline": {}},
        outputs=("out",),
    )
    return plan_calibration(spec, description, [target])


def search_times(n: int) -> list[float]:
    """CPU seconds at which each trial of a whole search was asked."""
    plan, provider = plan_of(n), InstantProvider()
    desk = open_desk(provider, MemoryJournal(), fingerprint={}, clock=time.monotonic,
                     should_stop=lambda: False)  # fmt: skip
    engine = RandomEngine(plan.space, seed=1)
    run_search(plan, engine, desk, reporter=NullReporter(), clock=time.monotonic)
    return provider.asked_at


def loop(young: int = 100, old: int = 5000, window: int = 300) -> list[Ratio]:
    """The loop with the cheapest engine: a trial late against early, and in milliseconds."""
    early, late, mean = [], [], []
    for _ in range(REPEATS):
        at = search_times(old + window + 1)
        early.append((at[young + window] - at[young]) / window)
        late.append((at[old + window] - at[old]) / window)
        mean.append((at[-1] - at[0]) / (len(at) - 1))
    then, now, typical = (1000 * statistics.median(side) for side in (early, late, mean))
    return [
        Ratio(f"loop, random engine, trial {old:,} against trial {young:,}", now / then, 1.2,
              f"{now:.3g} ms / {then:.3g} ms"),
        Ratio("loop with the random engine, ms of CPU per trial", typical, 0.5),
    ]  # fmt: skip


def cmaes_against_bare() -> Ratio:
    import cma

    def bare() -> None:
        strategy = cma.CMAEvolutionStrategy(
            [0.5] * DIMENSIONS, 0.25, {"bounds": [0, 1], "seed": 1, "verbose": -9, "popsize": 8}
        )
        for _ in range(25):
            points = strategy.ask()
            strategy.tell(points, [float(((x - 0.3) ** 2).sum()) for x in points])

    def ours() -> None:
        advance(CmaesEngine(space(), seed=1, batch_size=8), 200)

    return measure("cmaes, 200 candidates, against bare cma", ours, bare, 5.0)


def main() -> None:
    report(
        [
            *loop(),
            *ages("tpe", lambda: TpeEngine(space(), seed=1), n=20, most=8.0),
            *ages("tpe, a score of noise", lambda: TpeEngine(space(), seed=1), n=20, most=8.0,
                  score=make_noise()),
            *ages("cmaes", lambda: CmaesEngine(space(), seed=1, batch_size=8), n=240, most=0.5,
                  score=make_noise()),
            cmaes_against_bare(),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
