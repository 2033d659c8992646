"""Commands that talk to a real registry, killed at each write, request and answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.crash_runs import run_program
from support.registries import find_registry

TIMES = 100


@pytest.mark.parametrize("name", ["push-remote", "pull-remote", "clone-remote"])
def test_killed_anywhere_nothing_is_lost_and_the_next_run_heals(tmp_path: Path, name: str) -> None:
    found = run_program("crashing", tmp_path, name, TIMES, 7, find_registry("plain").address)
    assert found["points"] == min(TIMES, found["of"])
    assert found["points"] >= 60
