"""What importing the packages costs beside ``import numpy``, each in a process of its own.

Eleven interleaved runs; the bare interpreter is subtracted on both sides. The packages load their
names lazily, so the rows that use some names are the ones that say something.

Run: python benchmarks/imports.py
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

from _process import quiet_environment, spend
from _ratio import Ratio, report

RUNS = 11
MODEL = """\
from modelops_calabaria import BaseModel, ParameterSpace, ParameterSpec, model_output


class Line(BaseModel):
    PARAMS = ParameterSpace([ParameterSpec("slope", 0.0, 4.0)])

    def build_sim(self, params, config):
        return params["slope"]

    def run_sim(self, state, seed):
        return state

    @model_output("path")
    def path(self, raw, seed):
        raise NotImplementedError
"""
PROGRAMS = {
    "import modelops_contracts": "import modelops_contracts",
    "import modelops_calabaria": "import modelops_calabaria",
    "a study and its values": "from modelops_contracts import SimTask, SimulationStudy",
    "a model file": "import line",
}
#: What a model file must not load by itself: modules, as ``sys.modules`` names them.
HEAVY = ("polars", "numpy", "scipy", "pandas", "optuna", "matplotlib")


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "line.py").write_text(MODEL, encoding="utf-8")
        report([*times(folder), loaded(folder)])


def times(folder: Path) -> list[Ratio]:
    programs = {"pass": "pass", "numpy": "import numpy", **PROGRAMS}
    spent: dict[str, list[float]] = {what: [] for what in programs}
    for run in range(RUNS + 1):
        for what, program in programs.items():
            seconds = cpu(program, folder)
            if run:  # the first compiles
                spent[what].append(seconds)
    cost = {what: statistics.median(values) for what, values in spent.items()}
    numpy = cost["numpy"] - cost["pass"]
    return [
        Ratio(f"{what} / import numpy", (cost[what] - cost["pass"]) / numpy, 1.0,
              f"{1000 * (cost[what] - cost['pass']):.1f} ms / {1000 * numpy:.1f} ms")
        for what in PROGRAMS
    ]  # fmt: skip


def loaded(folder: Path) -> Ratio:
    """How many heavy libraries come with a model file that imports none."""
    found = [library for library in HEAVY if has_loaded(library, folder)]
    return Ratio("heavy libraries a model file loads", len(found), 0.0, ", ".join(found) or "none")


def has_loaded(library: str, folder: Path) -> bool:
    program = f"import line, sys; sys.exit(3 if {library!r} in sys.modules else 0)"
    return run(program, folder, {0, 3})[1] == 3


def cpu(program: str, folder: Path) -> float:
    return run(program, folder, {0})[0]


def run(program: str, folder: Path, expected: set[int]) -> tuple[float, int]:
    spent = spend([sys.executable, "-c", program], folder, quiet_environment(folder))
    if spent.code not in expected:
        sys.exit(f"{program!r} ended with {spent.code}: it would be measured for nothing")
    return spent.cpu, spent.code


if __name__ == "__main__":
    main()
