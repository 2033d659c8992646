"""What the results store costs: time beside one plain Parquet file, files, bytes, and reuse.

Run: python benchmarks/results_store.py
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path

import numpy as np
import polars as pl
from _ratio import Ratio, measure, report

from modelops.engine.requests import SimOutcome, SimRequest
from modelops.results.store import ResultsStore
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask

CODE = "c" * 64
DAYS = 60
REPLICATES = 50


def outcomes_of(sets: int) -> list[SimOutcome]:
    """Sets of 50 replicates of an epidemic's daily counts."""
    rng = np.random.default_rng(1)
    result = []
    for number in range(sets):
        params = UniqueParameterSet.from_dict({"beta": 0.1 + number / 100, "gamma": 0.25})
        task = SimTask("sha256:" + "a" * 64, "models.Sir/baseline", params, 0)
        for seed in range(REPLICATES):
            key = blake2b(f"{number}:{seed}".encode(), digest_size=32).hexdigest()
            request = SimRequest(key, task.with_seed(seed), seed)
            result.append(SimOutcome(request, "ok", {"cases": _table(rng, seed)}, wall=0.001))
    return result


def _table(rng: np.random.Generator, seed: int) -> bytes:
    cases = rng.poisson(200 * np.exp(-(((np.arange(DAYS) - 25) / 9.0) ** 2)))
    frame = pl.DataFrame({"day": np.arange(DAYS), "cases": cases, "seed": [seed] * DAYS})
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


def batches(outcomes: Sequence[SimOutcome], size: int) -> list[Sequence[SimOutcome]]:
    return [outcomes[i : i + size] for i in range(0, len(outcomes), size)]


def fill(folder: Path, outcomes: Sequence[SimOutcome], size: int) -> ResultsStore:
    shutil.rmtree(folder, ignore_errors=True)
    store = ResultsStore.open(folder)
    for batch in batches(outcomes, size):
        store.append(CODE, batch, job="bench")
    return store


def plain(path: Path, outcomes: Sequence[SimOutcome]) -> None:
    """All tables as one Parquet file with their keys: the least that anybody would do."""
    frames = [
        pl.read_ipc(io.BytesIO(one.tables["cases"])).with_columns(
            pl.lit(one.request.sim_key).alias("sim_key"),
            pl.lit(one.request.task.params.param_id).alias("param_id"),
            pl.lit(one.request.replicate).alias("replicate"),
        )
        for one in outcomes
    ]
    pl.concat(frames).write_parquet(path, compression="zstd")


def size_of(folder: Path) -> tuple[int, int]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files)


def main() -> None:
    outcomes = outcomes_of(64)
    keys = [one.request.sim_key for one in outcomes]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = folder / "all.parquet"
        rows = [
            measure(
                "storing 3200 simulations / one file of all",
                lambda: fill(folder / "store", outcomes, 400),
                lambda: plain(whole, outcomes),
                goal=1.0,
                repeats=3,
            )
        ]
        fill(folder / "store", outcomes, 400)
        number, size = size_of(folder / "store")
        peer = whole.stat().st_size
        rows.append(Ratio("bytes / one file of all", size / peer, 1.5, f"{size} / {peer}"))
        rows.append(
            Ratio("files per 1000 / 4", number / (len(outcomes) / 1000) / 4, 1.0, f"{number} files")
        )
        rows.append(
            measure(
                "finding all again / storing them",
                lambda: ResultsStore.open(folder / "store").known(CODE, keys),
                lambda: fill(folder / "again", outcomes, 400),
                goal=0.5,
                repeats=3,
            )
        )
        rows.append(
            measure(
                "all rows as a frame / reading one file",
                lambda: ResultsStore.open(folder / "store").frame(CODE, "cases", keys),
                lambda: pl.read_parquet(whole),
                goal=20.0,
                repeats=3,
            )
        )
        fill(folder / "small", outcomes[:200], 1)
        number, _size = size_of(folder / "small")
        rows.append(Ratio("files of 200 batches of one / 40", number / 40, 1.0, f"{number} files"))
    report(rows)


if __name__ == "__main__":
    main()
