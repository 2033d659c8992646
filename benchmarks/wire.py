"""What running a model through the wire costs beside calling it, and a study beside a loop.

Run: python benchmarks/wire.py
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
from _ratio import Ratio, measure, report

import modelops_calabaria as cb
from modelops_calabaria.modelops_wire import wire_function
from modelops_calabaria.wire_protocol import EntryRecord, make_wire

MODEL = """\
import polars as pl

import modelops_calabaria as cb


class Trivial(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])

    def build_sim(self, params, config):
        return float(params["x"])

    def run_sim(self, state, seed):
        return pl.DataFrame({"x": [state]})

    @cb.model_output("x")
    def x(self, raw, seed):
        return raw
"""
TABLE = pl.DataFrame({"x": [0.5]})


class Ready(cb.BaseModel):
    """A model whose table is there already: what remains is ours."""

    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])

    def build_sim(self, params: Any, config: Any) -> None:
        return None

    def run_sim(self, state: None, seed: int) -> pl.DataFrame:
        return TABLE

    @cb.model_output("x")
    def x(self, raw: pl.DataFrame, seed: int) -> pl.DataFrame:
        return raw


class Trivial(Ready):
    def run_sim(self, state: None, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"x": [0.5]})


@contextmanager
def project(n_targets: int) -> Iterator[Path]:
    """A folder with the model and a registry of one model and ``n_targets`` targets."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "trivial.py").write_text(MODEL, encoding="utf-8")
        (folder / ".modelops-bundle").mkdir()
        (folder / ".modelops-bundle" / "registry.yaml").write_text(registry(n_targets), "utf-8")
        yield folder


def registry(n_targets: int) -> str:
    digest = "sha256:" + "0" * 64
    targets = "".join(
        f"  t{i}:\n    entrypoint: targets.t{i}:t\n    path: targets/t{i}.py\n"
        f"    model_output: x\n    target_digest: {digest}\n"
        for i in range(n_targets)
    )
    return (
        "version: '1.0'\nmodels:\n  trivial:\n    entrypoint: trivial:Trivial\n"
        "    path: trivial.py\n    class_name: Trivial\n"
        f"    model_digest: {digest}\n    outputs: [x]\n"
        f"targets:\n{targets}"
    )


def through_the_wire(folder: Path) -> Callable[[], object]:
    def call() -> object:
        os.chdir(folder)
        return wire_function("trivial.Trivial/baseline", {"x": 0.5}, 1)

    return call


def wire() -> list[Ratio]:
    """A registry of 50 targets against one of 1, and against the closure without any registry."""
    with project(50) as many, project(1) as one:
        os.chdir(many)
        sys.path.insert(0, str(many))
        closure = make_wire(EntryRecord("trivial:Trivial", "digest"))
        sys.path.remove(str(many))

        def bare() -> object:
            return closure(params_M={"x": 0.5}, seed=1)

        rows = [
            measure("wire_function, registry of 50 targets / of 1",
                    through_the_wire(many), through_the_wire(one), 1.1),
            measure("wire_function / the bare make_wire closure",
                    through_the_wire(many), bare, 2.0),
        ]  # fmt: skip
        os.chdir("/")
    return rows


def simulate() -> Ratio:
    """A model whose table is there, against polars adding one literal column to it."""
    model, params = Ready(), cb.ParameterSet(Ready.PARAMS, {"x": 0.5})
    return measure(
        "simulate, trivial model / polars adding a literal column",
        lambda: model.simulate(params, 1),
        lambda: TABLE.with_columns(pl.lit(1).alias("seed")),
        2.0,
    )


def study_in_process() -> Ratio:
    """run_study against the loop one would write: 1,000 parameter sets, 10 seeds each."""
    rows = [{"x": i / 1000} for i in range(1000)]
    model = Trivial()

    def plain() -> int:
        return sum(model.simulate(row, seed)["x"].height for row in rows for seed in range(10))

    return measure(
        "run_study, 10,000 runs / a loop over simulate",
        lambda: cb.run_study(Trivial, rows, n_replicates=10),
        plain,
        1.3,
    )


if __name__ == "__main__":
    report([*wire(), simulate(), study_in_process()])
