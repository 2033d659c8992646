"""A registered project, made once for a module and copied for every test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from support.consoles import Consoles, make_consoles, make_project


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("made")).folder


@pytest.fixture
def eggs(made: Path, tmp_path: Path) -> Consoles:
    consoles = make_consoles(tmp_path)
    shutil.copytree(made, consoles.folder, dirs_exist_ok=True)
    return consoles
