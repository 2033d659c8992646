"""What reports of 10,000 trials cost: CPU seconds against 10, memory at the peak against 500 MB,
the file against 5 MB.

Two sources, each with both formats and each in a process of its own: the saved result of a
calibration, with candidates and ensembles, and a bare table of trials. Memory is what the system
counts for the process, interpreter and libraries included.

Run: python benchmarks/report.py
"""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from _process import quiet_environment, spend_apart
from _ratio import Ratio, report

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.toy_calibration import FunctionProvider, calibrate_plan, make_plan

TRIALS, DIMENSIONS = 10_000, 5
WRITE = """\
import sys
from pathlib import Path
from modelops_calabaria.diagnostics.report import write_report
write_report(Path(sys.argv[1]), Path(sys.argv[2]), format=sys.argv[3])
"""


def bowl(params: Mapping[str, Any], _seed: int) -> float:
    return -9.0 - 300 * sum((float(x) - 0.4) ** 2 for x in params.values())


def many_trials() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    columns = {f"param_p{i}": rng.random(TRIALS) for i in range(DIMENSIONS)}
    loss = sum((values - 0.4) ** 2 for values in columns.values())
    return pl.DataFrame({"loss": loss, **columns})


def saved_result(folder: Path) -> Path:
    """A calibration of 200 trials whose table is grown to 10,000."""
    space = {f"p{i}": {"lower": 0.0, "upper": 1.0} for i in range(DIMENSIONS)}
    plan = make_plan(space, sampler={"type": "qmc"}, max_trials=200, n_replicates=5)
    result = calibrate_plan(plan, FunctionProvider(bowl))
    times = TRIALS // result.trials.height
    grown = pl.concat([result.trials] * times).with_columns(
        trial=pl.int_range(TRIALS), **{c: many_trials()[c] for c in many_trials().columns}
    )
    dataclasses.replace(result, trials=grown.select(result.trials.columns)).save(folder)
    return folder


def saved_table(folder: Path) -> Path:
    path = folder / "trials.parquet"
    many_trials().write_parquet(path)
    return path


def cost(what: str, source: Path, folder: Path) -> list[Ratio]:
    rows = []
    for kind in ("html", "pdf"):
        output = folder / f"{what.replace(' ', '-')}.{kind}"
        command = [sys.executable, "-c", WRITE, str(source), str(output), kind]
        environment = quiet_environment(folder)
        spend_apart(command, folder, environment)  # compiles, and finds fonts
        begun = time.monotonic()
        spent = spend_apart(command, folder, environment)
        if spent.code or not output.stat().st_size:
            sys.exit(f"{what}: no {kind} report was written")
        seen = f"{time.monotonic() - begun:.1f} s by the clock"
        rows += [
            Ratio(f"{what}, {kind}: seconds of CPU", spent.cpu, 10.0, seen),
            Ratio(f"{what}, {kind}: MB at the peak", spent.peak / 1e6, 500.0),
            Ratio(f"{what}, {kind}: MB of the file", output.stat().st_size / 1e6, 5.0),
        ]
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        result, table = saved_result(folder / "result"), saved_table(folder)
        report(
            [
                *cost(f"report of {TRIALS:,} trials", result, folder),
                *cost(f"report of a table of {TRIALS:,} rows", table, folder),
            ]
        )


if __name__ == "__main__":
    main()
