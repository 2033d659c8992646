"""One parameter set is simulated and scored before a job exists; what does not fit is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support.consoles import Consoles, check_against_schema, files_below

METRIC = """
    @cb.model_output("totals")
    def totals(self, raw: list[int], seed: int) -> pl.DataFrame:
        return pl.DataFrame({"metric": ["broken_eggs"], "value": [float(sum(raw))]})
"""

METRIC_TARGET = """
@cb.calibration_target(model_output="totals")
def total() -> cb.LossTarget:
    return cb.LossTarget(
        name="total",
        model_output="totals",
        data={"broken_egs": 28.0},
        alignment=cb.MetricAlignment(),
        evaluator=cb.metric_mse(),
    )
"""


def change(consoles: Consoles, name: str, old: str, new: str) -> None:
    path = consoles.folder / name
    text = path.read_text()
    assert old in text, name
    path.write_text(text.replace(old, new))


def wrong_metric(eggs: Consoles) -> None:
    """The target asks for a metric with a typo."""
    change(eggs, "models/eggs.py", "\n\nclass EggsOnAverage", f"{METRIC}\n\nclass EggsOnAverage")
    path = eggs.folder / "targets" / "broken.py"
    path.write_text(path.read_text() + "\n" + METRIC_TARGET)
    for line in ("register-model models/eggs.py", "register-target targets/broken.py"):
        assert eggs.run(f"mops bundle {line}").code == 0


def wrong_keys(eggs: Consoles) -> None:
    """Days as text on one side."""
    text = '.with_columns(pl.col("day").cast(pl.String))'
    change(eggs, "targets/broken.py", '"counts"])', f'"counts"]){text}')


def short_horizon(eggs: Consoles) -> None:
    """The model ends on day 5, the data on day 6."""
    path = eggs.folder / "data" / "broken.csv"
    path.write_text(path.read_text() + "6,1\n")
    assert eggs.run("mops bundle refresh").code == 0


def not_a_number(eggs: Consoles) -> None:
    """Zero divided by zero in the model's own output."""
    change(
        eggs, "models/eggs.py", '"broken": raw', '"broken": [float("nan"), *map(float, raw[1:])]'
    )


def raising(eggs: Consoles) -> None:
    change(eggs, "models/eggs.py", "left, broken = state", "1 / 0; left, broken = state")


def unsteady(eggs: Consoles) -> None:
    change(eggs, "models/eggs.py", "default_rng(seed)", "default_rng()")


MISTAKES = {
    wrong_metric: ("broken_egs", "broken_eggs"),
    wrong_keys: ("day", "String"),
    short_horizon: ("COVERAGE", "6"),
    not_a_number: ("BAD_OUTPUT", "NaN"),
    raising: ("SIM_FAILED", "ZeroDivisionError", "division by zero"),
    unsteady: ("NOT_REPRODUCIBLE", "same seeds"),
}


STUDY = {
    "model": "models.eggs",
    "scenario": "baseline",
    "parameter_sets": [{"risk": 0.1, "boxes": 2}, {"risk": 0.3, "boxes": 4}],
    "metadata": {"model_class": "models.eggs:Eggs"},
}
CALIBRATION = {
    "model": "models.eggs",
    "scenario": "baseline",
    "algorithm": "optuna",
    "algorithm_config": {
        "max_trials": 4,
        "parameter_specs": {"risk": {"lower": 0.02, "upper": 0.4}},
        "fixed": {"boxes": 3},
    },
    "metadata": {"model_class": "models.eggs:Eggs"},
}


