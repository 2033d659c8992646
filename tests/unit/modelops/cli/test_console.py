from __future__ import annotations

import io

import pytest

from modelops.cli._console import (
    Console,
    Screen,
    duration,
    figure,
    look_at,
    one_row,
    pairs,
    plural,
    size,
    table,
    write,
)

FILE = Screen()


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_table_is_aligned_and_nothing_is_cut() -> None:
    lines = table(("NAME", "COUNT"), [("a" * 300, 3), ("b", 12)], FILE)
    assert lines[0].startswith("NAME ")
    assert lines[1] == "a" * 300 + "      3"
    assert lines[2] == "b".ljust(300) + "     12"


def test_a_table_without_rows_is_its_header_in_a_file_only() -> None:
    assert table(("NAME", "COUNT"), [], FILE) == ["NAME  COUNT"]
    assert table(("NAME", "COUNT"), [], Screen(terminal=True)) == []


def test_none_is_a_dash_and_the_header_alone_is_bold() -> None:
    lines = table(("NAME",), [(None,)], Screen(color=True))
    assert lines == ["\x1b[1mNAME\x1b[0m", "-"]


def test_control_characters_and_markup_of_a_name_do_nothing() -> None:
    assert one_row("a\nb\x1b[31m[red]") == "a\\nb\\x1b[31m[red]"


def test_times_are_relative_on_a_terminal_and_iso_elsewhere() -> None:
    moment = "2026-01-02T03:04:05Z"
    later = Screen(terminal=True, now=1767323045 + 200)
    assert later.when(moment) == "3 min ago"
    assert FILE.when(moment) == "2026-01-02T03:04:05Z"
    assert FILE.when(None) == "-"
    assert FILE.when("") == "-"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.2 s"), (42, "42 s"), (61, "1 min"), (7300, "2 h"), (200000, "2 d")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (13002342, "12.4 MiB"), (2**50, "1024.0 TiB")]
)
def test_sizes(count: int, text: str) -> None:
    assert size(count) == text


def test_figures_and_plurals() -> None:
    assert figure(None) == "-"
    assert figure(1 / 3) == "0.333333"
    assert figure(float("inf")) == "inf"
    assert plural(1, "set") == "1 set"
    assert plural(0, "match", "matches") == "0 matches"


def test_pairs_leave_out_what_is_not_there() -> None:
    assert pairs([("A", 1), ("Long", "x"), ("B", None)]) == ["  A     1", "  Long  x"]


def test_marks_fall_back_to_ascii() -> None:
    assert Screen(unicode=False).mark("→", ">") == ">"
    assert Screen().mark("→", ">") == "→"


def test_a_stream_that_cannot_show_a_character_escapes_it() -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    write(stream, "naïve\n")
    assert raw.getvalue() == b"na\\xefve\n"
    write(stream, "naïve\n", encoding="utf-8")
    assert raw.getvalue().endswith("naïve\n".encode())
    write(None, "nobody is there")


@pytest.mark.parametrize(
    ("environment", "plain", "color"),
    [
        ({}, False, True),
        ({"NO_COLOR": ""}, False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False, False),
        ({"TERM": "dumb"}, False, False),
        ({}, True, False),
    ],
)
def test_colour_on_a_terminal(environment: dict[str, str], plain: bool, color: bool) -> None:
    assert look_at(Terminal(), environment, plain=plain).color is color


def test_colour_in_a_file_only_when_forced() -> None:
    assert look_at(io.StringIO(), {}, plain=False).color is False
    assert look_at(io.StringIO(), {"FORCE_COLOR": "1"}, plain=False).color is True


def make(environment: dict[str, str] | None = None, **options: bool) -> Console:
    return Console(environment or {}, out=io.StringIO(), err=Terminal(), **options)


def test_notes_and_warnings_go_to_stderr_and_warnings_are_kept() -> None:
    console = make(no_color=True)
    console.note("working")
    console.warn("odd")
    assert console.out is not None
    assert console.err is not None
    assert console.out.getvalue() == ""  # type: ignore[attr-defined]
    assert console.err.getvalue() == "working\nwarning: odd\n"  # type: ignore[attr-defined]
    assert console.warnings == ["odd"]


def test_quiet_says_nothing_but_keeps_the_warnings() -> None:
    console = make(quiet=True)
    console.note("working")
    console.warn("odd")
    assert console.err is not None
    assert console.err.getvalue() == ""  # type: ignore[attr-defined]
    assert console.warnings == ["odd"]


@pytest.mark.parametrize("options", [{"json": True}, {}])
def test_nobody_is_asked_without_a_terminal(options: dict[str, bool]) -> None:
    environment = {} if options else {"CI": "1"}
    assert make(environment, **options).ask("Remove it?", option="--yes") is None


def test_yes_answers_without_asking() -> None:
    console = make(yes=True)
    assert console.ask("Remove it?", option="--yes") is True
    assert console.err is not None
    assert console.err.getvalue() == ""  # type: ignore[attr-defined]


def test_json_is_one_line_of_utf8() -> None:
    raw = io.BytesIO()
    console = Console({}, json=True, out=io.TextIOWrapper(raw, encoding="ascii"), err=Terminal())
    console.value({"name": "naïve", "lines": "a\nb"})
    assert raw.getvalue() == '{"name": "naïve", "lines": "a\\nb"}\n'.encode()
