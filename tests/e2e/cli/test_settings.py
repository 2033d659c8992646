"""`mops config set|unset`, `mops env use`: what is written holds, or somebody says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.consoles import Consoles, check_against_schema, files_below, make_consoles


@pytest.fixture
def consoles(tmp_path: Path) -> Consoles:
    return make_consoles(tmp_path)


def user_file(consoles: Consoles) -> Path:
    return consoles.home / ".modelops" / "config.yaml"


def value_of(consoles: Consoles, key: str) -> object:
    told = consoles.run(f"mops config show {key} --json").json
    return told["settings"][0]["value"]


def test_a_setting_is_written_changed_and_taken_out(consoles: Consoles) -> None:
    told = consoles.run("mops config set run.workers 3 --json").json
    check_against_schema(told)
    assert (told["old"], told["new"], told["value"], told["source"]) == (None, 3, 3, "user")
    with user_file(consoles).open("a") as stream:
        stream.write("# a remark\n")
    shown = consoles.run("mops config set run.workers 2").out
    assert shown == f"run.workers: 3 → 2  ({user_file(consoles)})\n"
    assert value_of(consoles, "run.workers") == 2
    assert "# a remark" in user_file(consoles).read_text()
    told = consoles.run("mops config unset run.workers --json").json
    check_against_schema(told)
    assert (told["old"], told["value"], told["changed"]) == (2, None, True)
    assert consoles.run("mops config unset run.workers --json").json["changed"] is False


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("mops config set run.worker 3", 2, "nearest: run.workers"),
        ("mops config unset run.worker", 2, "nearest: run.workers"),
        ("mops config set run.workers many", 1, "no whole number"),
        ("mops config set run.isolation warmm", 1, "did you mean warm?"),
    ],
)
def test_what_cannot_be_is_not_written(consoles: Consoles, line: str, code: int, said: str) -> None:
    done = consoles.run(line)
    assert (done.code, said in done.err, done.out) == (code, True, ""), done
    assert not user_file(consoles).exists()


def test_a_stronger_source_is_named(consoles: Consoles) -> None:
    done = consoles.run("mops config set run.workers 3 --json", extra={"MODELOPS_RUN_WORKERS": "5"})
    assert (done.json["new"], done.json["value"]) == (3, 5)
    assert "MODELOPS_RUN_WORKERS goes on deciding" in done.json["warnings"][0]


def test_a_mistake_in_the_file_can_be_taken_out(consoles: Consoles) -> None:
    user_file(consoles).parent.mkdir()
    user_file(consoles).write_text("schema: mops.config/1\nrun:\n  workers: many\n")
    assert consoles.run("mops config show").code == 1
    assert consoles.run("mops config unset run.workers").code == 0
    assert consoles.run("mops config show").code == 0


def test_a_file_of_the_older_suite_is_left_alone(consoles: Consoles) -> None:
    user_file(consoles).parent.mkdir()
    user_file(consoles).write_text("workspace:\n  provider: azure\n")
    before = files_below(consoles.home)
    done = consoles.run("mops config set run.workers 3 --json")
    assert (done.code, done.json["error"]["code"]) == (1, "config.older_file")
    assert files_below(consoles.home) == before


def test_an_environment_is_chosen_for_me_or_for_the_project(consoles: Consoles) -> None:
    told = consoles.run("mops env use local --json").json
    check_against_schema(told)
    assert (told["value"], told["source"]) == ("local", "user")
    assert consoles.run("mops bundle init").code == 0
    told = consoles.run("mops env use local --pin --json").json
    assert (told["value"], told["source"]) == ("local", "project")
    assert (consoles.folder / ".modelops-bundle" / "env").read_text() == "local\n"


def test_an_environment_that_is_not_there_is_not_chosen(consoles: Consoles) -> None:
    done = consoles.run("mops env use locla")
    assert (done.code, "nearest: local" in done.err) == (1, True)
    assert not user_file(consoles).exists()
    assert consoles.run("mops env use local --pin").code == 1  # no project here
