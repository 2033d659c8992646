"""Independent draws from the priors (uniform in transform coordinates without one)."""

from __future__ import annotations

from modelops_calabaria.calibration.algorithms.base import SearchEngine
from modelops_calabaria.calibration.algorithms.designs import DesignRows
from modelops_calabaria.sampling.random import RandomSampler
from modelops_calabaria.search_space import SearchSpace

__all__ = ["RandomEngine"]


class RandomEngine(SearchEngine):
    kind = "random"

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        super().__init__(space)
        self._rows = DesignRows(RandomSampler(space.parameter_space(), seed=seed))

    def propose(self, index: int) -> dict[str, int | float]:
        return self._rows[index]

    def learn(self, index: int, loss: float) -> None:
        """A design does not learn."""

    def why_finished(self) -> None:
        return None
