"""A project written for the suite before this one runs as it stands: code, registry, JSON files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from support.consoles import Consoles
from support.outbreak import succeed

PROJECT = Path(__file__).with_name("existing_project")


@pytest.fixture
def project(tmp_path: Path) -> Consoles:
    folder, home = tmp_path / "existing", tmp_path / "home"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir()
    return Consoles(folder, home)


def test_the_study_runs_without_any_preparation(project: Consoles) -> None:
    succeed(project, "mops run study.json")
    succeed(project, "mops results export --format csv -o tables")
    incidence = pl.read_csv(project.folder / "tables" / "incidence.csv")
    # Two sets with two replicates and one with a seed of its own; the scenario has 25 days.
    assert incidence.height == 5 * 25
    assert 7 in incidence["seed"].to_list()
    scores = succeed(project, "mops results show --table targets --json").json["table"]["rows"]
    assert len(scores) == 3 * 5


def test_the_calibration_runs_without_any_preparation(project: Consoles) -> None:
    before = (project.folder / "calibration.json").read_bytes()
    succeed(project, "mops run calibration.json")
    found = succeed(project, "mops results show --json").json
    assert found["job"]["done"] == 12
    assert type(found["calibration"]["parameters"]["n0"]) is int
    assert (project.folder / "calibration.json").read_bytes() == before
    summary = json.loads((Path(found["path"]) / "result" / "summary.json").read_text())
    assert {"job_id", "algorithm", "best_params", "summary"} <= set(summary)
    assert {"study_name", "n_trials", "n_completed", "n_failed", "n_pruned", "best_value"} <= set(
        summary["summary"]
    )


def test_targets_that_are_functions_of_returns_are_calibrated(project: Consoles) -> None:
    spec = json.loads((project.folder / "calibration.json").read_text())
    ids = ["total_target", "peak_target"]
    spec["target_data"] = {"target_ids": ids, "weights": {"peak_target": 0.5}}
    (project.folder / "returns.json").write_text(json.dumps(spec))
    succeed(project, "mops run returns.json")
    folder = Path(succeed(project, "mops results show --json").json["path"])
    trials = pl.read_parquet(folder / "result" / "trials.parquet")
    joint = trials["target_total_target"] + 0.5 * trials["target_peak_target"]
    assert joint.to_list() == pytest.approx(trials["loss"].to_list())
    shown = succeed(project, "mops results show --table targets --json").json["table"]
    said = [row[shown["columns"].index("diagnostics")] for row in shown["rows"]]
    assert any(text is not None and set(json.loads(text)) == {"mean"} for text in said)


def test_the_registry_passes_and_keeps_its_ids(project: Consoles) -> None:
    status = succeed(project, "mops bundle status --json").json
    text = json.dumps(status)
    for name in ("sir", "inc_target", "late_target", "positivity_target", "peak_target"):
        assert f'"{name}"' in text


def test_a_function_of_returns_is_registered_by_its_name(project: Consoles) -> None:
    succeed(project, "mops bundle unregister peak_target")
    succeed(project, "mops bundle register-target targets/returns.py")
    assert "peak_target" not in succeed(project, "mops bundle status --json").out
    refused = project.run("mops bundle register-target targets/returns.py -t peak_target")
    assert (refused.code, "--output NAME" in refused.err) == (1, True)
    line = "mops bundle register-target targets/returns.py -t peak_target --output incidence"
    succeed(project, line)
    succeed(project, "mops run study.json -t peak_target")
    shown = succeed(project, "mops results show --table targets --json").json["table"]
    assert {row[shown["columns"].index("target")] for row in shown["rows"]} == {"peak_target"}


SCRIPT = """
import json
from io import BytesIO
from pathlib import Path

import polars as pl

