"""Halton sequence (1960), scrambled by random permutations of the digits (Owen 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from modelops_calabaria.parameters.types import ParameterSpace
from modelops_calabaria.sampling.base import UnitDesign, checked_seed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modelops_calabaria.parameters.measures import IntMapping, Measure

__all__ = ["HaltonSampler"]


class HaltonSampler(UnitDesign):
    """Row i depends on (seed, i); without ``seed`` a fresh one is drawn once and kept."""

    kind: ClassVar[str] = "halton"
    extendable: ClassVar[bool] = True

    def __init__(
        self,
        parameter_space: ParameterSpace,
        scramble: bool = True,
        seed: int | None = None,
        *,
        measure: Measure = "prior",
        int_mapping: IntMapping = "equal",
    ) -> None:
        super().__init__(parameter_space, measure=measure, int_mapping=int_mapping)
        self.scramble = bool(scramble)
        self.seed = checked_seed(seed)

    def unit(self, n: int, start: int = 0) -> npt.NDArray[np.float64]:
        import numpy as np
        from scipy.stats.qmc import Halton

        engine = Halton(
            len(self.parameter_space), scramble=self.scramble, seed=np.random.default_rng(self.seed)
        )
        if start:
            engine.fast_forward(start)
        return np.asarray(engine.random(n), dtype=np.float64)

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "scramble": self.scramble, **super().settings()}
