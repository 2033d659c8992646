"""Fixtures of the installer's tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.install import SHELLS, World, find_shell
from support.install_machine import (
    UV,
    GitServer,
    Machine,
    Wheels,
    gather_wheels,
    make_machine,
    serve_git,
)


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


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Wheels:
    base = tmp_path_factory.getbasetemp()
    return gather_wheels((base if worker_id == "master" else base.parent) / "installer-wheels")


@pytest.fixture
def machine(tmp_path: Path, wheels: Wheels) -> Machine:
    return make_machine(tmp_path, wheels)


@pytest.fixture(params=["newest", "oldest"])
def each_uv(request: pytest.FixtureRequest, tmp_path: Path, wheels: Wheels) -> Machine:
    """A machine with the uv of this environment, and one with the oldest that install.sh takes."""
    program = wheels.oldest_uv if request.param == "oldest" else UV
    return make_machine(tmp_path, wheels, program)


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    with serve_git(tmp_path / "served", "s3cret") as server:
        yield server
