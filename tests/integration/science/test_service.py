"""Notebook studies and calibrations through the engine give the numbers of this process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

import modelops_calabaria as cb
from modelops.engine.environments.select import plan_environment
from modelops.engine.service import EngineService, open_engine
from modelops_contracts.ports import NullReporter

MODEL = """
import numpy as np
import polars as pl

import modelops_calabaria as cb


class Served(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.5, 20.0, transform="log")])
    CONFIG = cb.ConfigurationSpace([cb.ConfigSpec("days", 5), cb.ConfigSpec("limit", 30)])

    def build_sim(self, params, config):
        return params["x"], config["days"], config["limit"]

    def run_sim(self, state, seed):
        x, days, limit = state
        drawn = np.random.default_rng(seed).poisson(x, days)
        if drawn.max() > limit:
            raise OverflowError(f"{drawn.max()} cases")
        return drawn

    @cb.model_output("cases")
    def cases(self, raw, seed):
        return pl.DataFrame({"day": range(len(raw)), "cases": raw})

    @cb.model_output("total")
    def total(self, raw, seed):
        return pl.DataFrame({"total": [raw.sum()]})

    @cb.model_scenario("long")
    def long(self):
        return cb.ScenarioSpec("long", config_patches={"days": 9})
"""
TARGET = cb.LikelihoodTarget(
    "cases",
    "cases",
    {"day": range(5), "cases": [4, 6, 5, 3, 7]},
    cb.ExactJoin("day"),
    cb.poisson_loglik_per_rep("cases", floor=0.1),
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    root = tmp_path / "served"
    root.mkdir()
    (root / "served_model.py").write_text(MODEL)
    (root / "pyproject.toml").write_text('[project]\nname = "served"\nversion = "1"\n')
    monkeypatch.chdir(root)
    path = list(sys.path)
    yield root
    sys.path[:] = path
    sys.modules.pop("served_model", None)


@pytest.fixture(params=["inline", "process_pool"])
def service(
    request: pytest.FixtureRequest, project: Path, tmp_path: Path
) -> Iterator[EngineService]:
    with open_engine(
        root=project,
        environment=plan_environment(project, kind="direct"),
        executor=request.param,
        slots=1 if request.param == "inline" else 2,
        log_dir=tmp_path / "log",
        base_env=dict(os.environ),
    ) as engine:
        yield engine


ROWS = [{"x": x} for x in (1.0, 5.0, 20.0)]


def test_a_study(service: EngineService) -> None:
    options = {
        "scenario": ["baseline", "long"],
        "n_replicates": 4,
        "targets": [TARGET],
        "config": {"limit": 27},
    }
    here = cb.run_study("served_model:Served", ROWS, **options)
    there = cb.run_study("served_model:Served", ROWS, **options, service=service)
    assert set(there.outputs) == {"cases", "total"}
    for name, table in here.outputs.items():
        assert there.outputs[name].equals(table)
    assert there.evaluations.equals(here.evaluations)
    assert here.failures.height > 0
    labels = ["param_id", "scenario", "replicate", "seed", "error_type", "message"]
    assert there.failures.select(labels).equals(here.failures.select(labels))
    assert all("OverflowError" in text for text in there.failures["traceback"])


class Pressing(NullReporter):
    """Presses Ctrl-C when the first parameter set is done."""

    def __init__(self) -> None:
        self.pressed = False

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        if not self.pressed:
            self.pressed = True
            os.kill(os.getpid(), signal.SIGINT)


def test_a_study_that_is_stopped_goes_on_where_it_was(service: EngineService) -> None:
    options = {"scenario": ["baseline", "long"], "n_replicates": 4, "targets": [TARGET]}
    whole = cb.run_study("served_model:Served", ROWS, **options)
    with pytest.raises(cb.StudyInterrupted, match="after 4 of 24") as caught:
        cb.run_study("served_model:Served", ROWS, **options, service=service, progress=Pressing())
    assert caught.value.result.evaluations.height == 1
    resumed = caught.value.resume()
    for name, table in whole.outputs.items():
        assert resumed.outputs[name].equals(table)
    assert resumed.evaluations.equals(whole.evaluations)


def test_only_the_outputs_asked_for(service: EngineService) -> None:
    study = cb.run_study("served_model:Served", ROWS[:1], outputs=["total"], service=service)
    assert set(study.outputs) == {"total"}


def test_a_calibration(service: EngineService) -> None:
    options = {"engine": "tpe", "n_trials": 16, "n_replicates": 3, "seed": 1}
    here = cb.calibrate("served_model:Served", [TARGET], **options)
    there = cb.calibrate("served_model:Served", [TARGET], **options, service=service)
    drop = pl.exclude("seconds")
    texts = {"message", "traceback", "traceback_id"} & set(here.trials.columns)
    assert there.trials.select(drop).drop(texts).equals(here.trials.select(drop).drop(texts))
    assert there.best.params == here.best.params
    assert there.best.objective == here.best.objective


def test_an_engine_that_closes_forgets_its_own_modules_and_not_the_callers(
    project: Path, tmp_path: Path
) -> None:
    (project / "helping.py").write_text("FACTOR = 2\n")
    (project / "other_model.py").write_text(MODEL.replace("Served", "Other"))
    sys.path.insert(0, str(project))
    import helping  # type: ignore[import-not-found]  # written above, as a notebook's own module

    with open_engine(
        root=project,
        environment=plan_environment(project, kind="direct"),
        executor="inline",
        log_dir=tmp_path / "log",
        base_env=dict(os.environ),
    ) as engine:
        cb.run_study("other_model:Other", ROWS[:1], service=engine)
        engine.describe("model", "served_model:Served")
        assert "served_model" in sys.modules
    assert sys.modules["helping"] is helping
    assert "served_model" not in sys.modules
    sys.modules.pop("helping")
    sys.modules.pop("other_model", None)
