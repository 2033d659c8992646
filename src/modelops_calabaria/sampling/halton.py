"""Halton sequence (1960), scrambled by random permutations of the digits (Owen 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from modelops_calabaria.sampling.seeded import ScrambledSequence

if TYPE_CHECKING:
    import numpy as np

__all__ = ["HaltonSampler"]


class HaltonSampler(ScrambledSequence):
    """Row i depends on (seed, i); without ``seed`` a fresh one is drawn once and kept."""

    kind: ClassVar[str] = "halton"

    def engine(self, dimension: int, rng: np.random.Generator) -> Any:
        from scipy.stats.qmc import Halton

        return Halton(dimension, scramble=self.scramble, seed=rng)
