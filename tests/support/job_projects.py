"""A small real project: a random walk and its mean, and two targets."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelops.config.model import Config
from modelops.config.sources import load_config

PYPROJECT = """\
[project]
name = "walk"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["modelops-calabaria", "polars"]
"""

MODEL = '''\
import os
import time

import polars as pl

import modelops_calabaria as cb


class Walk(cb.BaseModel):
    """A random walk with drift."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec("drift", -2.0, 2.0, doc="mean step"),
            cb.ParameterSpec("spread", 0.1, 3.0, doc="sd of a step", default=1.0),
        ]
    )
    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("days", 5, doc="steps")])

    @cb.model_scenario("still")
    def still(self):
        return cb.ScenarioSpec("still", doc="no drift", param_patches={"drift": 0.0})

    def build_sim(self, params, config):
        return {"drift": params["drift"], "spread": params["spread"], "days": config["days"]}

    def run_sim(self, state, seed):
        import random

        # PAUSE
        if state["drift"] > 1.9:
            raise ValueError("the walk ran away")
        draw = random.Random(seed)
        here, path = 0.0, []
        for _ in range(state["days"]):
            here += draw.gauss(state["drift"], state["spread"])
            path.append(here)
        return path

    @cb.model_output("path")
    def path(self, raw, seed):
        return pl.DataFrame({"day": range(1, len(raw) + 1), "place": raw})

    @cb.model_output("last")
    def last(self, raw, seed):
        return pl.DataFrame({"metric": ["end"], "value": [raw[-1]]})


class Mean(Walk):
    """The walk without chance."""

    DETERMINISTIC = True

    def run_sim(self, state, seed):
        # PAUSE
        return [state["drift"] * day for day in range(1, state["days"] + 1)]
'''

TARGETS = """\
import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="path", data={"walk": "data/walk.csv"})
def place(data_paths):
    return cb.LikelihoodTarget(
        name="place",
        model_output="path",
        data=pl.read_csv(data_paths["walk"]),
        alignment=cb.ExactJoin(["day"]),
        evaluator=cb.normal_loglik_per_rep("place", sd=1.0),
    )


@cb.calibration_target(model_output="last")
def end():
    return cb.LossTarget(
        name="end",
        model_output="last",
        data=pl.DataFrame({"metric": ["end"], "value": [2.5]}),
        alignment=cb.MetricAlignment(),
        evaluator=cb.metric_mse(),
    )
"""

DATA = "day,place\n1,0.6\n2,0.9\n3,1.4\n4,2.2\n5,2.4\n"


def make_walk_project(root: Path, *, pause: float = 0.0) -> Path:
    """The project, registered. ``pause`` is how long each simulation takes at least, in seconds."""
    from modelops_bundle.project.project import init_project, open_project
    from modelops_bundle.registering import register

    statement = f"time.sleep({pause})" if pause else "pass"
    files = {
        "pyproject.toml": PYPROJECT,
        "walk.py": MODEL.replace("# PAUSE", statement),
        "targets.py": TARGETS,
        "data/walk.csv": DATA,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    init_project(root, name="walk")
    project = open_project(root)
    register(project, "model", "walk.py", cwd=root)
    register(project, "target", "targets.py", cwd=root)
    return root


def walk_config(root: Path, home: Path, **flags: Any) -> Config:
    settings = {key.replace("__", "."): value for key, value in flags.items()}
    return load_config({"project": str(root), "run.workers": 2, **settings}, _environ(home))


def _environ(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MODELOPS_")}
    return {**kept, "MODELOPS_HOME": str(home)}


def driver_environ(home: Path) -> dict[str, str]:
    """Variables for a driver of its own process."""
    return _environ(home)


def driver_line(job_dir: Path) -> list[str]:
    return [sys.executable, "-P", "-m", "modelops.driver", str(job_dir)]


def study_spec(
    drifts: list[float], *, model: str = "walk:Walk", n_replicates: int = 3, **more: Any
) -> dict[str, Any]:
    return {
        "model": "walk",
        "scenario": "baseline",
        "parameter_sets": [{"drift": drift} for drift in drifts],
        "n_replicates": n_replicates,
        "metadata": {"model_class": model, "name": "walks"},
        **more,
    }


def calibration_spec(
    *, model: str = "walk:Walk", targets: tuple[str, ...] = ("place",), **config: Any
) -> dict[str, Any]:
    return {
        "model": "walk",
        "scenario": "baseline",
        "algorithm": "optuna",
        "target_data": {"target_ids": list(targets)},
        "algorithm_config": {
            "max_trials": 12,
            "batch_size": 2,
            "n_replicates": 3,
            "seed": 1,
            "parameter_specs": {"drift": {"lower": -1.0, "upper": 1.5}},
            "sampler": {"type": "random"},
            "rescore": {"top_k": 2, "n_replicates": 4, "confirm": 6},
            **config,
        },
        "metadata": {"model_class": model, "name": "fit"},
    }


def write_spec(path: Path, spec: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(spec))
    return path
