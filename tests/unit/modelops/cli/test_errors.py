from __future__ import annotations

import click
import pytest

from modelops.cli._console import Screen
from modelops.cli._errors import (
    describe,
    error_lines,
    error_value,
    verbosity,
    wants_json,
)
from modelops_contracts import errors as ours
from modelops_contracts.errors import Detail, InvalidInput, ModelOpsError, SimulationFailed


def every_error() -> list[type[ModelOpsError]]:
    found, waiting = [], [ModelOpsError]
    while waiting:
        kind = waiting.pop()
        found.append(kind)
        waiting += kind.__subclasses__()
    return sorted((kind for kind in found if kind.__module__ == ours.__name__), key=str)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
def test_every_error_of_the_tree_keeps_its_code_and_exit_code(kind: type[ModelOpsError]) -> None:
    told = describe(kind("it broke", hint="mops doctor"), "mops", [])
    assert told.exit_code == kind.default_exit_code
    assert told.code == kind.default_code
    assert told.retryable == kind.default_retryable
    assert error_lines(told, Screen()) == ["error: it broke", "hint: mops doctor"]


def test_all_mistakes_are_said_at_once() -> None:
    details = [Detail("$.a", "too big"), Detail("$.b", "too small")]
    told = describe(InvalidInput("two mistakes", details=details), "mops", [])
    assert error_lines(told, Screen()) == [
        "error: two mistakes",
        "  $.a: too big",
        "  $.b: too small",
    ]
    assert error_value(told)["error"]["details"] == [
        {"path": "$.a", "message": "too big"},
        {"path": "$.b", "message": "too small"},
    ]


def test_what_the_message_says_already_is_not_said_again() -> None:
    one = [Detail("$.a", "too big")]
    told = describe(InvalidInput("study: $.a: too big", details=one), "mops", [])
    assert error_lines(told, Screen()) == ["error: study: $.a: too big"]
    two = [Detail("$.a", "too big"), Detail("$.b", "too small")]
    listed = "study: 2 mistakes\n  $.a: too big\n  $.b: too small"
    told = describe(InvalidInput(listed, details=two), "mops", [])
    assert "\n".join(error_lines(told, Screen())) == f"error: {listed}"


def test_the_authors_traceback_is_shown_in_full_and_ours_only_on_request() -> None:
    failed = SimulationFailed("model raised", remote_traceback="Traceback\n  line\nValueError: x\n")
    assert error_lines(describe(failed, "mops", []), Screen())[:3] == [
        "Traceback",
        "  line",
        "ValueError: x",
    ]
    assert describe(InvalidInput("x"), "mops", []).traceback is None
    assert describe(InvalidInput("x"), "mops", ["-vv"]).traceback is not None


def test_a_file_that_cannot_be_read_is_no_internal_error() -> None:
    told = describe(PermissionError(13, "Permission denied", "/x/y"), "mops", [])
    assert (told.message, told.exit_code, told.code) == (
        "/x/y: Permission denied",
        1,
        "file_access",
    )


def test_an_interrupted_question_is_130() -> None:
    assert describe(click.Abort(), "mops", []).exit_code == 130


def test_usage_errors_name_the_command() -> None:
    ctx = click.Context(click.Command("list"), info_name="mops jobs list")
    told = describe(click.UsageError("Bad thing.", ctx=ctx), "mops", [])
    assert told.message == "mops jobs list: bad thing"
    assert told.hint == "mops jobs list --help"
    assert told.exit_code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], False), (["a", "--json"], True), (["--", "--json"], False), (["--json=x"], False)],
)
def test_json_is_seen_on_a_broken_command_line(words: list[str], expected: bool) -> None:
    assert wants_json(words) is expected


@pytest.mark.parametrize(
    ("words", "count"), [([], 0), (["-v"], 1), (["-vv"], 2), (["--verbose", "-v"], 2), (["-x"], 0)]
)
def test_verbosity(words: list[str], count: int) -> None:
    assert verbosity(words) == count
