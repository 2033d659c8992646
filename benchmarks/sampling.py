"""What designs cost beside scipy's own sequences, and a study beside a plain loop.

Run: python benchmarks/sampling.py
"""

from __future__ import annotations

import hashlib
import json
import warnings
from typing import Any

import numpy as np
import polars as pl
from _ratio import Ratio, measure, report
from scipy.stats import qmc

import modelops_calabaria as cb
from modelops_contracts.digests import make_param_id
from modelops_contracts.study import SimulationStudy
from modelops_contracts.types import UniqueParameterSet

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

    size = f"sobol {ROWS:,} x {DIMENSIONS}"
    return [
        measure(f"{size}, frame / raw scipy", lambda: sampler.frame(ROWS), raw_sobol, 10.0),
        measure(f"{size}, frame / scipy, scaled", lambda: sampler.frame(ROWS), scaled_sobol, 3.0),
        measure(f"{size}, sample / dicts of them", lambda: sampler.sample(ROWS), bare_rows, 1.5),
    ]


def identities() -> Ratio:
    params = {f"p{i}": 0.1 * i + 0.01 for i in range(10)}

    def bare() -> str:
        text = json.dumps(params, sort_keys=True).encode()
        return hashlib.blake2b(text, digest_size=32).hexdigest()

    return measure(
        "make_param_id, 10 parameters / json + BLAKE2b", lambda: make_param_id(params), bare, 1.5
    )


def tasks_of_a_study() -> Ratio:
    rows = cb.SobolSampler(SPACE, seed=1).sample(1024)[:1000]
    study = SimulationStudy.from_dict(
        {
            "model": "m.M",
            "scenario": "baseline",
            "parameter_sets": [{"params": row} for row in rows],
            "n_replicates": 100,
        }
    )

    def hash_every_task() -> None:
        for row in rows:
            for _ in range(100):
                UniqueParameterSet.from_dict(row)

    return measure(
        "1,000 sets x 100 replicates to tasks / hashing each",
        lambda: study.to_simjob("sha256:" + "a" * 64),
        hash_every_task,
        0.5,
    )


class Trivial(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])

    def build_sim(self, params: Any, config: Any) -> float:
        return float(params["x"])

    def run_sim(self, state: float, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"x": [state]})

    @cb.model_output("x")
    def x(self, raw: pl.DataFrame, seed: int) -> pl.DataFrame:
        return raw


def simulate() -> Ratio:
    model, params = Trivial(), cb.ParameterSet(Trivial.PARAMS, {"x": 0.5})
    table = pl.DataFrame({"x": [0.5]})

    def add_seed() -> pl.DataFrame:
        made = pl.DataFrame({"x": [0.5]})
        assert made.height == table.height
        return made.with_columns(pl.lit(1).alias("seed"))

    return measure(
        "simulate, trivial model / a frame and one literal column",
        lambda: model.simulate(params, 1),
        add_seed,
        2.0,
    )


def study_in_process() -> Ratio:
    rows = [{"x": i / 1000} for i in range(1000)]
    model = Trivial()

    def plain() -> int:
        return sum(model.simulate(row, seed)["x"].height for row in rows for seed in range(10))

    return measure(
        "run_study, 10,000 runs / a loop over simulate",
        lambda: cb.run_study(Trivial, rows, n_replicates=10),
        plain,
        1.3,
        repeats=3,
    )


def main() -> None:
    warnings.simplefilter("ignore")  # 10,000 is no power of two; both sides would say so
    report([*sobol(), identities(), tasks_of_a_study(), simulate(), study_in_process()])


if __name__ == "__main__":
    main()
