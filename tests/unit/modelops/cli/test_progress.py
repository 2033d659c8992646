from __future__ import annotations

import io
import json
from typing import Any

import pytest

from modelops.cli._console import Console
from modelops.cli._progress import (
    BarDisplay,
    ConsoleReporter,
    JsonDisplay,
    PlainDisplay,
    Progress,
    open_reporter,
    progress_line,
)
from modelops_contracts.ports import Reporter


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def make(err: io.StringIO | None = None, **options: Any) -> Console:
    return Console({}, out=io.StringIO(), err=err or io.StringIO(), **options)


def said(console: Console) -> list[str]:
    return console.err.getvalue().splitlines()  # type: ignore[union-attr]


def test_it_is_a_reporter() -> None:
    reporter: Reporter = ConsoleReporter(make(), None)
    reporter.start("simulations", 3)
    reporter.advance()
    reporter.finish()


def test_the_line_says_what_count_rate_time_and_failures() -> None:
    clock = Clock()
    state = Progress("simulations", 100, clock)
    clock.now += 10
    state.advance(20, 2, "")
    assert progress_line(state) == "simulations 20/100, 2/s, 10 s, ETA 40 s, 2 failed"


def test_the_rate_is_that_of_the_last_thirty_seconds() -> None:
    clock = Clock()
    state = Progress("simulations", None, clock)
    for _ in range(10):
        clock.now += 10
        state.advance(10, 0, "")
    clock.now += 100
    state.advance(10, 0, "")
    assert state.rate == pytest.approx(0.1)


def test_no_eta_before_anything_is_known() -> None:
    clock = Clock()
    state = Progress("simulations", 1000, clock)
    assert state.eta is None
    clock.now += 1
    state.advance(1, 0, "")
    assert state.eta is None
    clock.now += 5
    state.advance(1, 0, "")
    assert state.eta is not None


def test_plain_lines_come_every_ten_seconds() -> None:
    console, clock = make(), Clock()
    reporter = ConsoleReporter(console, PlainDisplay(console, clock), clock)
    reporter.start("simulations", 100)
    for _ in range(25):
        clock.now += 1
        reporter.advance()
    reporter.finish("100 done")
    lines = said(console)
    assert [line.split(",")[0] for line in lines[:3]] == [
        "simulations 10/100",
        "simulations 20/100",
        "simulations 25/100",
    ]
    assert lines[3:] == ["100 done"]


def test_short_work_says_nothing() -> None:
    console, clock = make(), Clock()
    reporter = ConsoleReporter(console, PlainDisplay(console, clock), clock)
    reporter.start("simulations", 2)
    clock.now += 0.5
    reporter.advance(2)
    reporter.finish()
    assert said(console) == []


def test_json_events_go_to_stdout_once_a_second_and_at_the_end() -> None:
    console, clock = make(json=True), Clock()
    reporter = ConsoleReporter(console, JsonDisplay(console, "mops.run/1", clock), clock)
    reporter.start("simulations", 4)
    for _ in range(4):
        clock.now += 0.4
        reporter.advance(failed=1)
    reporter.finish()
    events = [json.loads(line) for line in console.out.getvalue().splitlines()]  # type: ignore[union-attr]
    assert [event["done"] for event in events] == [3, 4]
    assert events[-1]["failed"] == 4
    assert {event["schema"] for event in events} == {"mops.run/1"}
    assert {event["event"] for event in events} == {"progress"}


def test_a_bar_is_drawn_on_a_terminal_and_gone_at_the_end() -> None:
    console, clock = make(Terminal()), Clock()
    reporter = ConsoleReporter(console, BarDisplay(console, clock), clock)
    reporter.start("[red]simulations", 10)
    clock.now += 2
    reporter.advance(5, failed=1)
    reporter.warn("something odd")
    clock.now += 2
    reporter.advance(5)
    reporter.finish("10 done")
    text = console.err.getvalue()  # type: ignore[union-attr]
    assert "[red]simulations 5/10" in text  # markup of a name is text
    assert "something odd" in text
    assert text.endswith("10 done\n")


@pytest.mark.parametrize(
    ("terminal", "mode", "options", "display"),
    [
        (True, "auto", {}, BarDisplay),
        (False, "auto", {}, PlainDisplay),
        (True, "plain", {}, PlainDisplay),
        (False, "bar", {}, BarDisplay),
        (True, "none", {}, None),
        (True, "auto", {"quiet": True}, None),
        (True, "bar", {"json": True}, JsonDisplay),
    ],
)
def test_which_display(
    terminal: bool, mode: str, options: dict[str, bool], display: type | None
) -> None:
    console = make(Terminal() if terminal else io.StringIO(), **options)
    chosen = open_reporter(console, mode, schema="x/1", stream=True).display
    assert (None if chosen is None else type(chosen)) is display
