"""`mops init`: every template is a project whose printed commands lead to a report."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from modelops.templates import TEMPLATES
from support.consoles import Consoles, check_against_schema, files_below, make_consoles

# Whoever asks for the network reaches a closed port.
OFFLINE = {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1", "ALL_PROXY": "http://127.0.0.1:9"}


@pytest.fixture
def consoles(tmp_path: Path) -> Consoles:
    return make_consoles(tmp_path, **OFFLINE)


@pytest.mark.parametrize("name", [item.name for item in TEMPLATES if not item.needs_index])
def test_what_is_printed_works_as_printed_offline(consoles: Consoles, name: str) -> None:
    done = consoles.run(f"mops init 'my study' --template {name}")
    assert (done.code, done.err) == (0, ""), done
    lines = [line.strip() for line in done.out.partition("Next:\n")[2].splitlines()]
    assert lines[0] == "cd 'my study'"
    assert len(lines) == 5
    inside = Consoles(consoles.folder / shlex.split(lines[0])[1], consoles.home, OFFLINE)
    for line in lines[1:]:
        ran = inside.run(line, timeout=240)
        assert ran.code == 0, ran
    assert (inside.folder / "fit.html").read_text().startswith("<!")
    assert inside.run("mops bundle status").code == 0


def test_the_default_is_the_boarding_school_and_files_are_named(consoles: Consoles) -> None:
    told = consoles.run("mops init --name school/flu --json").json
    check_against_schema(told)
    assert (told["template"], told["repository"]) == ("boarding-school", "school/flu")
    assert told["next"][0].startswith("mops bundle register-model ")
    assert set(told["created"]) <= set(files_below(consoles.folder))
    assert 'name = "school-flu"' in (consoles.folder / "pyproject.toml").read_text()


def test_nothing_is_overwritten_and_every_conflict_is_named(consoles: Consoles) -> None:
    (consoles.folder / "README.md").write_text("mine")
    (consoles.folder / "data").write_text("a file where a folder has to be")
    before = files_below(consoles.folder)
    done = consoles.run("mops init --template sir --json")
    assert done.code == 1
    assert done.json["error"]["code"] == "init.files_exist"
    assert "README.md" in done.json["error"]["message"]
    assert " data;" in done.json["error"]["message"]
    assert files_below(consoles.folder) == before


def test_a_refused_name_leaves_nothing(consoles: Consoles) -> None:
    done = consoles.run("mops init there --name 'No Name'")
    assert done.code == 1
    assert list(consoles.folder.iterdir()) == []


def test_an_empty_project(consoles: Consoles) -> None:
    told = consoles.run("mops init there --bare --json").json
    check_against_schema(told)
    assert told["template"] is None
    assert {path.name for path in (consoles.folder / "there").iterdir()} == {".modelops-bundle"}
    assert consoles.run("mops init x --bare --template sir").code == 2


def test_templates_are_listed_and_the_nearest_is_named(consoles: Consoles) -> None:
    told = consoles.run("mops init --list-templates --json").json
    check_against_schema(told)
    assert {row["alias"] for row in told["templates"]} >= {"sir", "starsim"}
    assert list(consoles.folder.iterdir()) == []
    wrong = consoles.run("mops init --template bording-school")
    assert (wrong.code, "nearest: boarding-school" in wrong.err) == (1, True)


@pytest.mark.parametrize("flag", ["-i", "-o cloud.yaml", "-f"])
def test_the_old_flags_are_refused(consoles: Consoles, flag: str) -> None:
    done = consoles.run(f"mops init {flag}")
    assert (done.code, done.err.splitlines()[-1]) == (2, "hint: mops env list")
    assert list(consoles.folder.iterdir()) == []
