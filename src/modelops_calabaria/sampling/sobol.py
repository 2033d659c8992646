"""Sobol' sequence: even coverage at every length, best at powers of two.

Sobol' (1967) with the direction numbers of Joe and Kuo (2008) and the scrambling of Owen in the
linear form of Matoušek (1998), as scipy provides them.
"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from modelops_calabaria.parameters.types import ParameterSpace
from modelops_calabaria.sampling.base import UnitDesign, checked_seed, warn
from modelops_contracts.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from modelops_calabaria.parameters.measures import IntMapping, Measure

__all__ = ["SobolSampler"]

_MAX_ROWS = 2**30


class SobolSampler(UnitDesign):
    """Row i depends on (seed, i); without ``seed`` a fresh one is drawn once and kept."""

    kind: ClassVar[str] = "sobol"
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
        from scipy.stats.qmc import Sobol

        end = start + n
        if end > _MAX_ROWS:
            raise InvalidValue(f"a Sobol' sequence has at most {_MAX_ROWS} rows, got {end}")
        if end & (end - 1):
            better = 2 ** end.bit_length()
            warn(f"{end} rows of a Sobol' sequence are unbalanced; the next power of 2 is {better}")
        engine = Sobol(
            len(self.parameter_space), scramble=self.scramble, seed=np.random.default_rng(self.seed)
        )
        if start:
            engine.fast_forward(start)
        with warnings.catch_warnings():  # said above, in our words
            warnings.simplefilter("ignore", UserWarning)
            return np.asarray(engine.random(n), dtype=np.float64)

    def estimate_convergence(self, n: int) -> float:
        """Order of the integration error at n rows: min(1, (ln n)^d / n)."""
        if n < 1:
            raise InvalidValue(f"the number of rows must be >= 1, got {n}")
        return min(1.0, math.log(n) ** len(self.parameter_space) / n) if n > 1 else 1.0

    def settings(self) -> dict[str, Any]:
        return {"seed": self.seed, "scramble": self.scramble, **super().settings()}
