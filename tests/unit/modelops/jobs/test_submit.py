"""The parts of a submission that need no project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelops.config.sources import load_config
from modelops.jobs import bundling, settling, submit
from modelops.jobs.submit import SubmitOptions
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.models import TargetDescription
from modelops_contracts.study import CalibrationSpec, SimulationStudy
from support.plans import chosen

DIGEST = "sha256:" + "a" * 64
STUDY = SimulationStudy("m", "baseline", ({"x": 1.0},), n_replicates=2)


def calibration(**target_data: Any) -> CalibrationSpec:
    return CalibrationSpec("m", "baseline", "optuna", {"target_ids": ["a"], **target_data})


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("latest", ("walk", "latest")),
        (DIGEST, ("walk", DIGEST)),
        ("other:v1", ("other", "v1")),
        (f"other@{DIGEST}", ("other", DIGEST)),
    ],
)
def test_bundle_references(reference: str, parts: tuple[str, str]) -> None:
    assert bundling.split_reference(reference, "walk") == parts


def test_replicates_of_the_command_line_win() -> None:
    options = SubmitOptions(replicates=5)
    study = submit._with_options(STUDY, options)
    assert isinstance(study, SimulationStudy)
    assert study.n_replicates == 5
    fit = submit._with_options(calibration(), options)
    assert isinstance(fit, CalibrationSpec)
    assert fit.algorithm_config["n_replicates"] == 5
    assert submit._with_options(STUDY, SubmitOptions()) is STUDY


@pytest.mark.parametrize("options", [{"replicates": 0}, {"max_failed": "a few"}])
def test_options_that_mean_nothing_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        submit._with_options(STUDY, SubmitOptions(**options))


def test_targets_and_weights_are_written_out() -> None:
    spec = settling.with_targets(calibration(weights={"x": 9}), [chosen("b", weight=2.0)])
    assert dict(spec.target_data) == {
        "target_entrypoints": ["targets:b"],
        "target_ids": ["b"],
        "weights": {"b": 2.0},
    }


def test_an_observed_file_must_exist(tmp_path: Path) -> None:
    spec = calibration(observed_file="data/obs.csv")
    with pytest.raises(NotFound, match=r"observed_file: data/obs\.csv"):
        settling.refuse_missing_observations(spec, tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "obs.csv").write_text("")
    settling.refuse_missing_observations(spec, tmp_path)


@pytest.mark.parametrize(
    ("observed", "told"),
    [("data/obs.csv", False), ("./data/obs.csv", False), ("data/old.csv", True), (None, False)],
)
def test_an_observed_file_that_no_target_reads_is_told(observed: str | None, told: bool) -> None:
    target = TargetDescription("t:a", "a", ("inc",), "loss", data=("data/obs.csv",))
    warnings = settling.unread_observations(calibration(observed_file=observed), [target])
    assert bool(warnings) is told


def test_a_dry_run_cannot_become_a_job() -> None:
    plan: Any = type("Plan", (), {"dry_run": True})()
    with pytest.raises(InvalidInput, match="dry run"):
        submit.apply_submission(plan, config=None, project_root=Path())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reference", "found"),
    [
        ("v1", ("walk", "v1")),
        ("other:v1", ("other", "v1")),
        ("127.0.0.1:5000/team/walk:v1", ("walk", "v1")),
        ("127.0.0.1:5000/team/deep/walk", ("deep/walk", "latest")),
        ("127.0.0.1:5000/strangers/walk:v1", None),
        ("elsewhere.example.org/team/walk:v1", None),
        ("oci:/srv/bundles/walk:v1", None),
    ],
)
def test_a_reference_with_a_host_is_looked_up_in_the_environment(
    tmp_path: Path, reference: str, found: tuple[str, str] | None
) -> None:
    (tmp_path / "environments").mkdir()
    text = "registry: {url: '127.0.0.1:5000/team'}\n"
    (tmp_path / "environments" / "lab.yaml").write_text(text)
    config = load_config({"environment": "lab"}, {"MODELOPS_HOME": str(tmp_path)}, tmp_path)
    if found is not None:
        assert bundling.find_repository(reference, "walk", config) == found
        return
    with pytest.raises(InvalidInput, match=r"not kept in environment lab \(127"):
        bundling.find_repository(reference, "walk", config)


def test_a_reference_to_a_folder_is_looked_up_in_the_environment(tmp_path: Path) -> None:
    config = load_config({}, {"MODELOPS_HOME": str(tmp_path)}, tmp_path)
    reference = f"oci:{tmp_path}/artifacts/team/walk:v1"
    assert bundling.find_repository(reference, "x", config) == ("team/walk", "v1")
