"""Tree-structured Parzen estimator through Optuna: noise-tolerant, any number of parameters.

The first points come from our Sobol' design. Each later proposal is made by a sampler seeded for
that proposal alone, over at most the best 500 and the latest 500 trials, so a proposal costs the
same at trial 5,000 as at trial 1,000.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from modelops_calabaria.calibration.algorithms.base import SearchEngine, child_seed
from modelops_calabaria.calibration.algorithms.designs import DesignRows
from modelops_calabaria.sampling.sobol import SobolSampler
from modelops_calabaria.search_space import SearchSpace

if TYPE_CHECKING:
    from modelops_calabaria.calibration.algorithms.parzen import SeenTrial

__all__ = ["TpeEngine"]

_MOST_BEST = _MOST_LATEST = 500


class TpeEngine(SearchEngine):
    kind = "tpe"

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        n_startup_trials: int | None = None,
        n_ei_candidates: int = 24,
    ) -> None:
        super().__init__(space)
        self._seed = seed
        self._n_startup = n_startup_trials or max(10, 2 * space.dim)
        self._n_ei_candidates = n_ei_candidates
        self._startup = DesignRows(SobolSampler(space.parameter_space(), scramble=True, seed=seed))
        self._distributions: dict[str, Any] = {}
        #: What the sampler may see, by number and in that order; running trials included.
        self._seen: dict[int, SeenTrial] = {}
        #: Numbers of the latest told trials in order, and (loss, number) of the best in order.
        self._latest: list[int] = []
        self._best: list[tuple[float, int]] = []

    def propose(self, index: int) -> dict[str, int | float]:
        if index < self._n_startup:
            point = self._point(self._startup[index])
        else:
            point = self._from_model(index)
        self._note(index, point)
        return self._natural(point)

    def admit(self, index: int, values: Mapping[str, int | float]) -> None:
        self._note(index, self._point(values))

    def learn(self, index: int, loss: float) -> None:
        self._seen[index].close(loss)
        insort(self._latest, index)
        insort(self._best, (loss, index))
        self._forget()

    def why_finished(self) -> None:
        return None

    # ------------------------------------------------------------ coordinates

    def _point(self, values: Mapping[str, int | float]) -> dict[str, Any]:
        """Natural values in Optuna's coordinates: positions in [0, 1], integers as they are."""
        return {
            axis.name: values[axis.name] if axis.is_integer else axis.to_unit(values[axis.name])
            for axis in self.space.axes
        }

    def _natural(self, point: dict[str, Any]) -> dict[str, int | float]:
        return {
            axis.name: int(point[axis.name])
            if axis.is_integer
            else axis.from_unit(point[axis.name])
            for axis in self.space.axes
        }

    # ------------------------------------------------------------ proposals and history

    def _from_model(self, index: int) -> dict[str, Any]:
        from modelops_calabaria.calibration.algorithms import parzen

        if not self._distributions:
            self._distributions = {a.name: parzen.distribution_of(a) for a in self.space.axes}
        return parzen.draw(
            list(self._seen.values()),
            self._distributions,
            seed=child_seed(self._seed, [index]),
            number=index,
            n_ei_candidates=self._n_ei_candidates,
        )

    def _note(self, index: int, point: dict[str, Any]) -> None:
        from modelops_calabaria.calibration.algorithms.parzen import SeenTrial

        self._seen[index] = SeenTrial(index, point)

    def _forget(self) -> None:
        """Drop what is neither among the latest nor among the best: it never will be again."""
        left: list[int] = []
        if len(self._latest) > _MOST_LATEST:
            left.append(self._latest.pop(0))
        if len(self._best) > _MOST_BEST:
            left.append(self._best.pop()[1])
        for number in left:
            if number in self._seen and not self._is_visible(number):
                del self._seen[number]

    def _is_visible(self, number: int) -> bool:
        is_latest = number >= self._latest[0]
        return is_latest or (self._seen[number].value, number) <= self._best[-1]
