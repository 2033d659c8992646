"""What the engine costs beside concurrent.futures and beside a perfect split over the cores.

Run: python benchmarks/engine.py [--runs 5]

The same wire function runs on both sides, in two processes each, in turn; medians of wall time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path

from _ratio import Ratio, report

from modelops.engine.environments.spec import EnvironmentSpec
from modelops.engine.requests import SimOutcome, SimRequest
from modelops.engine.service import EngineService, open_engine
from modelops.results.store import ResultsStore
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask

SLOTS = 2
CODE = "c" * 64
MODEL = '''
import time

import polars as pl

import modelops_calabaria as cb


class Model(cb.BaseModel):
    """Busy for a given time, then one small table."""

    PARAMS = cb.ParameterSpace([cb.ParameterSpec("seconds", 0.0, 10.0)])

    def build_sim(self, params, config):
        return params["seconds"]

    def run_sim(self, state, seed):
        end = time.perf_counter() + state
        while time.perf_counter() < end:
            pass
        return seed

    @cb.model_output("out")
    def out(self, raw, seed):
        return pl.DataFrame({"day": [0, 1], "n": [raw, raw + 1]})
'''


def requests_of(n: int, seconds: float) -> list[SimRequest]:
    params = UniqueParameterSet.from_dict({"seconds": seconds})
    first = SimTask("sha256:" + "a" * 64, "busy.Model/baseline", params, 0)
    return [SimRequest(f"{seconds}-{seed}", first.with_seed(seed), seed) for seed in range(n)]


def enter_project(root: str) -> None:
    os.chdir(root)
    sys.path.insert(0, root)


def call(request: SimRequest) -> dict[str, bytes]:
    from modelops_calabaria.modelops_wire import wire_function

    task = request.task
    return wire_function(task.entrypoint, dict(task.params.params), task.seed)


class Sides:
    """Both ways to run the same simulations, warm."""

    def __init__(self, folder: Path, engine: EngineService, pool: ProcessPoolExecutor) -> None:
        self.engine = engine
        self.pool = pool
        self.store = ResultsStore.open(folder / "results")
        warm = requests_of(40, 0.0)
        self.service(warm)
        self.futures(warm)

    def service(self, requests: Sequence[SimRequest]) -> None:
        seen: list[int] = []
        self.engine.run(requests, on_outcomes=lambda outcomes: seen.append(_good(outcomes)))
        assert sum(seen) == len(requests)

    def service_and_store(self, requests: Sequence[SimRequest]) -> None:
        self.engine.run(requests, on_outcomes=lambda o: self.store.append(CODE, o, job="bench"))

    def futures(self, requests: Sequence[SimRequest]) -> None:
        assert len(list(self.pool.map(call, requests, chunksize=50))) == len(requests)


def _good(outcomes: Sequence[SimOutcome]) -> int:
    assert all(outcome.ok for outcome in outcomes), outcomes[0].traceback
    return len(outcomes)


def wall(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def compare(sides: Sides, runs: int, n: int) -> list[Ratio]:
    """Trivial simulations: the service with and without the store beside the plain pool."""
    requests = requests_of(n, 0.0)
    ways = (sides.service, sides.service_and_store, sides.futures)
    taken: list[list[float]] = [[] for _ in ways]
    for _ in range(runs):
        for times, way in zip(taken, ways, strict=True):
            times.append(wall(lambda way=way: way(requests)))
    off, on, peer = (statistics.median(times) for times in taken)
    return [
        Ratio(
            "service / process pool", off / peer, 1 / 0.9, f"{n / off:.0f} / {n / peer:.0f} per s"
        ),
        Ratio("with store / process pool", on / peer, 2.0, f"{n / on:.0f} / {n / peer:.0f} per s"),
    ]


def _rates(n: int, ours: float, theirs: float) -> str:
    return f"{n / ours:.0f} / {n / theirs:.0f} per s"


def share(sides: Sides, runs: int, seconds: float, n: int, goal: float) -> Ratio:
    """Wall time over a perfect split of what the simulations themselves took in that run."""
    requests = requests_of(n, seconds)
    ratios = [_over_ideal(sides.engine, requests) for _ in range(runs)]
    what = f"{seconds * 1e3:g} ms simulations / perfect split"
    return Ratio(what, statistics.median(ratios), 1 / goal, f"{n} simulations")


def _over_ideal(engine: EngineService, requests: Sequence[SimRequest]) -> float:
    busy: list[float] = []
    start = time.perf_counter()
    engine.run(requests, on_outcomes=lambda outcomes: busy.extend(o.wall for o in outcomes))
    return (time.perf_counter() - start) / (sum(busy) / SLOTS)


def overhead(opened: Callable[[int], AbstractContextManager[EngineService]], n: int) -> Ratio:
    """CPU of this process per simulation, in units of 50 microseconds."""
    with opened(1) as engine:
        engine.run(requests_of(40, 0.0), on_outcomes=_good)
        start = time.process_time()
        engine.run(requests_of(n, 0.0), on_outcomes=_good)
        spent = (time.process_time() - start) / n
    return Ratio("CPU of the driver / 50 µs", spent / 50e-6, 1.0, f"{spent * 1e6:.1f} µs each")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = folder / "project"
        project.mkdir()
        (project / "busy.py").write_text(MODEL)

        def opened(slots: int) -> AbstractContextManager[EngineService]:
            return open_engine(
                root=project,
                environment=EnvironmentSpec("direct", Path(sys.executable), "e" * 64),
                slots=slots,
                log_dir=folder / f"log-{slots}",
                base_env=dict(os.environ),
            )

        with (
            opened(SLOTS) as engine,
            ProcessPoolExecutor(SLOTS, initializer=enter_project, initargs=(str(project),)) as pool,
        ):
            sides = Sides(folder, engine, pool)
            rows = compare(sides, runs, 2000)
            rows += [
                share(sides, runs, 0.001, 1000, 0.93),
                share(sides, runs, 0.01, 200, 0.97),
                share(sides, runs, 0.1, 20, 0.99),
            ]
        rows.append(overhead(opened, 3000))
    report(rows)


if __name__ == "__main__":
    main()
