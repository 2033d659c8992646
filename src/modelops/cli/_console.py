"""Streams, tables, marks, questions: everything a console writes goes through here.

stdout carries the answer, stderr everything else. With `--json` stdout is JSON and nothing else.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TextIO

BOLD, RED, YELLOW, PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
UNITS = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True, slots=True)
class Screen:
    """What a renderer may know of the stream it writes for. The default is a file."""

    terminal: bool = False
    width: int = 0
    unicode: bool = True
    color: bool = False
    now: float = field(default_factory=time.time)

    def mark(self, fine: str, plain: str) -> str:
        """Return `fine` where the stream can show it, `plain` ASCII elsewhere."""
        return fine if self.unicode else plain

    def bold(self, text: str) -> str:
        return f"{BOLD}{text}{PLAIN}" if self.color else text

    def when(self, moment: str | float | None) -> str:
        """Return a time: relative on a terminal (`3 min ago`), ISO 8601 UTC elsewhere."""
        seconds = to_seconds(moment)
        if seconds is None:
            return "-"
        if self.terminal:
            return f"{duration(max(0.0, self.now - seconds))} ago"
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def to_seconds(moment: str | float | None) -> float | None:
    if moment is None or moment == "":
        return None
    if isinstance(moment, str):
        return datetime.fromisoformat(moment).timestamp()
    return float(moment)


def duration(seconds: float) -> str:
    """`42 s`, `3 min`, `2 h`, `5 d`: one figure, rounded down."""
    for unit, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{int(seconds // unit)} {name}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def size(count: int) -> str:
    """Bytes as people read them: `12.4 MiB`."""
    value = float(count)
    for unit in UNITS:
        if value < 1024 or unit == UNITS[-1]:
            return f"{count} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("the last unit takes everything")


def figure(value: float | None, digits: int = 6) -> str:
    """A number in a table: `digits` significant ones, `-` for none."""
    return "-" if value is None else f"{value:.{digits}g}"


def plural(count: int, noun: str, many: str | None = None) -> str:
    return f"{count} {noun if count == 1 else many or noun + 's'}"


def table(
    header: Sequence[str], rows: Iterable[Sequence[object]], screen: Screen, *, indent: int = 0
) -> list[str]:
    """Aligned columns with one header line. Numbers stand to the right, nothing is cut.

    Without rows a file still has its header; on a terminal it would be the head of nothing.
    """
    cells = [["-" if cell is None else one_row(str(cell)) for cell in row] for row in rows]
    widths = [
        max([len(title), *(len(row[column]) for row in cells)])
        for column, title in enumerate(header)
    ]
    right = [
        bool(cells) and all(is_number(row[column]) for row in cells)
        for column in range(len(header))
    ]
    if screen.terminal and not cells:
        return []
    margin = " " * indent
    lines = [margin + align(header, widths, right)]
    lines[0] = screen.bold(lines[0])
    return lines + [margin + align(row, widths, right) for row in cells]


def align(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    )
    return "  ".join(padded).rstrip()


def one_row(text: str) -> str:
    """A cell stays on its line, and no control character of a file name reaches the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def are_numbers(column: Sequence[str]) -> bool:
    """All that is there is a number, and something is."""
    filled = [text for text in column if text != "-"]
    return bool(filled) and all(is_number(text) for text in filled)


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def pairs(rows: Iterable[tuple[str, object]], *, indent: int = 2) -> list[str]:
    """Aligned `label  value` lines; a label whose value is None is left out."""
    kept = [(label, value) for label, value in rows if value is not None]
    width = max((len(label) for label, _ in kept), default=0)
    return [f"{' ' * indent}{label.ljust(width)}  {value}".rstrip() for label, value in kept]


