"""The words of `cb sampling` and `cb calibration`, without any model."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelops.cli._console import Screen
from modelops.cli.cb._spec import (
    ParameterRow,
    Written,
    check_bounds,
    check_scenario,
    parameter_rows,
    range_text,
    read_bounds,
    read_fixed,
    read_value,
    render,
    slug,
)
from modelops.cli.cb.calibration.optuna import read_parameters
from modelops.cli.cb.diagnostics.report import choose_format
from modelops_contracts.errors import InvalidInput
from modelops_contracts.models import ModelDescription

MODEL = ModelDescription(
    class_path="models.sir:Sir",
    parameters=(
        {"name": "beta", "lower": 0.1, "upper": 2.0, "kind": "float", "transform": "log"},
        {"name": "n0", "lower": 1, "upper": 9, "kind": "int", "default": 3},
    ),
    scenarios={"baseline": {}, "lockdown": {}},
    outputs=("incidence",),
)


def test_the_parameters_of_a_calibration() -> None:
    assert read_parameters("beta:0.1:0.9:log,n0:1:9") == {
        "beta": (0.1, 0.9, "log"),
        "n0": (1, 9, None),
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "''"),
        ("beta", "'beta'"),
        ("beta:1", "'beta:1'"),
        ("beta:1:2:log:x", "'beta:1:2:log:x'"),
        ("beta:low:2", "'low'"),
        ("beta:1:inf", "'inf'"),
        ("beta:1:nan", "'nan'"),
        ("beta:1:2,beta:1:3", "beta is given twice"),
        ("beta:1:2,", "''"),
    ],
)
def test_a_piece_that_makes_no_sense_is_named(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match="PARAMETERS") as raised:
        read_parameters(text)
    assert said in str(raised.value)
    assert raised.value.exit_code == 2


@given(st.integers(-(10**6), 10**6) | st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_come_back_as_they_were_written(value: float) -> None:
    read = read_value(repr(value))
    assert read == value
    assert type(read) is type(value)


def test_bounds_and_fixed_values() -> None:
    assert read_bounds(["beta:0.2:0.4"], MODEL) == {"beta": (0.2, 0.4)}
    assert read_fixed(["n0=4"], MODEL) == {"n0": 4}


@pytest.mark.parametrize("items", [["beta"], ["beta:1"], ["beta:1:2:3"], ["beta:1:x"]])
def test_bounds_that_make_no_sense(items: list[str]) -> None:
    with pytest.raises(InvalidInput, match="--param") as raised:
        read_bounds(items, MODEL)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("items", [["beta"], ["=1"], ["beta=x"], ["n0=1", "n0=2"]])
def test_fixed_values_that_make_no_sense(items: list[str]) -> None:
    with pytest.raises(InvalidInput, match="--fix") as raised:
        read_fixed(items, MODEL)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize(
    ("name", "lower", "upper", "said"),
    [
        ("beta", 0.05, 1.0, "outside the bounds 0.1 to 2.0"),
        ("beta", 0.5, 2.5, "outside the bounds"),
        ("beta", 0.5, 0.5, "not below"),
        ("n0", 1.5, 3, "whole number"),
    ],
)
def test_bounds_outside_those_of_the_model(
    name: str, lower: float, upper: float, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        check_bounds(name, lower, upper, MODEL)


@given(st.floats(0.1, 2.0), st.floats(0.1, 2.0))
def test_bounds_inside_those_of_the_model(one: float, two: float) -> None:
    lower, upper = sorted((one, two))
    if lower < upper:
        check_bounds("beta", lower, upper, MODEL)


def test_names_that_are_not_there_bring_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="no parameter bta; nearest: beta"):
        read_fixed(["bta=1"], MODEL)
    with pytest.raises(InvalidInput, match="no scenario lockdwn; nearest: lockdown"):
        check_scenario("lockdwn", MODEL)
    check_scenario("baseline", MODEL)


@pytest.mark.parametrize(
    ("name", "file"),
    [("Dry season, 2nd try", "dry-season-2nd-try"), ("a.b_c", "a.b_c"), ("../x", "x"), ("É1", "1")],
)
def test_names_of_files(name: str, file: str) -> None:
    assert slug(name) == file


@pytest.mark.parametrize("name", ["", "...", "日本", "-"])
def test_a_name_that_gives_no_file_name(name: str) -> None:
    with pytest.raises(InvalidInput, match="no file name"):
        slug(name)


@given(st.text())
def test_a_file_name_stays_in_its_folder(name: str) -> None:
    try:
        made = slug(name)
    except InvalidInput:
        return
    assert Path(made).name == made
    assert not made.startswith((".", "-"))


def test_rows_say_what_each_parameter_will_be() -> None:
    rows = parameter_rows(MODEL, {"beta": (0.2, 0.4)}, {"n0": 4}, {})
    assert [range_text(row) for row in rows] == ["0.2 to 0.4 (log)", "= 4"]
    assert rows[0] == ParameterRow("beta", 0.2, 0.4, "log", None)


def test_the_summary_ends_with_commands_to_paste() -> None:
    written = Written(
        "study", "a", "m:M", "baseline", "sobol", [], ["t"], 3, 4, 12, None, "a.json", "sha256:0"
    )
    lines = list(render(written, Screen()))
    assert lines[0] == "Generated a study of 4 parameter sets"
    assert "  Parameters  4 sets x 3 replicates = 12 simulations" in lines
    assert lines[-2:] == ["Next: mops run a.json", "      mops jobs submit a.json"]


@pytest.mark.parametrize(
    ("output", "asked", "expected"),
    [(None, None, "pdf"), ("x.html", None, "html"), ("x.pdf", "pdf", "pdf"), ("x", "html", "html")],
)
def test_the_format_of_a_report(output: str | None, asked: str | None, expected: str) -> None:
    assert choose_format(None if output is None else Path(output), asked) == expected


@pytest.mark.parametrize(("output", "asked"), [("x.pdf", "html"), ("x.txt", None)])
def test_a_report_in_two_formats_or_none(output: str, asked: str | None) -> None:
    with pytest.raises(InvalidInput):
        choose_format(Path(output), asked)
