"""Independent random rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from modelops_calabaria.sampling.seeded import SeededDesign

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["RandomSampler"]


class RandomSampler(SeededDesign):
    """Row i depends on (seed, i); without ``seed`` a fresh one is drawn once and kept."""

    kind: ClassVar[str] = "random"
    extendable: ClassVar[bool] = True

    def unit(self, n: int, start: int = 0) -> npt.NDArray[np.float64]:
        import numpy as np

        dimension = len(self.parameter_space)
        # One step of the generator is one number, so row `start` can be jumped to.
        bits = np.random.PCG64(self.seed).advance(start * dimension)
        return np.random.Generator(bits).random((n, dimension))
