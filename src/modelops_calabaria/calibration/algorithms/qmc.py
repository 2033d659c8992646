"""The points of a scrambled Sobol' sequence, in order."""

from __future__ import annotations

from modelops_calabaria.calibration.algorithms.base import SearchEngine
from modelops_calabaria.calibration.algorithms.designs import DesignRows
from modelops_calabaria.sampling.sobol import SobolSampler
from modelops_calabaria.search_space import SearchSpace

__all__ = ["QmcEngine"]


class QmcEngine(SearchEngine):
    kind = "qmc"

    def __init__(self, space: SearchSpace, *, seed: int) -> None:
        super().__init__(space)
        self._rows = DesignRows(SobolSampler(space.parameter_space(), scramble=True, seed=seed))

    def propose(self, index: int) -> dict[str, int | float]:
        return self._rows[index]

    def learn(self, index: int, loss: float) -> None:
        """A design does not learn."""

    def why_finished(self) -> None:
        return None
