"""An exception as data that travels: what it is, what it says, where the author's code was."""

from __future__ import annotations

import os
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

__all__ = ["describe_error"]

_TRACEBACK_BYTES = 1 << 16
_MESSAGE_BYTES = 1 << 14


def describe_error(error: BaseException) -> dict[str, Any]:
    """Type, message, hint and traceback, each bounded, none of them lost.

    The traceback begins in the author's code: how the runner came there is nobody's question. An
    error of the product ``says_all`` itself, unless one of the author's stands behind it: of its
    traceback only the author's lines are left, and ``place`` is the last of them, such as
    ``targets/cases.py:13``, or None.
    """
    hint = getattr(error, "hint", None)
    root = _root()
    says_all = _says_all(error, root)
    text = _short(error, root) if says_all else _whole(error, root)
    return {
        "error_type": _type_name(type(error)),
        "message": _bounded(_message(error), _MESSAGE_BYTES),
        "hint": _bounded(hint, _MESSAGE_BYTES) if isinstance(hint, str) else None,
        "traceback": _bounded(text, _TRACEBACK_BYTES),
        "says_all": says_all,
        "place": _place(error, root) if says_all else None,
    }


def _root() -> str | None:
    """The bundle's root, with a separator at its end; None when the author's code removed it."""
    try:
        return f"{Path.cwd()}{os.sep}"
    except OSError:
        return None


# ---------------------------------------------------------------- tracebacks


def _whole(error: BaseException, root: str | None) -> str:
    start = next(_of_the_author(error, root), error.__traceback__)
    return "".join(traceback.format_exception(type(error), error, start))


def _short(error: BaseException, root: str | None) -> str:
    frames = [
        traceback.FrameSummary(_relative(part, root), part.tb_lineno, part.tb_frame.f_code.co_name)
        for part in _of_the_author(error, root)
    ]
    head = ["Traceback (most recent call last):\n"] if frames else []
    lines = traceback.format_exception_only(type(error), error)
    return "".join([*head, *traceback.format_list(frames), *lines])


def _place(error: BaseException, root: str | None) -> str | None:
    parts = list(_of_the_author(error, root))
    return f"{_relative(parts[-1], root)}:{parts[-1].tb_lineno}" if parts else None


def _of_the_author(error: BaseException, root: str | None) -> Iterator[TracebackType]:
    """The steps of the traceback that lie in files below the bundle's root."""
    part = error.__traceback__
    while part is not None:
        if root is not None and part.tb_frame.f_code.co_filename.startswith(root):
            yield part
        part = part.tb_next


def _relative(part: TracebackType, root: str | None) -> str:
    return part.tb_frame.f_code.co_filename[len(root or "") :]


# ---------------------------------------------------------------- whose error it is


def _says_all(error: BaseException, root: str | None) -> bool:
    """True for an error of the product that no exception of the author's stands behind."""
    return _is_ours(error) and all(
        _is_ours(behind) or next(_of_the_author(behind, root), None) is None
        for behind in _behind(error)
    )


def _is_ours(error: BaseException) -> bool:
    """By name: this interpreter may have another copy of the tree, or none."""
    return any(
        kind.__name__ == "ModelOpsError" and kind.__module__.startswith("modelops_contracts.")
        for kind in type(error).__mro__
    )


def _behind(error: BaseException) -> Iterator[BaseException]:
    """Causes and contexts, as far as a traceback would show them."""
    seen = {id(error)}
    current = error
    while True:
        following = current.__cause__
        if following is None and not current.__suppress_context__:
            following = current.__context__
        if following is None or id(following) in seen:
            return
        seen.add(id(following))
        current = following
        yield current


# ---------------------------------------------------------------- words


def _type_name(kind: type) -> str:
    if kind.__module__ in ("builtins", "__main__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001  (the author's __str__ may raise anything)
        return f"<message unavailable: {type(second).__name__}>"


def _bounded(text: str, limit: int) -> str:
    # Surrogates (undecodable file names) cannot travel as UTF-8.
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n... {len(text) - limit} characters left out ...\n{text[-half:]}"
