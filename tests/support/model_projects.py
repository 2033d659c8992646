"""Small projects on disk with a model and a target, and a way to run code inside them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

MODEL = '''
import polars as pl

import modelops_calabaria as cb


class Line(cb.BaseModel):
    """A straight line."""

    PARAMS = cb.ParameterSpace([
        cb.ParameterSpec("slope", 0.0, 4.0, doc="per day", unit="1/day"),
        cb.ParameterSpec("start", 0, 9, "int", default=1),
    ])
    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("days", 3)])

    def build_sim(self, params, config):
        return params["slope"], params["start"], config["days"]

    def run_sim(self, state, seed):
        return state

    @cb.model_output("path")
    def path(self, raw, seed):
        slope, start, days = raw
        return pl.DataFrame({"day": range(days), "y": [start + slope * d for d in range(days)]})

    @cb.model_output("end")
    def end(self, raw, seed):
        return pl.DataFrame({"end": [raw[1] + raw[0] * raw[2]]})

    @cb.model_scenario("long")
    def long(self):
        return cb.ScenarioSpec("long", param_patches={"start": 5}, config_patches={"days": 4})
'''

TARGET = """
import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="path", data={"seen": "data/seen.csv"})
def seen(data_paths):
    return cb.LossTarget(
        name="seen",
        model_output="path",
        data=pl.read_csv(data_paths["seen"]),
        alignment=cb.ExactJoin(["day"]),
        evaluator=cb.annealed_mse("y"),
    )
"""


def write_project(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def line_project(root: Path, *, folder: str = "models") -> Path:
    """A project with one model, `<folder>.line:Line`, and one target."""
    return write_project(
        root,
        {
            "pyproject.toml": "[project]\nname = 'line'\n",
            f"{folder}/line.py" if folder else "line.py": MODEL,
            "targets.py": TARGET,
            "data/seen.csv": "day,y\n0,1.0\n1,3.0\n2,4.0\n",
        },
    )


def run_inside(root: Path, code: str) -> Any:
    """Run code in a fresh interpreter with the project as working directory.

    The code leaves its answer in `answer`, which must be JSON. An exception comes back as
    {"error": [names of its classes], "message": text, "hint": text}.
    """
    program = f"""
import json
try:
{"".join(f"    {line}" + chr(10) for line in code.strip().splitlines())}
except Exception as error:
    kinds = [kind.__name__ for kind in type(error).__mro__]
    answer = {{"error": kinds, "message": str(error), "hint": getattr(error, "hint", None)}}
print(json.dumps(answer))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
