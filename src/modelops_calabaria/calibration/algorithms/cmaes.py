"""CMA-ES through the package ``cma``: the default where the objective is smooth and exact.

Population max(4 + floor(3 ln d), batch size), first step 0.25 of each range, start at the declared
defaults. Ends by its own tolerances when the population agrees on the objective; a run that ends
for another reason (stagnation, a flat landscape, a degenerate covariance) is started again at
a random place with twice the population, at most ``restarts`` times.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections import deque
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from modelops_calabaria.calibration.algorithms.base import SearchEngine
from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.errors import InvalidInput

__all__ = ["CmaesEngine"]

#: A likelihood search has converged when recent objectives agree to this (nats).
TOLERANCE_LOGLIK = 1e-3
#: A loss has no natural unit: the tolerance is relative to the progress made since the start.
TOLERANCE_LOSS_RELATIVE = 1e-6
#: Recent means so many generations. The package's own window is several times longer.
RECENT_GENERATIONS = 10
#: Step size, in units of each range, below which no parameter moves any more.
TOLERANCE_STEP = 1e-6


class CmaesEngine(SearchEngine):
    kind = "cmaes"

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        batch_size: int = 1,
        population: int | None = None,
        sigma: float = 0.25,
        restarts: int = 3,
        objective: str = "loglik",
    ) -> None:
        super().__init__(space)
        if space.dim < 2:
            raise InvalidInput(
                "sampler cmaes needs at least two free parameters",
                hint='for a single one use tpe: engine="tpe" in Python, {"type": "tpe"} in a file',
            )
        smallest = max(4 + int(3 * math.log(space.dim)), batch_size)
        self._population = population or smallest
        self._seed, self._sigma, self._objective = seed, sigma, objective
        self._restarts_left = restarts
        self._run = 0
        self._end: str | None = None
        self._worst_seen = 0.0
        self._strategy: Any = None
        self._queue: list[Any] = []
        self._generation: list[Any] = []
        self._losses: dict[int, float] = {}
        self._first = 0
        self._given_open: dict[int, list[float]] = {}
        self._given_best: tuple[float, list[float]] | None = None
        self._recent: deque[float] = deque(maxlen=RECENT_GENERATIONS)
        self._first_median: float | None = None

    def propose(self, index: int) -> dict[str, int | float] | None:
        if not self._queue:
            if self._given_open or self._generation:
                return None  # answers that are still out decide what comes next
            self._next_generation(index)
        u = self._queue.pop(0)
        return self.space.from_unit(u)

    def admit(self, index: int, values: Mapping[str, int | float]) -> None:
        self._given_open[index] = self.space.to_unit(values)

    def learn(self, index: int, loss: float) -> None:
        if index in self._given_open:
            self._learn_given(self._given_open.pop(index), loss)
            return
        self._losses[index - self._first] = loss
        if len(self._losses) == len(self._generation):
            self._close_generation()

    def why_finished(self) -> str | None:
        return self._end

    def _learn_given(self, u: list[float], loss: float) -> None:
        """The best point given from outside is where the first run starts."""
        if math.isfinite(loss) and (self._given_best is None or loss < self._given_best[0]):
            self._given_best = loss, u

    # ------------------------------------------------------------ one generation

    def _next_generation(self, index: int) -> None:
        if self._strategy is None:
            self._strategy = self._start_run()
        with _quiet():
            self._generation = self._strategy.ask()
        self._queue = list(self._generation)
        self._first = index

    def _close_generation(self) -> None:
        losses = [self._losses[i] for i in range(len(self._generation))]
        with _quiet():
            self._strategy.tell(self._generation, self._imputed(losses))
            reasons = dict(self._strategy.stop())
        self._generation, self._losses = [], {}
        if "tolx" in reasons or self._agrees(losses):
            self._end = "converged"
        elif reasons:
            self._end_run(reasons)

    def _agrees(self, losses: list[float]) -> bool:
        """True when this generation and the best of each recent one are all but equal."""
        if self._first_median is None and all(map(math.isfinite, losses)):
            self._first_median = median(losses)
        self._recent.append(min(losses))
        if len(self._recent) < RECENT_GENERATIONS or self._first_median is None:
            return False
        values = [*losses, *self._recent]
        spread = max(values) - min(values)
        if self._objective == "loglik":
            return spread <= TOLERANCE_LOGLIK
        return spread <= TOLERANCE_LOSS_RELATIVE * (self._first_median - min(values))

    def _imputed(self, losses: list[float]) -> list[float]:
        """Failed trials become clearly, but not infinitely, worse than the worst that did not."""
        finite = [loss for loss in losses if math.isfinite(loss)]
        if finite:
            self._worst_seen = max(finite)
        spread = (max(finite) - min(finite)) if len(finite) > 1 else 0.0
        penalty = self._worst_seen + (spread or max(1.0, abs(self._worst_seen)))
        return [loss if math.isfinite(loss) else penalty for loss in losses]

    # ------------------------------------------------------------ runs

    def _end_run(self, reasons: dict[str, Any]) -> None:
        if self._restarts_left == 0:
            self._end = f"cma stopped ({', '.join(sorted(reasons))})"
        else:
            self._restarts_left -= 1
            self._population *= 2
            self._run += 1
            self._strategy = None
            self._recent.clear()

    def _start_run(self) -> Any:
        import cma
        import numpy as np

        rng = np.random.default_rng([self._seed, self._run])
        start = self._first_start() if self._run == 0 else rng.random(self.space.dim).tolist()
        with _quiet():
            return cma.CMAEvolutionStrategy(start, self._sigma, self._options(rng))

    def _first_start(self) -> list[float]:
        return self._given_best[1] if self._given_best else self.space.start()

    def _options(self, rng: Any) -> dict[str, Any]:
        return {
            "bounds": [0.0, 1.0],
            "popsize": self._population,
            # Its own generator: the package would otherwise seed numpy's global one.
            "randn": lambda *shape: rng.standard_normal(shape),
            "seed": math.nan,
            "verbose": -9,
            "minstd": [self._smallest_step(i) for i in range(self.space.dim)],
            # Convergence is judged by _agrees.
            "tolfun": 0.0,
            "tolfunhist": 0.0,
            "tolx": TOLERANCE_STEP,
            "tolflatfitness": 5,
        }

    def _smallest_step(self, i: int) -> float:
        """Keeps an integer parameter moving between its values."""
        axis = self.space.axes[i]
        if not axis.is_integer:
            return 0.0
        return 0.2 / max(1, int(axis.spec.upper) - int(axis.spec.lower))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The package reports through warnings what we report as the reason to stop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