def own_files(consoles: Consoles) -> dict[str, bytes]:
    """Of the author, and jobs; what is derived (packed bundle, stored simulations) is not."""
    found = files_below(consoles.folder)
    derived = (".modelops-bundle/", ".modelops/results/")
    return {
        name: data
        for name, data in found.items()
        if not name.startswith(derived) or "/jobs/" in name
    }


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda function: function.__name__)
def test_a_mistake_is_refused_before_any_job(
    eggs: Consoles, mistake: Callable[[Consoles], None]
) -> None:
    mistake(eggs)
    target = "total" if mistake is wrong_metric else "broken"
    study = {**STUDY, "targets": [f"targets.broken:{target}"]}
    calibration = {**CALIBRATION, "target_data": {"target_ids": [target]}}
    (eggs.folder / "study.json").write_text(json.dumps(study))
    (eggs.folder / "calibration.json").write_text(json.dumps(calibration))
    before = own_files(eggs)
    for line in ("mops run study.json", "mops run calibration.json --dry-run"):
        refused = eggs.run(line)
        assert (refused.code, refused.out) == (1, ""), refused
        for text in MISTAKES[mistake]:
            assert text in refused.err, refused
        hint = refused.err.splitlines()[-1]
        assert hint.startswith("hint: "), refused
        assert f"{line.removesuffix(' --dry-run')} --dry-run" in hint, refused
    if mistake is wrong_metric:
        submitted = eggs.run("mops jobs submit calibration.json --json")
        check_against_schema(submitted.json)
        assert (submitted.code, submitted.json["error"]["code"]) == (1, "check.failed")
    assert own_files(eggs) == before


def test_an_output_that_no_model_makes_is_refused(eggs: Consoles) -> None:
    change(eggs, "targets/broken.py", 'model_output="broken"', 'model_output="brokn"')
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    refused = eggs.run("mops run study.json")
    assert refused.code != 0
    assert "brokn" in refused.err
    assert "broken" in refused.err
    assert refused.err.splitlines()[-1].startswith("hint: "), refused
    assert eggs.run("mops jobs list --json").json["jobs"] == []


def test_a_target_that_raises_is_refused_with_its_traceback(eggs: Consoles) -> None:
    change(eggs, "targets/broken.py", "return cb.LossTarget(", "1 / 0; return cb.LossTarget(")
    (eggs.folder / "study.json").write_text(json.dumps(STUDY))
    refused = eggs.run("mops run study.json")
    assert refused.code == 1
    assert "ZeroDivisionError" in refused.err
    assert "targets/broken.py" in refused.err
    assert refused.err.splitlines()[-1].startswith("hint: correct broken in module targets.broken")


def test_the_check_is_told_in_one_line_and_not_repeated(eggs: Consoles) -> None:
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2 -r 2").code == 0
    first = eggs.run("mops run study.json")
    lines = [line.split() for line in first.err.splitlines() if line.strip().startswith("Check ")]
    assert [line[:2] for line in lines] == [["Check", "passed,"]]
    assert "4 simulations" in first.err
    second = eggs.run("mops jobs submit study.json --json")
    assert second.json["check"]["simulations"] == 0
    assert (
        eggs.run("mops run study.json --dry-run --json").events[-1]["submission"]["check"][
            "simulations"
        ]
        == 0
    )


def test_what_the_check_simulated_is_reused_where_the_job_wants_it(eggs: Consoles) -> None:
    (eggs.folder / "sets.csv").write_text("risk,boxes\n0.1,2\n")
    assert eggs.run("cb sampling file models.eggs:Eggs sets.csv -r 3 -o one.json").code == 0
    done = eggs.run("mops run one.json --json").events[-1]
    assert (done["job"]["reused"], done["job"]["simulated"]) == (2, 1)
    explained = eggs.run("mops jobs explain last")
    assert explained.code == 0, explained


def test_leaving_it_out_is_said(eggs: Consoles) -> None:
    raising(eggs)
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    done = eggs.run("mops run study.json --no-check")
    assert done.code == 1
    assert "warning: nothing was simulated and scored before the job: --no-check" in done.err
    assert "left out (--no-check)" in done.err
    assert len(eggs.run("mops jobs list --json").json["jobs"]) == 1
    debug = eggs.run("mops run study.json --debug")
    assert "before the job: --debug" in debug.err


def test_a_study_without_targets_is_not_checked(eggs: Consoles) -> None:
    assert eggs.run("mops bundle unregister broken").code == 0
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    done = eggs.run("mops run study.json --json").events
    assert done[0]["submission"]["check"] is None
    assert done[-1]["job"]["state"] == "succeeded"
