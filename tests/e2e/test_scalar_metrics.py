"""The example of a calibration to single numbers, as a user would type it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import polars as pl
import pytest

from support.consoles import Consoles
from support.documentation import ROOT
from support.outbreak import succeed

EXAMPLE = ROOT / "examples" / "scalar-metrics"
PARAMETERS = "r0:1.1:4,infectious_days:1.5:8,child_contact:0.5:4:log"
TRUTH = {"r0": (1.8, 0.15), "infectious_days": (3.5, 1.0), "child_contact": (1.9, 0.4)}


@pytest.fixture
def town(tmp_path: Path) -> Consoles:
    folder, home = tmp_path / "town", tmp_path / "home"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".modelops*"))
    home.mkdir()
    consoles = Consoles(folder, home)
    for line in (
        "mops bundle init",
        "mops bundle register-model models/town.py",
        "mops bundle register-target targets",
        "mops bundle target-set set numbers -t summary -t by_age",
    ):
        succeed(consoles, line)
    return consoles


def test_the_readme_shows_the_commands_that_are_run_here() -> None:
    text = (EXAMPLE / "README.md").read_text(encoding="utf-8")
    assert f"models.town:Town data/summary.csv {PARAMETERS} --target-set numbers" in text
    for name, (truth, within) in TRUTH.items():
        words = name.replace("_", " ")
        assert f"{words} within {within:g} of {truth}" in text.replace("\n", " ")


@pytest.mark.slow
def test_five_numbers_find_three_parameters(town: Consoles) -> None:
    succeed(
        town,
        f"cb calibration optuna models.town:Town data/summary.csv {PARAMETERS} "
        "--target-set numbers --max-trials 120 -r 10 -o fit.json",
    )
    succeed(town, "mops run fit.json", timeout=280)
    shown = succeed(town, "mops results show --json").json
    found = shown["calibration"]
    for name, (truth, within) in TRUTH.items():
        assert found["parameters"][name] == pytest.approx(truth, abs=within)
    assert found["objective_se"] > 0
    assert found["all_parameters"]["introduced"] == 20

    result = Path(shown["path"]) / "result"
    fit = pl.read_parquet(result / "fit.parquet")
    assert fit.height == 5, "every observed number stands in the fit"
    assert fit["inside"].all()
    trials = pl.read_parquet(result / "trials.parquet")
    assert trials.height == 120
    assert {"target_summary", "target_by_age"} <= set(trials.columns)
    assert trials["status"].unique().to_list() == ["completed"]


def test_the_same_numbers_by_distance(town: Consoles) -> None:
    succeed(
        town,
        f"cb calibration optuna models.town:Town data/summary.csv {PARAMETERS} "
        "-t summary_distance --max-trials 12 -r 3 --sampler qmc -o fit.json",
    )
    succeed(town, "mops run fit.json")
    found = succeed(town, "mops results show --json").json["calibration"]
    assert 0 <= found["objective"] < 1


def test_a_study_scores_every_target(town: Consoles) -> None:
    succeed(
        town,
        "cb sampling sobol models.town:Town -n 4 -r 2 --seed 1 --fix introduced=20 "
        "-t summary -t by_age -t summary_distance -o explore.json",
    )
    succeed(town, "mops run explore.json")
    rows = succeed(town, "mops results show --table targets --json").json["table"]["rows"]
    assert len(rows) == 4 * 3


def test_a_number_the_model_does_not_write_is_named_before_anything_runs(town: Consoles) -> None:
    data = town.folder / "data" / "summary.csv"
    data.write_text(data.read_text().replace("peak_share", "peak_shares"))
    succeed(
        town,
        f"cb calibration optuna models.town:Town data/summary.csv {PARAMETERS} "
        "-t summary --max-trials 12 -o fit.json",
    )
    ran = town.run("mops run fit.json")
    assert ran.code == 1
    said = " ".join((ran.out + ran.err).split())
    assert "peak_shares" in said
    assert "did you mean 'peak_share'" in said
    assert json.loads((town.folder / "fit.json").read_text())["algorithm"] == "optuna"
