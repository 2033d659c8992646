"""Every error this product raises on purpose, as one tree.

ModelOpsError                  message, hint, code, retryable, exit_code, details
├── InvalidInput               unusable input; may carry many mistakes, each with a path
│   ├── ContractViolationError a value breaks a rule of this package
│   ├── EntrypointFormatError  (also ValueError)
│   ├── InvalidValue           (also ValueError)
│   └── InvalidType            (also TypeError)
├── NotFound                   a name, file or digest that is not there
│   ├── MissingKey             (also KeyError)
│   └── MissingFile            (also FileNotFoundError)
├── Conflict                   two wishes that exclude each other; exit_code=3 to ask a person
├── AccessDenied               exit code 4
├── Unavailable                exit code 5, worth another try
├── IntegrityError             bytes are not what their digest says
├── SimulationFailed           the author's code raised; its traceback travels as text
└── Interrupted                exit code 130
"""

# The names are the vocabulary of the product; a suffix "Error" on each would add nothing.
# ruff: noqa: N818

from __future__ import annotations

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

__all__ = [
    "AccessDenied",
    "Conflict",
    "ContractViolationError",
    "Detail",
    "EntrypointFormatError",
    "IntegrityError",
    "Interrupted",
    "InvalidInput",
    "InvalidType",
    "InvalidValue",
    "MissingFile",
    "MissingKey",
    "ModelOpsError",
    "NotFound",
    "SimulationFailed",
    "Unavailable",
    "explain_file_error",
    "is_disk_full",
    "nearest",
]


@dataclass(frozen=True, slots=True)
class Detail:
    """One mistake among several: where it is (``$.targets[2].weight``) and what is wrong there."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


class ModelOpsError(Exception):
    """Root of the tree.

    ``hint`` is the next step in the user's words, ``code`` a stable identifier for programs,
    ``retryable`` says whether the same call may succeed later, ``exit_code`` is what a console
    returns, ``details`` lists single mistakes. ``str(error)`` is the message alone.
    """

    default_code: ClassVar[str] = "error"
    default_retryable: ClassVar[bool] = False
    default_exit_code: ClassVar[int] = 1

    def __init__(
        self,
        message: str = "",
        *,
        hint: str | None = None,
        code: str | None = None,
        retryable: bool | None = None,
        exit_code: int | None = None,
        details: Iterable[Detail] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = self.default_code if code is None else code
        self.retryable = self.default_retryable if retryable is None else retryable
        self.exit_code = self.default_exit_code if exit_code is None else exit_code
        self.details: tuple[Detail, ...] = tuple(details)

    def __str__(self) -> str:
        # KeyError would print the repr of its argument, OSError its errno.
        return self.message


class InvalidInput(ModelOpsError):
    default_code = "invalid_input"


class NotFound(ModelOpsError):
    default_code = "not_found"


class Conflict(ModelOpsError):
    default_code = "conflict"


class AccessDenied(ModelOpsError):
    default_code = "access_denied"
    default_exit_code = 4


class Unavailable(ModelOpsError):
    default_code = "unavailable"
    default_retryable = True
    default_exit_code = 5


class IntegrityError(ModelOpsError):
    default_code = "integrity"


class SimulationFailed(ModelOpsError):
    """The author's model raised. ``remote_traceback`` is the text from the process it ran in."""

    default_code = "simulation_failed"

    def __init__(
        self,
        message: str = "",
        *,
        remote_traceback: str = "",
        hint: str | None = None,
        code: str | None = None,
        retryable: bool | None = None,
        exit_code: int | None = None,
        details: Iterable[Detail] = (),
    ) -> None:
        super().__init__(
            message,
            hint=hint,
            code=code,
            retryable=retryable,
            exit_code=exit_code,
            details=details,
        )
        self.remote_traceback = remote_traceback


class Interrupted(ModelOpsError):
    default_code = "interrupted"
    default_exit_code = 130


class ContractViolationError(InvalidInput):
    default_code = "contract_violation"


class EntrypointFormatError(InvalidInput, ValueError):
    default_code = "invalid_entrypoint"


class InvalidValue(InvalidInput, ValueError):
    """An InvalidInput for callers that catch ValueError."""


class InvalidType(InvalidInput, TypeError):
    """An InvalidInput for callers that catch TypeError."""


class MissingKey(NotFound, KeyError):
    """A NotFound for callers that catch KeyError; prints its message without quotes."""


class MissingFile(NotFound, FileNotFoundError):
    """A NotFound for callers that catch FileNotFoundError."""


def is_disk_full(error: OSError) -> bool:
    return error.errno in {errno.ENOSPC, errno.EDQUOT}


def explain_file_error(error: OSError) -> tuple[str, str | None]:
    """What to say of a file that could not be read or written, and what to do about it."""
    reason = error.strerror or type(error).__name__
    message = reason if error.filename is None else f"{error.filename}: {reason}"
    if is_disk_full(error):
        return message, "free some space there and do it again; what was finished is kept"
    return message, None


def nearest(name: str, candidates: Iterable[str], n: int = 3) -> list[str]:
    """Up to ``n`` candidates that look like ``name``, best first; case does not count."""
    from difflib import get_close_matches

    spelled: dict[str, str] = {}
    for candidate in candidates:
        spelled.setdefault(candidate.casefold(), candidate)
    close = get_close_matches(name.casefold(), list(spelled), n=n, cutoff=0.5)
    return [spelled[key] for key in close]
