"""Commands that talk to a real registry, killed at each write, request and answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.crash_runs import run_program
from support.registries import find_registry

TIMES = 100
ROUNDS = 30


@pytest.mark.parametrize("name", ["push-remote", "pull-remote", "clone-remote"])
def test_killed_anywhere_nothing_is_lost_and_the_next_run_heals(tmp_path: Path, name: str) -> None:
    found = run_program("crashing", tmp_path, name, TIMES, 7, find_registry("plain").address)
    assert found["points"] == min(TIMES, found["of"])
    assert found["points"] >= 60


@pytest.mark.parametrize(
    "rounds", [ROUNDS, pytest.param(200, marks=[pytest.mark.nightly, pytest.mark.timeout(1800)])]
)
def test_of_two_pushes_to_one_tag_whoever_is_overwritten_is_told(
    tmp_path: Path, rounds: int
) -> None:
    """At once, or when the tag is next looked at; and in the end both changes are there."""
    address = find_registry("plain").address
    found = run_program("crashing_races", tmp_path, "push-push", rounds, address, timeout=1500)
    assert found["rounds"] == rounds
