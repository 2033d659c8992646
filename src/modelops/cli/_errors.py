"""An exception as people and programs read it: `error:`, `hint:`, an exit code, or JSON."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from modelops.cli._console import PLAIN, RED, Screen, lead_nowhere, look_at, write
from modelops_contracts.errors import Detail, ModelOpsError, explain_file_error, is_disk_full

USAGE, INTERRUPTED = 2, 130
SCHEMA = "mops.error/1"


@dataclass(frozen=True, slots=True)
class ErrorReport:
    """What is said about a failure, in both forms."""

    code: str
    message: str
    hint: str | None = None
    exit_code: int = 1
    retryable: bool = False
    details: tuple[Detail, ...] = ()
    traceback: str | None = None
    nearest: tuple[str, ...] = ()
    preface: str = ""


def report(error: BaseException, console: str, arguments: Sequence[str]) -> int:
    """Print what went wrong and return the exit code."""
    told = describe(error, console, arguments)
    print_report(told, arguments)
    return told.exit_code


def report_interrupt(arguments: Sequence[str]) -> int:
    print_report(INTERRUPT, arguments)
    return INTERRUPTED


INTERRUPT = ErrorReport("interrupted", "interrupted", exit_code=INTERRUPTED)


def describe(error: BaseException, console: str, arguments: Sequence[str]) -> ErrorReport:
    """Map any exception to what is said about it."""
    if isinstance(error, ModelOpsError):
        return from_ours(error, arguments)
    click_report = from_click(error)
    if click_report is not None:
        return click_report
    if isinstance(error, OSError) and (error.filename is not None or is_disk_full(error)):
        message, hint = explain_file_error(error)
        return ErrorReport("file_access", message, hint)
    return from_unexpected(error, console, arguments)


def from_ours(error: ModelOpsError, arguments: Sequence[str]) -> ErrorReport:
    from traceback import format_exception

    traceback = getattr(error, "remote_traceback", "") or None
    if traceback is None and verbosity(arguments) >= 2:
        traceback = "".join(format_exception(error))
    return ErrorReport(
        code=error.code,
        message=str(error),
        hint=error.hint,
        exit_code=error.exit_code,
        retryable=error.retryable,
        details=tuple(error.details),
        traceback=traceback,
    )


def from_click(error: BaseException) -> ErrorReport | None:
    """A mistake on the command line: exit code 2, the nearest names, and where help is."""
    from click.exceptions import Abort, ClickException, NoArgsIsHelpError, NoSuchOption, UsageError

    if isinstance(error, Abort):
        return INTERRUPT
    if isinstance(error, NoArgsIsHelpError):
        path = error.ctx.command_path
        help_text = error.format_message().rstrip() + "\n"
        return ErrorReport("usage", f"{path} needs a command", exit_code=USAGE, preface=help_text)
    if not isinstance(error, ClickException):
        return None
    message = error.format_message().strip().removesuffix(".")
    nearest = tuple(getattr(error, "nearest", ()))
    ctx = error.ctx if isinstance(error, UsageError) else None
    if isinstance(error, NoSuchOption):
        message, nearest = unknown_option(error, ctx)
    elif ctx is not None and not hasattr(error, "nearest"):
        message = f"{ctx.command_path}: {lower_first(message)}"
    hint = getattr(error, "moved", None) or (f"{ctx.command_path} --help" if ctx else None)
    return ErrorReport("usage", message, hint, USAGE, nearest=nearest)


def unknown_option(error: Any, ctx: Any) -> tuple[str, tuple[str, ...]]:
    from modelops_contracts.errors import nearest

    if ctx is None:
        return f"no option {error.option_name}", ()
    options = [name for param in ctx.command.get_params(ctx) for name in param.opts]
    long = [name for name in options if name.startswith("--")]
    return f"{ctx.command_path} has no option {error.option_name}", tuple(
        nearest(error.option_name, long)
    )


def from_unexpected(error: BaseException, console: str, arguments: Sequence[str]) -> ErrorReport:
    """A mistake of ours: ask for a report, with the traceback in a log file."""
    from traceback import format_exception

    from modelops.cli._log import write_log

    traceback = "".join(format_exception(error))
    log = write_log(console, arguments, traceback)
    shown = traceback if verbosity(arguments) >= 2 or log is None else None
    what = "the traceback above" if log is None else f"the file {log}"
    return ErrorReport(
        "internal",
        f"internal error: {type(error).__name__}: {error}",
        f"Please report this with {what}",
        traceback=shown,
    )


def print_report(told: ErrorReport, arguments: Sequence[str]) -> None:
    """Write the text form to stderr, and with --json the value to stdout."""
    screen = stderr_screen(arguments)
    write_if_possible(sys.stdout, "")  # what is left of an answer that could not be written
    write_if_possible(sys.stderr, "".join(f"{line}\n" for line in error_lines(told, screen)))
    if wants_json(arguments):
        from modelops.cli._json import one_line

        write_if_possible(sys.stdout, one_line(error_value(told)) + "\n", encoding="utf-8")


def write_if_possible(stream: TextIO | None, text: str, encoding: str | None = None) -> None:
    """The last word of a command. A stream that does not take it (nobody listens, the disk behind
    it is full) must not be tried again when the interpreter ends: that would change the exit code.
    """
    try:
        write(stream, text, encoding)
    except OSError:
        assert stream is not None
        lead_nowhere([stream.fileno()])


def stderr_screen(arguments: Sequence[str]) -> Screen:
    if sys.stderr is None or not sys.stderr.isatty():
        return Screen()
    from modelops.config.sources import read_environ

    plain = "--no-color" in arguments or wants_json(arguments)
    return look_at(sys.stderr, read_environ(), plain=plain)


def error_lines(told: ErrorReport, screen: Screen) -> list[str]:
    label = f"{RED}error:{PLAIN}" if screen.color else "error:"
    lines = [told.preface] if told.preface else []
    lines += told.traceback.rstrip().splitlines() if told.traceback else []
    lines.append(f"{label} {told.message}")
    details = [f"  {detail.path}: {detail.message}" for detail in told.details]
    if len(details) > 1 or not _says(told.message, told.details):
        lines += [line for line in details if f"\n{line}\n" not in f"{told.message}\n"]
    if told.nearest:
        lines.append(f"  nearest: {', '.join(told.nearest)}")
    if told.hint:
        lines.append(f"hint: {told.hint}")
    return lines


def _says(message: str, details: Sequence[Any]) -> bool:
    """Whether the message ends with its only detail already."""
    return all(message.endswith(detail.message) for detail in details)


def error_value(told: ErrorReport) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "error": {
            "code": told.code,
            "message": told.message,
            "hint": told.hint,
            "exit_code": told.exit_code,
            "retryable": told.retryable,
            "details": [{"path": item.path, "message": item.message} for item in told.details],
            "nearest": list(told.nearest),
            "traceback": told.traceback,
        },
    }


def wants_json(arguments: Sequence[str]) -> bool:
    """The command line may be broken, so this looks at the words themselves."""
    words = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in words


def verbosity(arguments: Sequence[str]) -> int:
    counted = 0
    for word in arguments:
        if word == "--verbose":
            counted += 1
        elif re.fullmatch("-v+", word):
            counted += len(word) - 1
    return counted


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