class Console:
    """The streams of one command: answers to stdout, all else to stderr."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        json: bool = False,
        quiet: bool = False,
        verbose: int = 0,
        no_color: bool = False,
        yes: bool = False,
        out: TextIO | None = None,
        err: TextIO | None = None,
    ) -> None:
        self.json = json
        self.quiet = quiet
        self.verbose = verbose
        self.yes = yes
        self.out = sys.stdout if out is None else out
        self.err = sys.stderr if err is None else err
        plain = no_color or json
        self.screen = look_at(self.out, environment, plain=plain)
        self.err_screen = look_at(self.err, environment, plain=plain)
        self.may_ask = not (json or yes or environment.get("CI")) and self.err_screen.terminal
        self.warnings: list[str] = []

    def print(self, lines: Iterable[str]) -> None:
        """Write the text form of the answer."""
        write(self.out, "".join(f"{line}\n" for line in lines))

    def value(self, value: Mapping[str, Any]) -> None:
        """Write one JSON value, flushed: a stream of events is read while it is written."""
        from modelops.cli._json import one_line

        write(self.out, one_line(value) + "\n", encoding="utf-8")

    def say(self, text: str) -> None:
        """Write to stderr. Where nobody listens any more, the work goes on."""
        with while_somebody_listens():
            write(self.err, text)

    def hang_up(self) -> None:
        """The terminal is gone: what would be written to it goes nowhere from now on."""
        shown = ((self.out, self.screen), (self.err, self.err_screen))
        lead_nowhere(
            [stream.fileno() for stream, screen in shown if stream is not None and screen.terminal]
        )

    def note(self, text: str) -> None:
        if not self.quiet:
            self.say(f"{text}\n")

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        if not self.quiet:
            label = f"{YELLOW}warning:{PLAIN}" if self.err_screen.color else "warning:"
            self.say(f"{label} {text}\n")

    def complain(self, text: str) -> None:
        """Say an error that the answer on stdout also holds."""
        label = f"{RED}error:{PLAIN}" if self.err_screen.color else "error:"
        self.say(f"{label} {text}\n")

    def hint(self, text: str) -> None:
        self.say(f"hint: {text}\n")

    def info(self, text: str) -> None:
        if self.verbose and not self.quiet:
            self.say(f"{text}\n")

    def ask(self, question: str, *, option: str) -> bool | None:
        """Ask a yes-no question, default No. None: there is nobody to ask (`option` answers it)."""
        if self.yes:
            return True
        if not self.may_ask or sys.stdin is None or not sys.stdin.isatty():
            return None
        write(self.err, f"{question} ({option}) [y/N] ")
        answer = sys.stdin.readline()
        if not answer:
            write(self.err, "\n")
        return answer.strip().lower() in {"y", "yes"}


def lead_nowhere(descriptors: Iterable[int]) -> None:
    """What is written there from now on is lost."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in descriptors:
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


@contextmanager
def while_somebody_listens() -> Iterator[None]:
    """Writing to a pipe without reader, or to a terminal that hung up, is no error here."""
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.EPIPE, errno.EIO}:
            raise


def look_at(stream: TextIO | None, environment: Mapping[str, str], *, plain: bool) -> Screen:
    """Find out what a stream can show."""
    if stream is None:
        return Screen()
    terminal = stream.isatty()
    forced = bool(environment.get("FORCE_COLOR"))
    dumb = environment.get("TERM") == "dumb"
    off = plain or "NO_COLOR" in environment or dumb
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    return Screen(
        terminal=terminal,
        width=columns(stream) if terminal else 0,
        unicode=encoding.startswith("utf"),
        color=not off and (terminal or forced),
    )


def columns(stream: TextIO) -> int:
    try:
        # A terminal that does not know its size says 0.
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def write(stream: TextIO | None, text: str, encoding: str | None = None) -> None:
    """Write and flush; characters the stream cannot encode are escaped, never an error."""
    if stream is None:
        return
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(text)
    else:
        stream.flush()
        buffer.write(text.encode(encoding or stream.encoding or "utf-8", "backslashreplace"))
    stream.flush()
