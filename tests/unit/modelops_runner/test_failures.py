"""Exceptions as data: complete where they are the author's, short where one line says it all."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import pytest

from modelops_contracts.errors import InvalidValue
from modelops_runner.failures import describe_error


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("not even this")


def test_every_exception_can_be_described() -> None:
    try:
        raise UnprintableError
    except UnprintableError as error:
        found = describe_error(error)
    assert found["error_type"].endswith("UnprintableError")
    assert "RuntimeError" in found["message"]
    assert "raise UnprintableError" in found["traceback"]


def test_long_messages_are_bounded_with_both_ends() -> None:
    found = describe_error(ValueError("a" * 100_000 + "z" * 100_000 + "\udcff"))
    assert len(found["message"]) < 20_000
    assert found["message"].startswith("aaa")
    assert found["message"].endswith("zzz\\udcff")
    found["message"].encode()


def test_causes_are_in_the_traceback() -> None:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second") from error
    except ValueError as error:
        text = describe_error(error)["traceback"]
    assert "first" in text
    assert "second" in text


CODE = """
from modelops_contracts.errors import InvalidValue, MissingKey

def fail(error):
    raise error

def behind_ours():
    try:
        {}["day"]
    except KeyError as error:
        raise InvalidValue("no column day") from error

def hidden_behind_ours():
    try:
        {}["day"]
    except KeyError:
        raise InvalidValue("no column day") from None

def call(function):
    return function()
"""


@pytest.fixture
def author(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    (tmp_path / "some_target.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(importlib.sys.modules, "some_target", raising=False)  # type: ignore[attr-defined]
    importlib.invalidate_caches()
    return importlib.import_module("some_target")


def test_a_traceback_begins_in_the_authors_code_and_a_hint_travels(author: ModuleType) -> None:
    error = ValueError("no")
    error.hint = "yes"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no") as caught:
        author.fail(error)
    found = describe_error(caught.value)
    assert (found["hint"], found["place"]) == ("yes", None)
    first = found["traceback"].splitlines()[1]
    assert first.startswith(f'  File "{author.__file__}"')


def ours() -> None:
    try:
        raise ValueError("deep inside the product")
    except ValueError as error:
        raise InvalidValue("no column dy; its columns are day") from error


def test_an_error_of_ours_is_one_line_and_the_authors_place(author: ModuleType) -> None:
    with pytest.raises(InvalidValue) as caught:
        author.call(ours)
    found = describe_error(caught.value)
    assert found["place"] == "some_target.py:20"
    assert found["traceback"].splitlines() == [
        "Traceback (most recent call last):",
        '  File "some_target.py", line 20, in call',
        "    return function()",
        "modelops_contracts.errors.InvalidValue: no column dy; its columns are day",
    ]


def test_without_a_line_of_the_author_there_is_no_place(author: ModuleType) -> None:
    with pytest.raises(InvalidValue) as caught:
        ours()
    found = describe_error(caught.value)
    assert found["place"] is None
    assert found["traceback"].count("\n") == 1


def test_what_the_author_raised_behind_it_is_not_lost(author: ModuleType) -> None:
    with pytest.raises(InvalidValue) as caught:
        author.behind_ours()
    found = describe_error(caught.value)
    assert found["place"] is None
    assert "KeyError: 'day'" in found["traceback"]
    assert "direct cause" in found["traceback"]
    with pytest.raises(InvalidValue) as caught:
        author.hidden_behind_ours()
    assert describe_error(caught.value)["place"] == "some_target.py:17"
