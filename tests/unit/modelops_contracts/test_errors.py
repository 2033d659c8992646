"""The tree of errors, and what each carries."""

from __future__ import annotations

import pickle

import pytest

from modelops_contracts import errors
from modelops_contracts.errors import (
    AccessDenied,
    Conflict,
    ContractViolationError,
    Detail,
    EntrypointFormatError,
    IntegrityError,
    Interrupted,
    InvalidInput,
    InvalidType,
    InvalidValue,
    MissingFile,
    MissingKey,
    ModelOpsError,
    NotFound,
    SimulationFailed,
    Unavailable,
    nearest,
)

_NO_ERRORS = {"Detail", "explain_file_error", "is_disk_full", "nearest"}
ALL = [getattr(errors, name) for name in errors.__all__ if name not in _NO_ERRORS]


@pytest.mark.parametrize(
    ("kind", "exit_code", "code", "retryable"),
    [
        (ModelOpsError, 1, "error", False),
        (InvalidInput, 1, "invalid_input", False),
        (NotFound, 1, "not_found", False),
        (Conflict, 1, "conflict", False),
        (AccessDenied, 4, "access_denied", False),
        (Unavailable, 5, "unavailable", True),
        (IntegrityError, 1, "integrity", False),
        (SimulationFailed, 1, "simulation_failed", False),
        (Interrupted, 130, "interrupted", False),
        (ContractViolationError, 1, "contract_violation", False),
        (EntrypointFormatError, 1, "invalid_entrypoint", False),
    ],
)
def test_defaults(kind: type[ModelOpsError], exit_code: int, code: str, retryable: bool) -> None:
    error = kind("what")
    assert (error.exit_code, error.code, error.retryable) == (exit_code, code, retryable)


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (ContractViolationError, (InvalidInput,)),
        (EntrypointFormatError, (InvalidInput, ValueError)),
        (InvalidValue, (InvalidInput, ValueError)),
        (InvalidType, (InvalidInput, TypeError)),
        (MissingKey, (NotFound, KeyError)),
        (MissingFile, (NotFound, FileNotFoundError)),
    ],
)
def test_parents(kind: type, parents: tuple[type, ...]) -> None:
    assert all(issubclass(kind, parent) for parent in (*parents, ModelOpsError))


@pytest.mark.parametrize("kind", ALL)
def test_every_error_prints_its_message_and_pickles_whole(kind: type[ModelOpsError]) -> None:
    detail = Detail("$.targets[2].weight", "must be a number")
    error = kind(
        "it's 'quoted'", hint="do this", code="c", retryable=True, exit_code=3, details=[detail]
    )
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    for one in (error, again):
        assert str(one) == "it's 'quoted'"
        assert (one.hint, one.code, one.retryable, one.exit_code) == ("do this", "c", True, 3)
        assert one.details == (detail,)


def test_a_failed_simulation_carries_the_remote_traceback() -> None:
    error = SimulationFailed("the model raised", remote_traceback="Traceback ...")
    assert pickle.loads(pickle.dumps(error)).remote_traceback == "Traceback ..."
    assert SimulationFailed("x").remote_traceback == ""


def test_a_detail_prints_path_and_message() -> None:
    assert str(Detail("$.a", "is required")) == "$.a: is required"


@pytest.mark.parametrize(
    ("name", "candidates", "expected"),
    [
        ("n_replicats", ["n_replicates", "seed"], ["n_replicates"]),
        ("BETA", ["beta", "gamma"], ["beta"]),
        ("zzz", ["beta", "gamma"], []),
        ("sir", [], []),
        ("inc", ["incidence", "inc_1", "inc_2", "inc_3", "inc_4"], 3),
    ],
)
def test_nearest(name: str, candidates: list[str], expected: list[str] | int) -> None:
    found = nearest(name, candidates)
    assert (len(found) if isinstance(expected, int) else found) == expected
