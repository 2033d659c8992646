"""What a calibration costs beside the simulations: the loop, its engines, its report."""

from __future__ import annotations

import random
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _ratio import Ratio, measure, report

from modelops_calabaria.calibration.algorithms.base import SearchEngine
from modelops_calabaria.calibration.algorithms.cmaes import CmaesEngine
from modelops_calabaria.calibration.algorithms.random import RandomEngine
from modelops_calabaria.calibration.algorithms.tpe import TpeEngine
from modelops_calabaria.calibration.desk import Ticket, open_desk
from modelops_calabaria.calibration.journal import MemoryJournal
from modelops_calabaria.calibration.plan import plan_calibration
from modelops_calabaria.calibration.search import run_search
from modelops_calabaria.diagnostics.report import write_report
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


def at_trial(make: Callable[[], SearchEngine], trial: int, score: Score = bowl) -> SearchEngine:
    engine = make()
    advance(engine, trial, score)
    return engine


def compare_ages(
    what: str,
    make: Callable[[], SearchEngine],
    old: int,
    young: int,
    n: int,
    goal: float,
    *,
    score: Score = bowl,
) -> Ratio:
    """Cost per trial late in a search against early in one. Each call goes ``n`` trials on."""
    late, early = at_trial(make, old, score), at_trial(make, young, score)
    return measure(
        what,
        lambda: advance(late, n, score),
        lambda: advance(early, n, score),
        goal,
        repeats=5,
    )


def milliseconds_at(
    what: str,
    make: Callable[[], SearchEngine],
    trial: int,
    n: int,
    goal: float,
    *,
    score: Score = bowl,
) -> Ratio:
    """Milliseconds of CPU per trial, late in a search."""
    engine = at_trial(make, trial, score)
    begun = time.process_time()
    advance(engine, n, score)
    return Ratio(what, 1000 * (time.process_time() - begun) / n, goal)


class InstantProvider:
    """Answers at once, so that the loop's own cost remains."""

    def __init__(self) -> None:
        self.open: list[Ticket] = []

    def start(self, ticket: Ticket) -> None:
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


def loop_milliseconds(n: int = 2000) -> Ratio:
    """Milliseconds of CPU per trial of the whole search with the cheapest engine."""
    target = TargetDescription("t.m:t", "t", ("out",), "loss")
    names = [spec.name for axis in space().axes for spec in [axis.spec]]
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
    plan = plan_calibration(spec, description, [target])
    desk = open_desk(InstantProvider(), MemoryJournal(), fingerprint={}, clock=time.monotonic,
                     should_stop=lambda: False)  # fmt: skip
    begun = time.process_time()
    run_search(plan, RandomEngine(plan.space, seed=1), desk, reporter=NullReporter(),
               clock=time.monotonic)  # fmt: skip
    taken = 1000 * (time.process_time() - begun) / n
    return Ratio("loop with the random engine, ms of CPU per trial", taken, 0.5)


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


@contextmanager
def trials_table(n: int) -> Iterator[Path]:
    rng = np.random.default_rng(0)
    columns = {f"param_p{i}": rng.random(n) for i in range(DIMENSIONS)}
    loss = sum((values - 0.3) ** 2 for values in columns.values())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trials.parquet"
        pl.DataFrame({"loss": loss, **columns}).write_parquet(path)
        yield path


def report_of_many_trials() -> list[Ratio]:
    """Seconds of CPU against 10, MiB at the peak against 500; the reference is a plain 1."""
    with trials_table(10_000) as source:
        begun = time.process_time()
        for kind in ("html", "pdf"):
            write_report(source, source.with_suffix(f".{kind}"), format=kind)
        seconds = time.process_time() - begun
        tracemalloc.start()
        write_report(source, source.with_suffix(".html"), format="html")
        peak = tracemalloc.get_traced_memory()[1] / 2**20
        tracemalloc.stop()
    return [
        Ratio("both reports of 10,000 trials, seconds of CPU", seconds, 10.0),
        Ratio("HTML report of 10,000 trials, peak MiB", peak, 500.0),
    ]


def main() -> None:
    report(
        [
            compare_ages("random, trial 5,000 against trial 100",
                         lambda: RandomEngine(space(), seed=1), 5000, 100, 60, 1.2),
            compare_ages("tpe, trial 5,000 against trial 1,000",
                         lambda: TpeEngine(space(), seed=1), 5000, 1000, 20, 1.5),
            compare_ages("cmaes, trial 5,000 against trial 1,000",
                         lambda: CmaesEngine(space(), seed=1, batch_size=8), 5000, 1000, 240, 1.5,
                         score=make_noise()),
            milliseconds_at("tpe at trial 5,000, ms of CPU per trial",
                            lambda: TpeEngine(space(), seed=1), 5000, 50, 8.0),
            milliseconds_at("cmaes at trial 5,000, ms of CPU per trial",
                            lambda: CmaesEngine(space(), seed=1, batch_size=8), 5000, 400, 0.5,
                            score=make_noise()),
            loop_milliseconds(),
            cmaes_against_bare(),
            *report_of_many_trials(),
        ]
    )  # fmt: skip


if __name__ == "__main__":
    main()
