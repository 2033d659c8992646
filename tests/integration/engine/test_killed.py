"""A run that is killed at any moment continues where it was, and ends with the same tables."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from modelops.results.store import ResultsStore
from support.engine_projects import make_project
from support.outcomes import CODE

N = 120

TABLES = """
import io, time
import polars as pl


def sim(params, seed, config, scenario):
    time.sleep(0.003)
    frames = {
        "cases": pl.DataFrame({"day": range(4), "n": [seed * i for i in range(4)]}),
        "peak": pl.DataFrame({"height": [float(seed)]}),
    }
    result = {}
    for name, frame in frames.items():
        buffer = io.BytesIO()
        frame.write_ipc(buffer)
        result[name] = buffer.getvalue()
    return result
"""

DRIVER = """
import os, sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from dataclasses import replace
from support.engine_projects import request, stub_environment
from support.outcomes import CODE
from modelops.engine.service import open_engine
from modelops.results.store import ResultsStore

folder = Path(sys.argv[1])
requests = [request("sim", seed=i % 10, replicate=i % 10, x=i // 10) for i in range({n})]
requests = [replace(r, task=replace(r.task, entrypoint="tables.sim/baseline")) for r in requests]
store = ResultsStore.open(folder / "results")
known = store.known(CODE, [r.sim_key for r in requests])
missing = [r for r in requests if r.sim_key not in known]
print("missing", len(missing), flush=True)
with open_engine(root=folder / "project", environment=stub_environment(), slots=2,
                 log_dir=folder / "log", base_env=dict(os.environ)) as engine:
    engine.run(missing, on_outcomes=lambda outcomes: store.append(CODE, outcomes, job="j"))
print("done", flush=True)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    code = DRIVER.format(tests=str(Path(__file__).parents[2]), n=N)
    command = [sys.executable, "-c", code, str(folder)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def finish(folder: Path) -> int:
    """Run to the end; gives how many simulations were missing at its start."""
    process = start(folder)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert output.endswith("done\n")
    return int(output.split()[1])


def tables(folder: Path) -> dict[str, pl.DataFrame]:
    store = ResultsStore.open(folder / "results")
    return {name: store.frame(CODE, name) for name in ("cases", "peak")}


@pytest.mark.slow
def test_ten_kills(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        make_project(folder / "project", tables=TABLES)
    assert finish(whole) == N

    chance = random.Random(11)
    for _ in range(10):
        process = start(broken)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(chance.uniform(0.0, 0.8))
        process.kill()
        process.communicate()
        store = ResultsStore.open(broken / "results")
        assert store.verify() == []
        frame = store.frame(CODE, "cases")
        assert frame.height == 4 * frame["sim_key"].n_unique()
        same = frame.join(store.frame(CODE, "peak"), on="sim_key", how="anti")
        assert same.is_empty()
    stored = ResultsStore.open(broken / "results").frame(CODE, "peak").height
    assert finish(broken) == N - stored
    assert finish(broken) == 0
    for name, expected in tables(whole).items():
        assert_frame_equal(tables(broken)[name], expected)
    assert expected.height == N
