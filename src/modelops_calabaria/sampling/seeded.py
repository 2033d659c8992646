"""What the designs made of seeded points share, and the shape of scrambled sequences."""

from __future__ import annotations

import warnings
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from modelops_calabaria.parameters.types import ParameterSpace
from modelops_calabaria.sampling.base import UnitDesign, checked_seed

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modelops_calabaria.parameters.measures import IntMapping, Measure

__all__ = ["ScrambledSequence", "SeededDesign"]


class SeededDesign(UnitDesign):
    """A design with a seed; without one a fresh seed is drawn once and kept."""

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

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, **super().settings()}


class ScrambledSequence(SeededDesign):
    """A low-discrepancy sequence of scipy: row i depends on (seed, i)."""

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
        super().__init__(parameter_space, seed, measure=measure, int_mapping=int_mapping)
        self.scramble = bool(scramble)

    @abstractmethod
    def engine(self, dimension: int, rng: np.random.Generator) -> Any:
        """scipy's engine of this sequence at its first row."""

    def unit(self, n: int, start: int = 0) -> npt.NDArray[np.float64]:
        import numpy as np

        engine = self.engine(len(self.parameter_space), np.random.default_rng(self.seed))
        if start:
            engine.fast_forward(start)
        with warnings.catch_warnings():  # what scipy says of lengths, a design says in our words
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(engine.random(n), dtype=np.float64)

    def settings(self) -> dict[str, Any]:
        return {"scramble": self.scramble, **super().settings()}
