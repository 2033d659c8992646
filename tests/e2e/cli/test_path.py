"""The way of a modeller through the consoles: study, run, calibration, report, tables."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from support.consoles import (
    MODEL,
    Consoles,
    check_against_schema,
    files_below,
    make_consoles,
)

SLOW = '''
class Slow(Eggs):
    """The same, taking its time."""

    def run_sim(self, state: dict, seed: int) -> list[int]:
        import time

        time.sleep(0.2)
        return super().run_sim(state, seed)
'''


def add_slow_model(consoles: Consoles) -> None:
    model = consoles.folder / "models" / "eggs.py"
    model.write_text(model.read_text() + SLOW)


def answer(consoles: Consoles, line: str, code: int = 0) -> dict[str, object]:
    """The JSON answer of a command that ends with `code`, checked against its schema."""
    done = consoles.run(f"{line} --json")
    assert done.code == code, done
    value: dict[str, object] = done.json
    check_against_schema(value)
    return value


# ---------------------------------------------------------------- cb


def test_one_model_has_one_study_whatever_it_is_called(eggs: Consoles) -> None:
    studies = []
    for model in ("models.eggs:Eggs", "models.eggs.Eggs", "./models/eggs.py:Eggs", "eggs_eggs"):
        done = eggs.run(f"cb sampling sobol {model} -n 4 --seed 7 -o -")
        assert done.code == 0, done
        studies.append(json.loads(done.out))
    assert all(study == studies[0] for study in studies)
    assert studies[0]["metadata"]["model_class"] == "models.eggs:Eggs"
    assert studies[0]["metadata"]["seed"] == 7


@pytest.mark.parametrize("design", ["sobol", "halton", "lhs", "random"])
def test_designs_keep_the_bounds_and_say_what_they_did(eggs: Consoles, design: str) -> None:
    line = f"cb sampling {design} models.eggs:Eggs -n 8 -r 3 --param risk:0.2:0.3 --name 'A B'"
    told = answer(eggs, line)
    assert (told["parameter_sets"], told["replicates"], told["simulations"]) == (8, 3, 24)
    assert told["path"] == "a-b.json"
    study = json.loads((eggs.folder / "a-b.json").read_text())
    risks = [item["params"]["risk"] for item in study["parameter_sets"]]
    assert all(0.2 <= risk <= 0.3 for risk in risks)
    assert len(set(risks)) == 8
    assert study["sampling_method"] == design


@pytest.mark.parametrize("design", ["sobol", "halton", "random"])
def test_a_study_grows_by_the_next_rows_of_its_design(eggs: Consoles, design: str) -> None:
    line = f"cb sampling {design} models.eggs:Eggs"
    options = "--seed 7 -r 2 -t broken --param risk:0.2:0.3"
    assert eggs.run(f"{line} -n 16 {options} -o whole.json").code == 0
    assert eggs.run(f"{line} -n 8 {options}").code == 0
    told = answer(eggs, f"{line} -n 8 --extend study.json")
    assert (told["parameter_sets"], told["simulations"], told["targets"]) == (16, 32, ["broken"])
    whole, grown = (
        json.loads((eggs.folder / name).read_text()) for name in ("whole.json", "study.json")
    )
    assert grown["parameter_sets"] == whole["parameter_sets"]
    assert grown["targets"] == whole["targets"]
    answer(eggs, f"{line} -n 4 --extend study.json -o more.json")
    assert len(json.loads((eggs.folder / "more.json").read_text())["parameter_sets"]) == 20


def test_what_cannot_grow_is_refused(eggs: Consoles) -> None:
    line = "cb sampling sobol models.eggs:Eggs"
    assert eggs.run(f"{line} -n 8").code == 0
    before = files_below(eggs.folder)
    refused = eggs.run(f"{line} -n 8 --extend study.json --seed 9 -r 3")
    assert (refused.code, "takes --n-replicates, --seed from the study" in refused.err) == (2, True)
    other = eggs.run("cb sampling halton models.eggs:Eggs -n 8 --extend study.json")
    assert (other.code, "its design is sobol" in other.err) == (2, True)
    assert eggs.run("cb sampling sobol models.eggs:EggsOnAverage --extend study.json").code == 1
    assert eggs.run(f"{line} --extend nothing.json").code == 1
    assert files_below(eggs.folder) == before


def test_a_grid_and_a_table(eggs: Consoles) -> None:
    told = answer(eggs, "cb sampling grid models.eggs:Eggs -g 3 --fix boxes=2 -o grid.json")
    assert told["parameter_sets"] == 3
    (eggs.folder / "sets.csv").write_text("risk,boxes,seed\n0.1,1,5\n0.2,2,6\n")
    told = answer(eggs, "cb sampling file models.eggs:Eggs sets.csv -o table.json")
    assert told["parameter_sets"] == 2
    study = json.loads((eggs.folder / "table.json").read_text())
    assert study["parameter_sets"][1] == {"params": {"risk": 0.2, "boxes": 2}, "seed": 6}


def test_a_grid_is_refined_and_a_table_continued(eggs: Consoles) -> None:
    line = "cb sampling grid models.eggs:Eggs"
    answer(eggs, f"{line} -g 3 --fix boxes=2 -o grid.json")
    assert answer(eggs, f"{line} -g 5 --extend grid.json")["parameter_sets"] == 5
    again = eggs.run(f"{line} -g 5 --extend grid.json")
    assert (again.code, "no point that the study does not have" in again.err) == (1, True)
    table = eggs.folder / "sets.csv"
    table.write_text("risk,boxes\n0.1,1\n0.2,2\n")
    line = "cb sampling file models.eggs:Eggs"
    answer(eggs, f"{line} sets.csv -o table.json")
    table.write_text("risk,boxes\n0.1,1\n0.2,2\n0.3,1\n")
    assert answer(eggs, f"{line} sets.csv --extend table.json")["parameter_sets"] == 3
    (eggs.folder / "other.csv").write_text("risk,boxes\n0.4,1\n")
    other = eggs.run(f"{line} other.csv --extend table.json")
    assert (other.code, "its rows come from sets.csv, not from other.csv" in other.err) == (2, True)


def test_a_model_outside_a_project(tmp_path: Path) -> None:
    consoles = make_consoles(tmp_path)
    (consoles.folder / "eggs.py").write_text(MODEL, encoding="utf-8")
    assert consoles.run("cb sampling sobol eggs:Eggs -n 2").code == 0
    refused = consoles.run("cb sampling sobol eggs:Eggs -n 2 --no-cwd-import")
    assert (refused.code, "no project here" in refused.err) == (1, True)


def test_target_sets_and_their_weights_travel(eggs: Consoles) -> None:
    assert eggs.run("mops bundle target-set set all -w broken=2.5").code == 0
    answer(eggs, "cb sampling sobol models.eggs:Eggs -n 4 --target-set all")
    study = json.loads((eggs.folder / "study.json").read_text())
    assert study["targets"] == ["targets.broken:broken"]
    assert study["metadata"]["target_weights"] == {"broken": 2.5}
    assert study["metadata"]["target_set"] == "all"


def test_the_sampler_that_nobody_named(eggs: Consoles) -> None:
    chosen = {}
    for model, free in (
        ("Eggs", "risk:0.01:0.5"),
        ("EggsOnAverage", "risk:0.01:0.5"),
    ):
        told = answer(eggs, f"cb calibration optuna models.eggs:{model} data/broken.csv {free}")
        chosen[model] = told["method"]
        assert told["replicates"] == (1 if model == "EggsOnAverage" else 3)
    assert chosen == {"Eggs": "optuna (tpe)", "EggsOnAverage": "optuna (tpe)"}
    spec = json.loads((eggs.folder / "calibration.json").read_text())
    assert spec["algorithm_config"]["sampler"] == {"type": "tpe"}


def test_what_was_asked_stands_in_the_calibration(eggs: Consoles) -> None:
    told = answer(
        eggs,
        "cb calibration optuna models.eggs:Eggs data/broken.csv risk:0.02:0.4:log --fix boxes=3 "
        "--max-trials 12 -b 2 -r 5 --sampler random --seed 9 -m 50 --rescore-top-k 3 "
        "--rescore-replicates 30 --confirm-replicates 70 --name fit",
    )
    assert told["path"] == "fit.json"
    spec = json.loads((eggs.folder / "fit.json").read_text())
    config = spec["algorithm_config"]
    assert spec["max_iterations"] == 50
    assert (config["max_trials"], config["batch_size"], config["n_replicates"]) == (12, 2, 5)
    assert (config["seed"], config["fixed"]) == (9, {"boxes": 3})
    assert config["sampler"] == {"type": "random"}
    assert config["rescore"] == {"top_k": 3, "n_replicates": 30, "confirm": 70}
    assert config["parameter_specs"]["risk"]["transform"] == "log"
    assert spec["target_data"]["observed_file"] == "data/broken.csv"
    assert spec["target_data"]["target_ids"] == ["broken"]


def test_observations_that_no_target_reads_are_worth_a_warning(eggs: Consoles) -> None:
    (eggs.folder / "data" / "other.csv").write_text("day,broken\n1,2\n")
    line = "cb calibration optuna models.eggs:Eggs data/other.csv risk:0.01:0.5"
    assert any("data/other.csv" in text for text in answer(eggs, line)["warnings"])  # type: ignore[attr-defined]


# ---------------------------------------------------------------- running


def test_a_study_from_file_to_tables(eggs: Consoles) -> None:
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 4 -r 3 -t broken").code == 0
    before = files_below(eggs.folder)
    planned = eggs.run("mops run study.json --dry-run --json")
    check_against_schema(planned.json)
    assert files_below(eggs.folder) == before
    assert planned.json["submission"]["simulations"] == 12
    assert answer(eggs, "mops jobs list")["jobs"] == []

    done = eggs.run("mops run study.json --json")
    assert done.code == 0, done
    assert done.events[0]["event"] == "submitted"
    last = done.events[-1]
    check_against_schema(last)
    assert (last["job"]["done"], last["job"]["failed"]) == (12, 0)
    assert all(event["schema"] == "mops.run/1" for event in done.events)

    again = eggs.run("mops run study.json --json").events[-1]
    assert (again["job"]["reused"], again["job"]["state"]) == (12, "succeeded")
    assert (last["job"]["simulated"], again["job"]["simulated"]) == (12, 0)

    shown = answer(eggs, "mops results show --best 2")
    best = shown["best"]
    assert isinstance(best, dict)
    assert best["total"] == 4
    assert len(best["rows"]) == 2
    objective = best["columns"].index("objective")
    assert best["rows"][0][objective] <= best["rows"][1][objective]

    table = answer(eggs, "mops results show --table broken --sort=-broken -n 3")["table"]
    assert isinstance(table, dict)
    assert (table["total"], len(table["rows"])) == (60, 3)
    values = [row[table["columns"].index("broken")] for row in table["rows"]]
    assert values == sorted(values, reverse=True)

    exported = answer(eggs, "mops results export last --format csv -o tables")
    assert exported["state"] == "succeeded"
    frame = pl.read_csv(eggs.folder / "tables" / "broken.csv")
    assert frame.height == 60
    piped = eggs.run("mops results export last --format csv --table broken -o -")
    assert piped.out == (eggs.folder / "tables" / "broken.csv").read_text()

    listed = answer(eggs, "mops results list")["results"]
    assert isinstance(listed, list)
    assert {row["state"] for row in listed} == {"succeeded"}


def test_a_calibration_and_its_report(eggs: Consoles) -> None:
    line = "cb calibration optuna models.eggs:EggsOnAverage data/broken.csv risk:0.01:0.5"
    assert eggs.run(f"{line} --fix boxes=3 --max-trials 20 --name fit").code == 0
    ran = eggs.run("mops run fit.json --report fit.html")
    assert ran.code == 0, ran
    assert "Verdict" in ran.out
    written = (eggs.folder / "fit.html").read_text()
    assert written.startswith("<!")
    shown = answer(eggs, "mops results show @fit")
    assert written == (Path(str(shown["path"])) / "result" / "report.html").read_text()
    found = shown["calibration"]
    assert isinstance(found, dict)
    assert 0.25 < found["parameters"]["risk"] < 0.35
    assert found["all_parameters"]["boxes"] == 3
    assert found["objective"] == pytest.approx(0.475, abs=0.01)

    report = answer(eggs, "cb diagnostics report last -o again.pdf")
    assert (eggs.folder / "again.pdf").read_bytes().startswith(b"%PDF")
    assert report["format"] == "pdf"
    strict = eggs.run("cb diagnostics report last --strict --json")
    failed = [item["code"] for item in found["findings"] if item["severity"] == "FAIL"]
    assert (strict.code, strict.json["failed"]) == (3 if failed else 0, failed)
    summary = Path(str(shown["path"])) / "result" / "findings.json"
    texts = dict.fromkeys(("message", "subject", "action"), "made up")
    bad = {**texts, "code": "MADE_UP", "severity": "FAIL", "value": 1.0, "threshold": 0.5}
    summary.write_text(json.dumps([bad]))
    assert eggs.run("cb diagnostics report last --strict").code == 3
    assert eggs.run("cb diagnostics report last").code == 0
    trials = answer(eggs, "mops results show --table trials -n 5")["table"]
    assert isinstance(trials, dict)
    assert trials["total"] == 20


def test_a_report_of_a_table_and_of_nothing(eggs: Consoles) -> None:
    (eggs.folder / "runs.csv").write_text("param_risk,loss\n0.1,2.0\n0.2,inf\n0.3,1.0\n")
    assert answer(eggs, "cb diagnostics report runs.csv --format html")["format"] == "html"
    assert (eggs.folder / "runs_diagnostic_report.html").is_file()
    (eggs.folder / "empty.csv").write_text("param_risk,loss\n")
    before = files_below(eggs.folder)
    refused = eggs.run("cb diagnostics report empty.csv")
    assert (refused.code, refused.out) == (1, "")
    assert files_below(eggs.folder) == before
    assert eggs.run("cb diagnostics report runs.csv -o x.pdf --format html").code == 2
    assert eggs.run("cb diagnostics report runs.csv --strict").code == 2


def test_a_job_in_the_background(eggs: Consoles) -> None:
    add_slow_model(eggs)
    assert eggs.run("mops bundle register-model models/eggs.py").code == 0
    assert eggs.run("cb sampling sobol models.eggs:Slow -n 8 -r 25 --fix boxes=3").code == 0
    job = eggs.run(
        "mops jobs submit study.json --name slow --tag site=north --workers 1"
    ).out.strip()
    assert job.startswith("job-")
    assert answer(eggs, "mops jobs wait @slow --for running")["job"] == job
    waited = eggs.run(f"mops jobs wait {job} --timeout 0.2 --json")
    assert (waited.code, waited.json["state"]) == (1, "running")
    waiting = eggs.start("mops jobs wait")
    time.sleep(1.0)
    os.kill(waiting.pid, signal.SIGINT)
    assert waiting.communicate(timeout=10) == ("", "error: interrupted\n")
    assert waiting.returncode == 130
    tagged = answer(eggs, "mops jobs list --tag site=north --hours 1 -s running")["jobs"]
    assert isinstance(tagged, list)
    assert [row["job"] for row in tagged] == [job]
    assert answer(eggs, "mops jobs list --tag site=south")["jobs"] == []

    cancelled = answer(eggs, f"mops jobs cancel {job[:8]}")["jobs"]
    assert isinstance(cancelled, list)
    assert cancelled[0]["state"] == "cancelled"
    assert 0 <= cancelled[0]["done"] < 200
    assert "stop" in eggs.run("mops jobs logs last").out.lower() or eggs.run("mops jobs logs").out
    resumed = answer(eggs, "mops jobs resume last")
    assert resumed["job"] == job
    assert eggs.run("mops jobs cancel last").code == 0


def test_an_interrupted_run_keeps_what_it_has_and_says_how_to_go_on(eggs: Consoles) -> None:
    add_slow_model(eggs)
    assert eggs.run("mops bundle register-model models/eggs.py").code == 0
    assert eggs.run("cb sampling sobol models.eggs:Slow -n 8 -r 25 --fix boxes=3").code == 0
    process = eggs.start("mops run study.json --workers 1")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        jobs = eggs.run("mops jobs list --json").json["jobs"]
        if jobs and jobs[0]["state"] == "running" and jobs[0]["done"] > 0:
            break
        time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert out == ""
    job = jobs[0]["job"]
    assert f"hint: mops jobs resume {job}" in err.splitlines()
    kept = answer(eggs, f"mops jobs status {job}")["jobs"]
    assert isinstance(kept, list)
    assert kept[0]["state"] == "cancelled"
    assert kept[0]["done"] > 0


def test_a_model_that_raises_fails_the_job_with_the_authors_traceback(eggs: Consoles) -> None:
    model = eggs.folder / "models" / "eggs.py"
    text = model.read_text()
    model.write_text(text.replace("left, broken = state", "1 / 0; left, broken = state"))
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    done = eggs.run("mops run study.json --no-check")
    assert done.code == 1
    assert "failed" in done.out
    failures = answer(eggs, "mops results show --table failures")["table"]
    assert isinstance(failures, dict)
    assert failures["total"] == 2
    debug = eggs.run("mops run study.json --debug")
    assert debug.code == 1
    assert "ZeroDivisionError" in debug.err
    assert "models/eggs.py" in debug.err


def test_a_reader_that_goes_away_does_not_end_the_job(eggs: Consoles) -> None:
    add_slow_model(eggs)
    assert eggs.run("mops bundle register-model models/eggs.py").code == 0
    assert eggs.run("cb sampling sobol models.eggs:Slow -n 4 -r 4").code == 0
    process = eggs.start("mops run study.json --json --workers 1")
    assert process.stdout is not None
    assert json.loads(process.stdout.readline())["event"] == "submitted"
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert process.stderr is not None
    process.stderr.close()
    jobs = answer(eggs, "mops jobs list")["jobs"]
    assert isinstance(jobs, list)
    assert (jobs[0]["state"], jobs[0]["done"]) == ("succeeded", 16)


def test_options_that_debugging_cannot_honour_are_refused(eggs: Consoles) -> None:
    done = eggs.run("mops run study.json --debug --workers 2 --timeout 3")
    assert done.code == 2
    assert "--workers, --timeout" in done.err


# ---------------------------------------------------------------- on a terminal


def test_progress_and_relative_times_on_a_terminal(eggs: Consoles) -> None:
    add_slow_model(eggs)
    assert eggs.run("mops bundle register-model models/eggs.py").code == 0
    assert eggs.run("cb sampling sobol models.eggs:Slow -n 4 -r 4").code == 0
    code, screen = eggs.on_terminal("mops run study.json --workers 1")
    assert code == 0, screen
    assert "━" in screen
    assert "simulations" in screen
    _, listed = eggs.on_terminal("mops jobs list")
    assert " ago" in listed


def test_a_question_has_the_harmless_answer(eggs: Consoles) -> None:
    target = eggs.folder / "targets" / "broken.py"
    assert eggs.run("mops bundle target-set set all -w broken=2").code == 0
    text = target.read_text().replace("def broken(", "def weekly(")
    target.write_text(text.replace('cb.annealed_mse("broken")', 'cb.annealed_mse("broken", 2.0)'))
    registry = eggs.folder / ".modelops-bundle" / "registry.yaml"
    before = registry.read_bytes()
    alone = eggs.run("mops bundle refresh")
    assert alone.code == 3, alone
    assert "hint: mops bundle refresh --rename broken=weekly" in alone.err
    code, screen = eggs.on_terminal("mops bundle refresh", typed="\n")
    assert "[y/N]" in screen
    assert code == 3
    assert registry.read_bytes() == before
    code, screen = eggs.on_terminal("mops bundle refresh", typed="y\n")
    assert code == 0, screen
    assert "weekly" in eggs.run("mops bundle target-set list").out
