"""What designs cost beside scipy's own sequences.

Raw scipy is a scrambled ``Sobol(d).random(n)``: an array, as ``frame`` holds one. ``sample`` is a
list of dicts of Python numbers, which no array can be turned into at the price of making it (the
barest comprehension of dicts costs some 17 times the array), so it is measured against scipy's
numbers as Python lists, and against the barest dicts over the same scaled array.

Run: python benchmarks/sampling.py
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from _ratio import Ratio, measure, report
from scipy.stats import qmc

import modelops_calabaria as cb

ROWS, DIMENSIONS = 10_000, 10
SPACE = cb.ParameterSpace([cb.ParameterSpec(f"p{i}", -1.0 * i, 1.0 + i) for i in range(DIMENSIONS)])
LOWER = np.array([spec.lower for spec in SPACE])
UPPER = np.array([spec.upper for spec in SPACE])


def raw_sobol() -> Any:
    return qmc.Sobol(DIMENSIONS, scramble=True, seed=np.random.default_rng(1)).random(ROWS)


def scaled_sobol() -> Any:
    return LOWER + raw_sobol() * (UPPER - LOWER)


def sobol() -> list[Ratio]:
    sampler = cb.SobolSampler(SPACE, seed=1)
    values = scaled_sobol()
    assert np.array_equal(sampler.frame(ROWS).to_numpy(), values), "not the sequence of scipy"
    names = SPACE.names()

    def bare_rows() -> list[dict[str, float]]:
        return [dict(zip(names, row, strict=False)) for row in scaled_sobol().tolist()]

    def raw_numbers() -> list[list[float]]:
        rows: list[list[float]] = raw_sobol().tolist()
        return rows

    size = f"sobol {ROWS:,} x {DIMENSIONS}"
    return [
        measure(f"{size}, frame / raw scipy", lambda: sampler.frame(ROWS), raw_sobol, 10.0),
        measure(f"{size}, frame / scipy, scaled", lambda: sampler.frame(ROWS), scaled_sobol, 3.0),
        measure(f"{size}, sample / raw scipy as Python numbers",
                lambda: sampler.sample(ROWS), raw_numbers, 10.0),
        measure(f"{size}, sample / dicts of them", lambda: sampler.sample(ROWS), bare_rows, 1.5),
    ]  # fmt: skip


def main() -> None:
    warnings.simplefilter("ignore")  # 10,000 is no power of two; both sides would say so
    report(sobol())


if __name__ == "__main__":
    main()
