"""What a newcomer gets wrong: the thing is named, a next command is told, nothing is half done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.consoles import (
    Consoles,
    Ran,
    check_against_schema,
    files_below,
    make_consoles,
)

FREE = "risk:0.01:0.5"


def fails(consoles: Consoles, line: str, *said: str, code: int = 1, hint: str | None = None) -> Ran:
    """The command fails with that text, and leaves every file of the project as it was."""
    before = files_below(consoles.folder)
    done = consoles.run(line)
    assert (done.code, done.out) == (code, ""), done
    for text in said:
        assert text in done.err, done
    assert "internal error" not in done.err, done
    if hint is not None:
        assert f"hint: {hint}" in done.err.splitlines(), done
    assert files_below(consoles.folder) == before
    as_json = consoles.run(f"{line} --json")
    check_against_schema(as_json.json)
    assert as_json.code == code
    assert files_below(consoles.folder) == before
    return done


# ---------------------------------------------------------------- a name with a typo


def test_a_class_with_a_typo(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobol models.eggs:Egs -n 4", "Egs", "Eggs", hint="cb models")


def test_a_module_with_a_typo(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobol models.egs:Eggs -n 4", "models.egs", hint="cb models")


def test_a_file_that_is_not_there(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobol models/egs.py:Eggs -n 4", "models/egs.py", hint="cb models")


def test_a_registered_id_with_a_typo(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobol eggs_egs -n 4", "eggs_egs", "eggs_eggs", hint="cb models")


def test_a_target_with_a_typo(eggs: Consoles) -> None:
    line = "cb sampling sobol models.eggs:Eggs -n 4 -t brokn"
    fails(eggs, line, "brokn", "broken", hint="cb targets")


def test_a_scenario_with_a_typo(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobol models.eggs:Eggs -s carefull", "carefull", "careful")


def test_a_parameter_with_a_typo(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobol models.eggs:Eggs --fix rsk=0.1", "rsk", "risk", hint="cb models")


def test_a_job_with_a_typo(eggs: Consoles) -> None:
    fails(eggs, "mops jobs status job-nothing", "job-nothing", hint="mops jobs list")


def test_an_environment_with_a_typo(eggs: Consoles) -> None:
    fails(eggs, "mops jobs list --env loacl", "loacl", "local", hint="mops env list")


# ---------------------------------------------------------------- files that are not there


def test_a_target_file_that_is_not_there(eggs: Consoles) -> None:
    fails(eggs, "mops bundle register-target targets/nothing.py", "targets/nothing.py")


def test_a_model_file_that_is_not_there(eggs: Consoles) -> None:
    fails(eggs, "mops bundle register-model models/nothing.py", "models/nothing.py")


def test_a_study_that_is_not_there(eggs: Consoles) -> None:
    fails(eggs, "mops run nothing.json", "nothing.json")


def test_observations_that_are_not_there(eggs: Consoles) -> None:
    line = f"cb calibration optuna models.eggs:Eggs data/nothing.csv {FREE}"
    fails(eggs, line, "data/nothing.csv", hint="cb targets")


def test_a_folder_for_the_output_that_is_not_there(eggs: Consoles) -> None:
    line = "cb sampling sobol models.eggs:Eggs -n 4 -o studies/one.json"
    fails(eggs, line, "studies", hint="mkdir -p studies")


# ---------------------------------------------------------------- what the model does not have


def test_an_output_that_the_model_lacks(eggs: Consoles) -> None:
    target = eggs.folder / "targets" / "broken.py"
    target.write_text(target.read_text().replace('model_output="broken"', 'model_output="brokn"'))
    status = eggs.run("mops bundle status")
    assert status.code == 3
    assert "brokn" in status.out + status.err
    assert eggs.run("mops bundle register-target targets/broken.py").code in {0, 3}
    line = "cb sampling sobol models.eggs:Eggs -n 4 -t broken"
    fails(eggs, line, "brokn", "its outputs are broken")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--param risk:0.0:2.0", "0.01 to 0.5"),
        ("--param risk:0.4:0.3", "not below"),
        ("--param boxes:1.5:3", "whole number"),
        ("--fix risk=0.9", "risk"),
    ],
)
def test_a_parameter_out_of_bounds(eggs: Consoles, words: str, said: str) -> None:
    fails(eggs, f"cb sampling sobol models.eggs:Eggs -n 4 {words}", said)


def test_a_free_parameter_out_of_bounds(eggs: Consoles) -> None:
    line = "cb calibration optuna models.eggs:Eggs data/broken.csv risk:0.01:0.9"
    fails(eggs, line, "risk", "0.01 to 0.5")


def test_a_study_with_a_parameter_out_of_bounds(eggs: Consoles) -> None:
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 4").code == 0
    study = eggs.folder / "study.json"
    changed = json.loads(study.read_text())
    changed["parameter_sets"][2]["params"]["risk"] = 0.9
    study.write_text(json.dumps(changed))
    done = eggs.run("mops run study.json")
    assert done.code == 1
    assert "risk" in done.err
    assert "parameter_sets[2]" in done.err
    assert eggs.run("mops jobs list --json").json["jobs"] == []


def test_a_required_parameter_without_a_value(eggs: Consoles) -> None:
    line = "cb calibration optuna models.eggs:Eggs data/broken.csv boxes:1:9"
    fails(eggs, line, "risk")


# ---------------------------------------------------------------- words that make no sense


@pytest.mark.parametrize("words", ["-n 0", "-r 0", "-n four", "--param risk", "--fix risk"])
def test_values_that_make_no_sense(eggs: Consoles, words: str) -> None:
    fails(eggs, f"cb sampling sobol models.eggs:Eggs {words}", code=2)


@pytest.mark.parametrize(
    "parameters", ["risk", "risk:a:b", "risk:1", "risk:0.1:0.2:log:x", "a:1:2,,"]
)
def test_parameters_that_make_no_sense(eggs: Consoles, parameters: str) -> None:
    line = f"cb calibration optuna models.eggs:Eggs data/broken.csv {parameters}"
    fails(eggs, line, code=2)


def test_a_target_and_a_set_of_targets(eggs: Consoles) -> None:
    line = "cb sampling sobol models.eggs:Eggs -t broken --target-set all"
    fails(eggs, line, "exclude each other", code=2)


def test_an_unknown_option(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobol models.eggs:Eggs --n-sample 4", "--n-samples", code=2)


def test_a_design_that_does_not_exist(eggs: Consoles) -> None:
    fails(eggs, "cb sampling sobl models.eggs:Eggs", "sobl", "sobol", code=2)


# ---------------------------------------------------------------- the wrong place, wrong data


@pytest.mark.parametrize(
    "line",
    [
        "mops jobs list",
        "mops run study.json",
        "mops results list",
        "cb models",
        "mops bundle status",
    ],
)
def test_no_project_here(tmp_path: Path, line: str) -> None:
    consoles = make_consoles(tmp_path)
    if "study.json" in line:
        (consoles.folder / "study.json").write_text('{"model": "a.b", "scenario": "baseline"}')
    fails(consoles, line, "no project here", hint="mops bundle init")
    assert not (consoles.home / ".modelops").exists()


def test_a_csv_without_a_column_that_the_target_needs(eggs: Consoles) -> None:
    (eggs.folder / "data" / "broken.csv").write_text("date,broken\n1,9\n2,7\n")
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 4 -t broken").code == 0
    done = eggs.run("mops run study.json")
    assert done.code == 1
    assert "day" in done.err
    assert "broken" in done.err
    assert eggs.run("mops jobs list --json").json["jobs"] == []


def test_a_model_that_needs_a_package(eggs: Consoles) -> None:
    model = eggs.folder / "models" / "eggs.py"
    model.write_text(model.read_text().replace("import numpy as np", "import numpyy as np"))
    done = fails(eggs, "cb sampling sobol models.eggs:Eggs -n 4", "numpyy")
    assert "models/eggs.py" in done.err  # the author's own traceback


def test_a_report_of_another_kind_names_the_option_that_was_given(eggs: Consoles) -> None:
    fails(eggs, "mops run fit.json --report fit.txt", "--report fit.txt", ".pdf or .html", code=2)


def test_a_package_that_is_missing_is_told_with_the_way_to_get_it(eggs: Consoles) -> None:
    model = eggs.folder / "models" / "eggs.py"
    model.write_text(f"import nowhere_to_be_found\n{model.read_text()}")
    fails(
        eggs,
        "cb sampling sobol models.eggs:Eggs -n 4",
        "models/eggs.py imports 'nowhere_to_be_found'",
        hint="add the package that provides 'nowhere_to_be_found' to the project's dependencies",
    )
