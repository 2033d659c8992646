"""Bundle commands killed at each of their writes, and many of them at once: nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.crash_runs import run_program

TIMES = 100  # where a command has more failpoints than that, so many are chosen at random


@pytest.mark.parametrize(
    ("name", "fewest"),
    [
        ("register", 20), ("refresh", 20), ("add", 10), ("remove", 8), ("push", 50),
        ("pull", TIMES), ("clone", 50), ("cache", 30), ("gc", 20),
    ],
)  # fmt: skip
def test_killed_anywhere_nothing_is_lost_and_the_next_run_heals(
    tmp_path: Path, name: str, fewest: int
) -> None:
    found = run_program("crashing", tmp_path, name, TIMES, 20)
    assert found["points"] == min(TIMES, found["of"])
    assert found["points"] >= fewest


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["register", "refresh", "push", "pull", "clone"])
def test_killed_at_every_point(tmp_path: Path, name: str) -> None:
    found = run_program("crashing", tmp_path, name, 10_000, 20, timeout=3600)
    assert found["points"] == found["of"]


def test_many_registrations_additions_and_refreshes_at_once_are_all_kept(tmp_path: Path) -> None:
    assert run_program("crashing_races", tmp_path, "register", 8) == {"at_once": 24}


def test_refresh_against_push(tmp_path: Path) -> None:
    assert run_program("crashing_races", tmp_path, "refresh-push", 10)["pushed"] > 0


def test_pull_against_edit(tmp_path: Path) -> None:
    assert run_program("crashing_races", tmp_path, "pull-edit", 25)["rounds"] == 25


def test_of_two_pushes_to_one_tag_exactly_one_wins(tmp_path: Path) -> None:
    """In a layout directory: always, and the other is told at once."""
    found = run_program("crashing_races", tmp_path, "push-push", 200)
    assert found == {"rounds": 200, "both": 0}
