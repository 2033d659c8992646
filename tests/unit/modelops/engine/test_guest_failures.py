"""What a guest says of an exception, as the error that is raised here."""

from __future__ import annotations

from modelops.engine.environments.failures import as_failure
from modelops_runner.failures import describe_error


def test_the_authors_exception_keeps_its_type_and_traceback() -> None:
    failure = as_failure("scoring failed", describe_error(KeyError("day")))
    assert str(failure) == "scoring failed: KeyError: 'day'"
    assert "KeyError: 'day'" in failure.remote_traceback


def test_an_error_of_ours_is_its_message_and_the_authors_line() -> None:
    told = {"message": "no column dy", "hint": "did you mean 'day'?", "says_all": True}
    failure = as_failure("scoring failed", {**told, "place": "targets/cases.py:13"})
    assert str(failure) == "scoring failed: no column dy (targets/cases.py:13)"
    assert (failure.hint, failure.remote_traceback) == ("did you mean 'day'?", "")
    assert str(as_failure("scoring failed", {**told, "place": None})).endswith("no column dy")
