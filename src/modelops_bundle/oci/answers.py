"""What a registry answers, and the errors that it means."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import BadStatusLine
from typing import TYPE_CHECKING, Any

from modelops_bundle.oci.documents import load_document
from modelops_contracts.errors import (
    AccessDenied,
    Conflict,
    IntegrityError,
    InvalidInput,
    ModelOpsError,
    NotFound,
    Unavailable,
)

if TYPE_CHECKING:
    import urllib3

_LONGEST_TEXT = 300
_NUMBER = re.compile(r"[0-9]{1,18}")
_OBJECT = re.compile(r"^HTTPS?Connection(?:Pool)?\(host=.*?, port=\d+\): ")
_WORTH_ANOTHER_TRY = frozenset({408, 429, 500, 502, 503, 504})


class Broken(Unavailable):
    """A request that did not get through and may be repeated; `wait` is what was asked for."""

    wait: float | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `data` is empty when the body is left to be read from `raw`."""

    status: int
    headers: Mapping[str, str]
    data: bytes
    raw: urllib3.BaseHTTPResponse
    url: str


def explain_refusal(
    host: str, answer: Answer, verb: str, what: str, *, conceal: Callable[[str], str] = str
) -> ModelOpsError:
    """Return the error that an answer means; `Broken` where another try may help.

    `conceal` takes secrets out of what the registry says: some repeat what they were sent.
    """
    code, text = _registry_error(answer.data)
    text = conceal(text)[:_LONGEST_TEXT]
    status = answer.status
    message = f"{host}: {what}: {verb} answered {status}" + (f": {text}" if text else "")
    if status == 404 or code in {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN"}:
        return NotFound(message, code="registry_not_found", hint=_hint_for_missing(code, what))
    if status in {401, 403}:
        return AccessDenied(
            message, code="registry_denied", hint=f"docker login {host}, or ask for access"
        )
    if status in _WORTH_ANOTHER_TRY or status >= 500:
        found = Broken(message, code="registry_unavailable", hint="try again later")
        found.wait = _retry_after(answer.headers)
        return found
    if code == "DIGEST_INVALID":
        return IntegrityError(message)
    if status == 412:
        return Conflict(message, code="tag_moved")
    hint = "mops bundle push --tag NAME, for a tag that may be moved" if status == 409 else None
    return InvalidInput(message, code="registry_refused", hint=hint)


def _hint_for_missing(code: str, what: str) -> str | None:
    if code in {"MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN"}:
        return "mops bundle push, which sends what is missing"
    if ": blob " in what:
        return "mops bundle verify REF says what is missing; push again where the files are"
    return None


def final_error(error: Broken) -> Unavailable:
    """Return the same error as one that no second try can help."""
    return Unavailable(error.message, hint=error.hint, code=error.code)


def cause_of(error: BaseException) -> str:
    """Return what went wrong, without the names of connection objects."""
    inner = error.args[1] if len(error.args) > 1 else None  # "Connection aborted.", and by what
    found = inner if isinstance(inner, Exception) else getattr(error, "reason", None) or error
    if isinstance(found, BadStatusLine) and not isinstance(found, OSError):
        return "what comes back is not HTTP"
    return _OBJECT.sub("", str(found)).rpartition(">: ")[2] or type(error).__name__


def read_number(text: str) -> int | None:
    """Return the whole number that a header gives; None for anything else."""
    return int(text) if _NUMBER.fullmatch(text) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that are asked for; a moment is taken by the clock that named it."""
    value = headers.get("Retry-After", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        moment, now = _moment(value), _moment(headers.get("Date", ""))
    return max(0.0, moment - (now or time.time())) if moment is not None else None


def _moment(text: str) -> float | None:
    """Return the seconds since 1970 of an HTTP date, None for anything else."""
    from email.utils import parsedate_to_datetime

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError, IndexError):
        return None


def json_of(data: bytes) -> Mapping[str, Any]:
    try:
        found = load_document(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _registry_error(data: bytes) -> tuple[str, str]:
    errors = json_of(data).get("errors")
    if not isinstance(errors, list) or not errors or not isinstance(errors[0], dict):
        return "", ""
    code, text = str(errors[0].get("code", "")), str(errors[0].get("message", ""))
    return code, " ".join(f"{code} {text}".split())
