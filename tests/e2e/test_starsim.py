"""A foreign model, with its own dependencies in its own environment, through the same commands."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import polars as pl
import pytest

from support.consoles import Consoles, Ran

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Consoles:
    folder = tmp_path / "starsim-sir"
    ignored = shutil.ignore_patterns("__pycache__", ".modelops*")
    shutil.copytree(ROOT / "examples" / "starsim-sir", folder, ignore=ignored)
    home = tmp_path / "home"
    home.mkdir()
    return Consoles(folder, home)


def succeed(consoles: Consoles, line: str) -> Ran:
    ran = consoles.run(line, timeout=280)
    assert ran.code == 0, f"{line}\n{ran.out}\n{ran.err}"
    return ran


def test_a_starsim_model_is_explored_and_calibrated(project: Consoles) -> None:
    for line in (
        "mops bundle init",
        "mops bundle register-model network_sir.py",
        "mops bundle register-target survey.py",
    ):
        succeed(project, line)
    first = project.run(
        "cb sampling sobol network_sir:NetworkSIR -n 2 -r 2 --fix n_contacts=4 -o explore.json",
        timeout=280,
    )
    if first.code != 0 and "uv" in first.err and not os.environ.get("MODELOPS_REQUIRE_SERVICES"):
        pytest.skip(f"its environment cannot be built here: {first.err.strip()[-300:]}")
    assert first.code == 0, first.err

    succeed(project, "mops run explore.json")
    succeed(project, "mops results export --format csv -o tables")
    prevalence = pl.read_csv(project.folder / "tables" / "prevalence.csv")
    assert prevalence.height == 2 * 2 * 61
    assert prevalence["infected"].max() > 10

    again = succeed(project, "mops run explore.json")
    assert "4 reused, 0 computed" in again.out

    succeed(
        project,
        "cb calibration optuna network_sir:NetworkSIR data/survey.csv "
        "beta:0.02:0.5:log,dur_inf:3:14 --fix n_contacts=4 -t survey --max-trials 6 -r 2 "
        "--rescore-top-k 2 --rescore-replicates 4 --confirm-replicates 4 --seed 1 -o fit.json",
    )
    succeed(project, "mops run fit.json --report fit.html")
    shown = succeed(project, "mops results show --json").json
    assert set(shown["calibration"]["parameters"]) == {"beta", "dur_inf"}
    assert shown["calibration"]["all_parameters"]["n_contacts"] == 4
    assert "ESTIMATOR_ESS" in (project.folder / "fit.html").read_text()


def test_starsim_is_not_installed_beside_modelops() -> None:
    """The example proves something only as long as this holds."""
    from importlib.util import find_spec

    assert find_spec("starsim") is None