from modelops_calabaria.calibration.builders import OptunaCalibrationBuilder
from modelops_calabaria.calibration.factory import create_algorithm_adapter, parse_parameter_specs
from modelops_calabaria.calibration.wire import generate_seed_info
from modelops_calabaria.core.target import LikelihoodTargetSet, LossTargetSet
from modelops_calabaria.modelops_wire import wire_function
from modelops_calabaria.sampling.sobol import SobolSampler
from modelops_calabaria.wire_loader import load_symbol
from modelops_contracts import BundleRegistry, TrialResult, make_param_id
from modelops_contracts.study import CalibrationSpec, SimulationStudy

ref = "sha256:" + "a" * 64
study = SimulationStudy.from_dict(json.loads(Path("study.json").read_text()))
job = study.to_simjob(ref)
assert [task.entrypoint for task in job.tasks] == ["models.sir.Sir/lockdown"] * 5
assert job.tasks[-1].seed == 7

tables = wire_function("models.sir.Sir/lockdown", {"beta": 0.4, "gamma": 0.2, "n0": 5}, 42)
assert pl.read_ipc(BytesIO(tables["incidence"])).height == 25
metadata = json.loads(tables["metadata"])
assert metadata["scenario"] == "lockdown" and metadata["seed"] == 42

Sir = load_symbol("src/models/sir.py:Sir")
tasks = SobolSampler(Sir.PARAMS, scramble=True, seed=42).generate_tasks(
    "models.sir.Sir", "baseline", ref, n_samples=4, base_seed=100
)
assert [task.seed for task in tasks] == [100, 101, 102, 103]
sim = Sir().builder("lockdown").fix(gamma=0.2, n0=5).build()
assert sim.free_param_names == ("beta",) or list(sim.free_param_names) == ["beta"]
outputs = [Sir().simulate({"beta": 0.4, "gamma": 0.2, "n0": 5}, seed) for seed in range(4)]

inc, late = (load_symbol(f"targets.incidence:{name}_target")() for name in ("inc", "late"))
result = LossTargetSet([inc, late]).evaluate(outputs, seeds=[0, 1, 2, 3])
assert result.total_loss == sum(result.per_target_weighted_loss().values())
assert result.to_dataframe().height == 2
positivity = load_symbol("targets.incidence:positivity_target")()
assert LikelihoodTargetSet(targets=[positivity]).evaluate(outputs, [0, 1, 2, 3]).log_marginal < 0

spec = CalibrationSpec.from_dict(json.loads(Path("calibration.json").read_text()))
adapter = create_algorithm_adapter(
    spec.algorithm, parse_parameter_specs(spec.algorithm_config["parameter_specs"]),
    {"max_trials": 3},
)
adapter.initialize("job-1", {"max_trials": 3})
while not adapter.finished():
    asked = adapter.ask(2)
    adapter.tell([TrialResult(p.param_id, loss=p.params["beta"]) for p in asked])
seeds = generate_seed_info(make_param_id({"x": 1.0}), 42, 3)
assert len(seeds.replicate_seeds) == 3

builder = OptunaCalibrationBuilder("models.sir:Sir")
builder.add_parameter("beta", 0.1, 0.9, transform="log")
builder.set_targets(["targets.incidence:inc_target"])
builder.set_observed_data("data/obs.csv")
builder.set_sampler("tpe", n_startup_trials=5)
assert builder.build().algorithm_config["max_trials"] == 100

registry = BundleRegistry.load(".modelops-bundle/registry.yaml")
assert registry.validate() == []
assert registry.models["sir"].class_name == "Sir"

import modelops_calabaria as cb
total = load_symbol("targets.returns:total_target")
point = {"beta": 0.4, "gamma": 0.2, "n0": 5}
found = cb.evaluate(Sir, [total, "targets.returns:peak_target"], point, n_replicates=3)
assert [score.target for score in found.scores] == ["total_target", "peak_target"]
assert found.objective == sum(score.value for score in found.scores)
print("unchanged")
"""


def test_its_scripts_run_unchanged(project: Consoles) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        cwd=project.folder,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "unchanged\n"
