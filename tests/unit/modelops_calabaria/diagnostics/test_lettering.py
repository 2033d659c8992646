"""Words in a given width."""

from __future__ import annotations

import pytest

from modelops_calabaria.diagnostics.lettering import fitted, wrap

LONG = "transmission_rate_of_age_group_3_in_urban_districts [1/day]"


def test_what_fits_stays_as_it_is() -> None:
    assert fitted("beta [1/day]", 2.0, 7.5) == "beta [1/day]"
    assert fitted("", 2.0, 7.5) == ""


@pytest.mark.parametrize("lines", [2, 3, 5])
def test_names_are_broken_at_their_joints(lines: int) -> None:
    broken = fitted(LONG, 40 * 0.6 * 7.5 / 72, 7.5, lines=lines)
    assert broken.replace("\n", "").replace(" ", "") == LONG.replace(" ", "")
    assert max(map(len, broken.split("\n"))) <= 40
    assert all(line[-1] in "_]" for line in broken.split("\n"))


def test_what_is_still_too_long_keeps_both_ends() -> None:
    short = fitted(LONG, 12 * 0.6 * 7.5 / 72, 7.5)
    assert short.count("\n") == 1
    assert short.startswith("transmissi")
    assert short.endswith("ts [1/day]")
    assert "…" in short
    assert max(map(len, short.split("\n"))) <= 12


def test_one_word_without_joints_is_cut() -> None:
    assert fitted("a" * 20, 12.5 * 0.6 * 7.5 / 72, 7.5) == "a" * 12 + "\n" + "a" * 8


def test_running_text_keeps_its_lines() -> None:
    assert wrap("one\ntwo", 2.0, 8.0) == ["one", "two"]
    assert wrap("", 2.0, 8.0) == [""]
