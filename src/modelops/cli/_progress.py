"""Progress on stderr: a bar on a terminal, one plain line every ten seconds elsewhere."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from modelops.cli._console import Console, duration, while_somebody_listens

PLAIN_EVERY = 10.0
JSON_EVERY = 1.0
FIRST_AFTER = 1.0  # work shorter than this shows nothing
RATE_WINDOW = 30.0
ETA_AFTER_SECONDS, ETA_AFTER_SHARE = 5.0, 0.02


class Display(Protocol):
    """Where the state of one piece of work is shown."""

    def update(self, state: Progress, *, last: bool) -> None: ...

    def clear(self) -> None: ...


class Progress:
    """What is done of one piece of work, how fast, and how long it will take."""

    def __init__(self, what: str, total: int | None, clock: Callable[[], float]) -> None:
        self.what = what
        self.total = total
        self.done = 0
        self.failed = 0
        self.note = ""
        self.clock = clock
        self.started = clock()
        self.recent: deque[tuple[float, int]] = deque([(self.started, 0)])

    def advance(self, n: int, failed: int, note: str) -> None:
        self.done += n
        self.failed += failed
        self.note = note or self.note
        now = self.clock()
        self.recent.append((now, self.done))
        while len(self.recent) > 2 and self.recent[0][0] < now - RATE_WINDOW:
            self.recent.popleft()

    @property
    def elapsed(self) -> float:
        return self.clock() - self.started

    @property
    def rate(self) -> float | None:
        """Units per second over the last 30 s; None before anything was done."""
        (first, before), (last, after) = self.recent[0], self.recent[-1]
        return (after - before) / (last - first) if last > first and after > before else None

    @property
    def eta(self) -> float | None:
        """Seconds still needed; None until 5 s or 2 % have passed, or without a total."""
        rate = self.rate
        if self.total is None or rate is None:
            return None
        known = self.elapsed >= ETA_AFTER_SECONDS or self.done >= ETA_AFTER_SHARE * self.total
        return max(0.0, (self.total - self.done) / rate) if known else None


def progress_line(state: Progress) -> str:
    """`simulations 120/640, 31.2/s, 4 s, ETA 17 s, 2 failed`."""
    parts = [f"{state.what} {count_text(state)}".rstrip()]
    if state.rate is not None:
        parts.append(f"{state.rate:.3g}/s")
    parts.append(duration(state.elapsed))
    if state.eta is not None and state.done != state.total:
        parts.append(f"ETA {duration(state.eta)}")
    if state.failed:
        parts.append(f"{state.failed} failed")
    if state.note:
        parts.append(state.note)
    return ", ".join(parts)


def count_text(state: Progress) -> str:
    """`120/640`; without a total `120`, and nothing as long as nothing was counted."""
    if state.total is None:
        return str(state.done) if state.done else ""
    return f"{state.done}/{state.total}"


class PlainDisplay:
    """One line every ten seconds."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.console = console
        self.clock = clock
        self.shown = clock()

    def update(self, state: Progress, *, last: bool) -> None:
        now = self.clock()
        due = now - self.shown >= PLAIN_EVERY
        if due or (last and state.elapsed >= FIRST_AFTER):
            self.shown = now
            self.console.note(progress_line(state))

    def clear(self) -> None:
        """Nothing stays on the screen that would have to go."""


class JsonDisplay:
    """One event per second, for commands whose JSON form is a stream."""

    def __init__(self, console: Console, schema: str, clock: Callable[[], float]) -> None:
        self.console = console
        self.schema = schema
        self.clock = clock
        self.shown = clock()

    def update(self, state: Progress, *, last: bool) -> None:
        now = self.clock()
        if last or now - self.shown >= JSON_EVERY:
            self.shown = now
            # A reader that went away must not end the work; the answer will notice.
            with while_somebody_listens():
                self.console.value(progress_event(self.schema, state))

    def clear(self) -> None:
        """Lines that were written stay."""


def progress_event(schema: str, state: Progress) -> dict[str, Any]:
    return {
        "schema": schema,
        "event": "progress",
        "what": state.what,
        "done": state.done,
        "total": state.total,
        "failed": state.failed,
        "elapsed": round(state.elapsed, 3),
        "eta": None if state.eta is None else round(state.eta, 1),
        "note": state.note,
    }


class BarDisplay:
    """A bar on a terminal, drawn by rich, which is imported when the first bar is due."""

    def __init__(self, console: Console, clock: Callable[[], float]) -> None:
        self.console = console
        self.clock = clock
        self.live: Any = None
        self.drawn = 0.0

    def update(self, state: Progress, *, last: bool) -> None:
        if self.live is None:
            if last or state.elapsed < FIRST_AFTER:
                return
            self.live = start_live(self.console)
        now = self.clock()
        if last or now - self.drawn >= 0.1:
            self.drawn = now
            with while_somebody_listens():
                self.live.update(draw(state, self.console), refresh=True)

    def clear(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None


def start_live(console: Console) -> Any:
    from rich.console import Console as RichConsole
    from rich.live import Live

    screen = console.err_screen
    rich = RichConsole(
        file=console.err,
        width=screen.width or 80,
        no_color=not screen.color,
        force_terminal=True,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    live = Live(
        console=rich,
        auto_refresh=False,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    live.start()
    return live


def draw(state: Progress, console: Console) -> Any:
    """One line: a bar of at most 30 columns where a total is known, then the figures."""
    from rich.text import Text

    screen = console.err_screen
    line = progress_line(state)
    room = min(30, screen.width - len(line) - 4)
    if state.total and room >= 5:
        filled = round(room * min(1.0, state.done / state.total))
        bar = screen.mark("━", "#") * filled + screen.mark("─", "-") * (room - filled)
        line = f"{bar}  {line}"
    return Text(line, no_wrap=True, overflow="ellipsis")


class ConsoleReporter:
    """The Reporter port, told on a console."""

    def __init__(
        self, console: Console, display: Display | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.console = console
        self.display = display
        self.clock = clock
        self.state: Progress | None = None

    def start(self, what: str, total: int | None = None) -> None:
        self.close()
        self.state = Progress(what, total, self.clock)

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        if self.state is None:
            return
        self.state.advance(n, failed, note)
        if self.display is not None:
            self.display.update(self.state, last=False)

    def note(self, text: str) -> None:
        self.clear()
        self.console.note(text)

    def warn(self, text: str) -> None:
        self.clear()
        self.console.warn(text)

    def finish(self, summary: str = "") -> None:
        if self.state is not None and self.display is not None:
            self.display.update(self.state, last=True)
        self.close()
        if summary:
            self.console.note(summary)

    def close(self) -> None:
        self.clear()
        self.state = None

    def clear(self) -> None:
        if self.display is not None:
            self.display.clear()


def open_reporter(
    console: Console, mode: str, *, schema: str, stream: bool = False
) -> ConsoleReporter:
    """Choose the display for a mode (auto, bar, plain, none); auto: a bar exactly on terminals."""
    if console.json:
        events = JsonDisplay(console, schema, time.monotonic) if stream else None
        return ConsoleReporter(console, events)
    if console.quiet or mode == "none":
        return ConsoleReporter(console, None)
    if mode == "bar" or (mode == "auto" and console.err_screen.terminal):
        return ConsoleReporter(console, BarDisplay(console, time.monotonic))
    return ConsoleReporter(console, PlainDisplay(console, time.monotonic))
