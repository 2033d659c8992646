from __future__ import annotations

import json
import sys
import tomllib
from pathlib import Path

import pytest

from modelops.cli import _version
from modelops.cli.mops.version import describe_installation

ROOT = Path(__file__).resolve().parents[4]


def test_the_constant_is_the_version_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == _version.VERSION


def test_the_commit_is_shown_when_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _version.version_line("mops") == f"mops {_version.VERSION}"
    monkeypatch.setattr(_version, "COMMIT", "1a2b3c4" + "0" * 33)
    assert _version.version_line("mops") == f"mops {_version.VERSION} (1a2b3c4)"


def write_receipt(path: Path, command: Path) -> Path:
    path.write_text(
        json.dumps(
            {
                "method": "uv-tool",
                "source": "checkout /src",
                "commands": [{"name": "mops", "path": str(command)}],
            }
        )
    )
    return path


def test_the_installers_receipt_is_believed_for_its_own_environment_only(tmp_path: Path) -> None:
    mine = write_receipt(tmp_path / "mine.json", Path(sys.prefix) / "bin" / "mops")
    assert describe_installation(mine) == {
        "prefix": sys.prefix,
        "method": "uv-tool",
        "source": "checkout /src",
        "receipt": str(mine),
    }
    other = write_receipt(tmp_path / "other.json", tmp_path / "bin" / "mops")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    for receipt in (other, broken, tmp_path / "absent.json"):
        assert describe_installation(receipt)["receipt"] is None
