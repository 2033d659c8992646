"""Fixtures of the installer's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.install import SHELLS, World, find_shell


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return find_shell(request.param)


@pytest.fixture
def world(tmp_path: Path, shell: list[str]) -> World:
    return World(tmp_path, shell)


@pytest.fixture
def one_world(tmp_path: Path) -> World:
    """For what does not depend on the shell."""
    return World(tmp_path, find_shell("dash"))
