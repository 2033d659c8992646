"""What other programs call."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelops_bundle.api import clone, project_status, pull_dir, push_dir, refresh_project
from modelops_bundle.cli import main
from modelops_contracts.errors import Conflict
from support.projects import edit, make_registered


def test_two_people_and_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    project = make_registered(tmp_path / "mine", name="seir")
    first = push_dir(project.root / "models")
    theirs = clone("seir", tmp_path / "theirs")
    assert theirs == tmp_path / "theirs"
    edit(project, "data/cases.csv", "1,3", "1,4")
    second = push_dir(project.root)
    assert second != first
    assert pull_dir(theirs) == second
    assert (theirs / "data/cases.csv").read_text() == "week,cases\n1,4\n2,8\n"
    assert project_status(theirs).ready
    assert not refresh_project(theirs, dry_run=True).plan.changes_entries
    assert clone("seir", tmp_path / "older", first).name == "older"
    (theirs / "data/cases.csv").write_text("mine")
    edit(project, "data/cases.csv", "1,4", "1,5")
    push_dir(project.root)
    with pytest.raises(ValueError, match=r"data/cases\.csv") as caught:
        pull_dir(theirs)
    assert isinstance(caught.value, Conflict)
    pull_dir(theirs, keep_local=True)
    assert (theirs / "data/cases.csv").read_text() == "mine"


def test_the_door_leads_to_the_console() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "modelops_bundle.cli", "--help"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "register-model" in done.stdout


def test_a_door_to_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("modelops_bundle.cli.entry_points", lambda **_: ())
    assert main() == 1
    assert "not installed" in capsys.readouterr().err
