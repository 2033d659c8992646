"""From a copy of the example to a calibrated report, as a user would type it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from support.outbreak import calibrate, make_outbreak, read_tables, succeed

BEST_LOGLIK = -60.83501  # negative-binomial maximum of the deterministic model

pytestmark = pytest.mark.slow


def explore(sets: int, replicates: int) -> str:
    return (
        f"cb sampling sobol models.sir:StochasticSIR -n {sets} -r {replicates} --seed 1 "
        "-t in_bed -t outbreak -o explore.json"
    )


def test_two_machines_get_the_same_digests_keys_and_tables(tmp_path: Path) -> None:
    digests, keys, studies, tables = [], [], [], []
    for number, moment in enumerate((1_000_000_000.0, 1_500_000_000.0)):
        machine = tmp_path / f"machine-{number}"
        machine.mkdir()
        project = make_outbreak(machine, name=f"copy-{number}", at=moment)
        pushed = succeed(project, "mops bundle push --json").json
        digests.append((pushed["digest"], pushed["content"]))
        succeed(project, explore(8, 3))
        studies.append((project.folder / "explore.json").read_bytes())
        succeed(project, "mops run explore.json")
        succeed(project, "mops results export --format csv -o tables")
        tables.append(read_tables(project.folder / "tables"))
        keys.append(simulation_keys(project.folder))
    assert digests[0] == digests[1]
    assert studies[0] == studies[1]
    assert len(keys[0]) == 24
    assert keys[0] == keys[1]
    assert {"parameters.csv", "targets.csv", "in_bed.csv", "outbreak.csv"} <= set(tables[0])
    assert tables[0] == tables[1]


def simulation_keys(project: Path) -> list[str]:
    """Every key in the store's index, with its repetitions; not those of the check before a job."""
    parts = sorted((project / ".modelops" / "results" / "sims").glob("*/index/*.parquet"))
    rows = [row for part in parts for row in pl.read_parquet(part).iter_rows(named=True)]
    return sorted(row["sim_key"] for row in rows if row["job"] != "check")


def test_killed_at_ten_random_moments_it_ends_with_the_same_tables(tmp_path: Path) -> None:
    undisturbed = make_outbreak(tmp_path, name="undisturbed")
    disturbed = make_outbreak(tmp_path, name="disturbed")
    for project in (undisturbed, disturbed):
        succeed(project, explore(48, 40))
    started = time.monotonic()
    succeed(undisturbed, "mops run explore.json")
    whole = time.monotonic() - started

    chance = random.Random(1978)
    stored = 0
    for _ in range(10):
        process = disturbed.start("mops run explore.json")
        time.sleep(chance.uniform(0.1, 0.9) * whole)
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        now = len(simulation_keys(disturbed.folder))
        assert now >= stored, "a stored simulation was lost"
        stored = now
    succeed(disturbed, "mops run explore.json")
    last = succeed(disturbed, "mops jobs status last --json").json["jobs"][0]
    assert last["reused"] == stored, "something stored was simulated again"

    keys = simulation_keys(disturbed.folder)
    assert len(keys) == len(set(keys)) == 48 * 40, "a simulation was stored twice or is missing"
    assert keys == simulation_keys(undisturbed.folder)
    for project in (undisturbed, disturbed):
        succeed(project, "mops results export --format csv -o tables")
    assert read_tables(disturbed.folder / "tables") == read_tables(undisturbed.folder / "tables")


def test_a_second_run_simulates_nothing(tmp_path: Path) -> None:
    project = make_outbreak(tmp_path)
    succeed(project, explore(4, 3))
    succeed(project, "mops run explore.json")
    again = succeed(project, "mops run explore.json")
    assert "12 reused" in again.out
    assert len(simulation_keys(project.folder)) == 12


def test_a_changed_model_is_simulated_again_and_a_changed_target_is_not(tmp_path: Path) -> None:
    project = make_outbreak(tmp_path)
    succeed(project, explore(4, 3))
    succeed(project, "mops run explore.json")

    target = project.folder / "targets" / "in_bed.py"
    target.write_text(target.read_text().replace('k=cb.Param("k")', "k=5.0"))
    after_target = succeed(project, "mops run explore.json")
    assert "12 reused" in after_target.out

    model = project.folder / "models" / "sir.py"
    model.write_text(model.read_text().replace("2 * boys", "3 * boys"))
    after_model = succeed(project, "mops run explore.json")
    assert "0 reused, 12 computed" in after_model.out


@pytest.mark.parametrize("seed", [1, 2, 3, 4, 5])
def test_the_deterministic_calibration_finds_the_known_maximum(seed: int, tmp_path: Path) -> None:
    project = make_outbreak(tmp_path)
    shown = calibrate(project, "DeterministicSIR", "--max-trials 400", f"--seed {seed}", name="fit")
    found = shown["calibration"]
    assert shown["job"]["done"] <= 400
    assert -found["objective"] >= BEST_LOGLIK - 0.01
    assert -found["objective"] <= BEST_LOGLIK + 1e-4, "better than the best there is"
    assert found["verdict"] == "PASS"


def test_the_stochastic_report_shows_ensembles_optimism_and_gates(tmp_path: Path) -> None:
    project = make_outbreak(tmp_path)
    shown = calibrate(
        project,
        "StochasticSIR",
        "--max-trials 40 -r 10 --rescore-top-k 5 --rescore-replicates 40 --confirm-replicates 80",
        "--sampler cmaes --seed 2",
        name="fit",
    )
    found = shown["calibration"]
    result = Path(shown["path"]) / "result"
    summary = json.loads((result / "summary.json").read_text())
    assert summary["summary"]["best_value"] == found["objective"] != found["search_value"]
    assert found["objective_se"] > 0
    assert found["optimism"] == pytest.approx(found["objective"] - found["search_value"])

    observed = pl.read_csv(project.folder / "data" / "in_bed.csv")
    for ensemble in ("prior_fit", "fit", "plausible_fit"):
        frame = pl.read_parquet(result / f"{ensemble}.parquet")
        assert frame["observed"].to_list() == observed["in_bed"].to_list()
        assert (frame["q025"] <= frame["q975"]).all()

    page = (result / "report.html").read_text()
    for words in ("prior", "plausible set", "Optimism", "confirmed"):
        assert words.lower() in page.lower()
    codes = [finding["code"] for finding in found["findings"]]
    assert "ESTIMATOR_ESS" in codes, "eighty replicates cannot hold this likelihood"
    for code in codes:
        assert code in page
    assert (result / "report.pdf").read_bytes().startswith(b"%PDF")
    for outside in ('src="http', 'href="http', "url(http"):
        assert outside not in page, "the report asks for something from elsewhere"
