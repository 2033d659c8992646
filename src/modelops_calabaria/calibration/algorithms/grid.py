"""Every point of a full grid, the first parameter slowest; ends with the grid."""

from __future__ import annotations

from collections.abc import Mapping

from modelops_calabaria.calibration.algorithms.base import SearchEngine
from modelops_calabaria.sampling.grid import GridSampler
from modelops_calabaria.search_space import SearchSpace

__all__ = ["GridEngine"]


class GridEngine(SearchEngine):
    kind = "grid"

    def __init__(
        self, space: SearchSpace, *, points: int | Mapping[str, int] | None = None
    ) -> None:
        super().__init__(space)
        sampler = GridSampler(space.parameter_space(), points)
        self._rows = sampler.sample(sampler.grid_size())

    def propose(self, index: int) -> dict[str, int | float]:
        return dict(self._rows[index])

    def learn(self, index: int, loss: float) -> None:
        """A design does not learn."""

    def why_finished(self) -> str | None:
        return "design exhausted" if self._asked >= len(self._rows) else None
