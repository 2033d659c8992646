"""Latin hypercube (McKay, Beckman, Conover 1979): one row in each of n slices of every range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from modelops_calabaria.parameters.types import ParameterSpace
from modelops_calabaria.sampling.base import check_choice, refuse_start
from modelops_calabaria.sampling.seeded import SeededDesign
from modelops_contracts.errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modelops_calabaria.parameters.measures import IntMapping, Measure

__all__ = ["LatinHypercubeSampler"]


class LatinHypercubeSampler(SeededDesign):
    """Every row depends on (seed, n). ``optimise="random-cd"`` exchanges coordinates to even the
    coverage out (lower centred discrepancy)."""

    kind: ClassVar[str] = "lhs"

    def __init__(
        self,
        parameter_space: ParameterSpace,
        seed: int | None = None,
        optimise: Literal["random-cd"] | str | None = None,
        *,
        measure: Measure = "prior",
        int_mapping: IntMapping = "equal",
    ) -> None:
        super().__init__(parameter_space, seed, measure=measure, int_mapping=int_mapping)
        self.optimise = (
            None if optimise is None else check_choice("optimise", optimise, ("random-cd",))
        )

    def unit(self, n: int, start: int = 0) -> npt.NDArray[np.float64]:
        import numpy as np
        from scipy.stats.qmc import LatinHypercube

        refuse_start("lhs", start)
        if self.optimise and n < 2:
            raise InvalidInput("optimise needs at least 2 rows", hint="give a larger n")
        engine = LatinHypercube(
            len(self.parameter_space),
            optimization="random-cd" if self.optimise else None,
            seed=np.random.default_rng(self.seed),
        )
        return np.asarray(engine.random(n), dtype=np.float64)

    def settings(self) -> dict[str, Any]:
        return {"optimise": self.optimise, **super().settings()}
