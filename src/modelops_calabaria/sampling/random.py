"""Independent random rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from modelops_calabaria.parameters.types import ParameterSpace
from modelops_calabaria.sampling.base import UnitDesign, checked_seed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modelops_calabaria.parameters.measures import IntMapping, Measure

__all__ = ["RandomSampler"]


class RandomSampler(UnitDesign):
    """Row i depends on (seed, i); without ``seed`` a fresh one is drawn once and kept."""

    kind: ClassVar[str] = "random"
    extendable: ClassVar[bool] = True

    def __init__(
        self,
        parameter_space: ParameterSpace,
        seed: int | None = None,
        *,
        measure: Measure = "prior",
        int_mapping: IntMapping = "equal",
    ) -> None:
        super().__init__(parameter_space, measure=measure, int_mapping=int_mapping)
        self.seed = checked_seed(seed)

    def unit(self, n: int, start: int = 0) -> npt.NDArray[np.float64]:
        import numpy as np

        dimension = len(self.parameter_space)
        # One step of the generator is one number, so row `start` can be jumped to.
        bits = np.random.PCG64(self.seed).advance(start * dimension)
        return np.random.Generator(bits).random((n, dimension))

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, **super().settings()}
