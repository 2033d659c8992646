from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from modelops.cli import _version

ROOT = Path(__file__).resolve().parents[4]


def test_the_constant_is_the_version_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == _version.VERSION


def test_the_commit_is_shown_when_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _version.version_line("mops") == f"mops {_version.VERSION}"
    monkeypatch.setattr(_version, "COMMIT", "1a2b3c4" + "0" * 33)
    assert _version.version_line("mops") == f"mops {_version.VERSION} (1a2b3c4)"
