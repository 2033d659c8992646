"""Sobol' sequence: even coverage at every length, best at powers of two.

Sobol' (1967) with the direction numbers of Joe and Kuo (2008) and the scrambling of Owen in the
linear form of Matoušek (1998), as scipy provides them.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from modelops_calabaria.sampling.base import warn
from modelops_calabaria.sampling.seeded import ScrambledSequence
from modelops_contracts.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["SobolSampler"]

_MAX_ROWS = 2**30


class SobolSampler(ScrambledSequence):
    """Row i depends on (seed, i); without ``seed`` a fresh one is drawn once and kept."""

    kind: ClassVar[str] = "sobol"

    def engine(self, dimension: int, rng: np.random.Generator) -> Any:
        from scipy.stats.qmc import Sobol

        return Sobol(dimension, scramble=self.scramble, seed=rng)

    def unit(self, n: int, start: int = 0) -> npt.NDArray[np.float64]:
        end = start + n
        if end > _MAX_ROWS:
            raise InvalidValue(f"a Sobol' sequence has at most {_MAX_ROWS} rows, got {end}")
        if end & (end - 1):
            better = 2 ** end.bit_length()
            warn(f"{end} rows of a Sobol' sequence are unbalanced; the next power of 2 is {better}")
        return super().unit(n, start)

    def estimate_convergence(self, n: int) -> float:
        """Order of the integration error at n rows: min(1, (ln n)^d / n)."""
        if n < 1:
            raise InvalidValue(f"the number of rows must be >= 1, got {n}")
        return min(1.0, math.log(n) ** len(self.parameter_space) / n) if n > 1 else 1.0
