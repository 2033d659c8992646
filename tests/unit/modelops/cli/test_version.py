from __future__ import annotations

import importlib.metadata
import json
import sys
import tomllib
from pathlib import Path

import pytest

from modelops import _build, provenance
from modelops.cli.mops.version import describe_installation, find_version

ROOT = Path(__file__).resolve().parents[4]


def test_the_version_is_written_in_one_place() -> None:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert pyproject["project"]["dynamic"] == ["version"]
    assert pyproject["tool"]["hatch"]["version"]["path"] == "src/modelops/_build.py"
    assert importlib.metadata.version("modelops").partition("+")[0] == _build.VERSION


def test_the_answer_names_commit_and_changes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = "1a2b3c4" + "0" * 33
    monkeypatch.setattr(provenance, "COMMIT", commit)
    monkeypatch.setattr(provenance, "DIRTY", True)
    found = find_version(tmp_path / "absent.json")
    assert (found.version, found.commit, found.dirty) == (
        _build.VERSION,
        "1a2b3c4" + "0" * 33,
        True,
    )


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
