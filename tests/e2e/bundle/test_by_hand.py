"""A registry that somebody edited by hand: what is wrong is named, and nothing is lost silently."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.drift import Drifting, make_drifting

REGISTRY = ".modelops-bundle/registry.yaml"
NOTHING = "Nothing to do: the registry says what the code says"


@pytest.fixture
def project(tmp_path: Path) -> Drifting:
    return make_drifting(tmp_path)


def test_a_member_of_a_set_that_is_no_target_leaves_it_with_a_word(project: Drifting) -> None:
    """An id that was renamed in the file alone: the set would lose it unseen."""
    project.edit(REGISTRY, ("  peak:\n    path", "  summit:\n    path"))
    assert project.run("status").code == 3
    assert project.run("refresh --check").code == 3
    done = project.run("refresh")
    assert done.code == 0
    assert "~ changed  set     all" in done.out
    assert "unknown target peak left" in done.out
    assert project.registry.target_sets["all"].targets == ["weekly_cases"]
    assert NOTHING in project.run("refresh").out


def test_the_weight_of_a_stranger_is_dropped_with_a_word(project: Drifting) -> None:
    project.edit(REGISTRY, ("      weekly_cases: 3.0", "      nobody: 3.0"))
    done = project.run("refresh --json")
    assert done.code == 0
    assert done.json["changed"] == [{
        "kind": "set", "id": "all", "path": REGISTRY, "symbol": "",
        "reasons": ["weight of nobody dropped: not in the set"],
    }]  # fmt: skip
    assert project.status()[0] == 0


def test_a_member_that_was_renamed_before_keeps_its_weight(project: Drifting) -> None:
    project.edit("targets/counts.py", ("def weekly_cases", "def weekly"))
    project.run("refresh")
    project.edit(
        REGISTRY, ("    - weekly\n", "    - weekly_cases\n"), ("weekly: 3.0", "weekly_cases: 3.0")
    )
    done = project.run("refresh")
    assert "weekly_cases -> weekly" in done.out
    group = project.registry.target_sets["all"]
    assert group.targets[0] == "weekly"
    assert group.weights == {"weekly": 3.0}


@pytest.mark.parametrize("place", ["../../etc/passwd", "/etc/passwd"])
@pytest.mark.parametrize("path", ["targets/counts.py", "models/sir.py"])
def test_a_path_outside_the_project_is_a_finding(project: Drifting, place: str, path: str) -> None:
    project.edit(REGISTRY, (f"    path: {path}", f"    path: {place}"))
    code, status = project.status()
    assert code == 3
    found = [item for item in status["findings"] if item["code"] == "path_outside"]
    assert found
    assert found[0]["hint"].startswith(f"correct path in {REGISTRY}, or: mops bundle unregister ")
    before = project.stored()["registry.yaml"]
    done = project.run("refresh")
    assert done.code == 3
    assert NOTHING not in done.out
    assert found[0]["message"] in done.err
    assert project.stored()["registry.yaml"] == before
    assert project.run("push").code == 3


def test_an_entrypoint_without_a_colon_is_shown_as_it_should_be(project: Drifting) -> None:
    project.edit(REGISTRY, ("targets.counts:peak", "targets.counts.peak"))
    done = project.run("status")
    assert done.code == 3
    assert f"hint: correct entrypoint in {REGISTRY}, for example targets.counts:peak" in done.err
    assert project.run("refresh").code == 3
    project.edit(REGISTRY, ("targets.counts.peak", "targets.counts:peak"))
    assert project.run("status").code == 0


def test_an_entrypoint_of_another_class_says_so(project: Drifting) -> None:
    project.edit(REGISTRY, ("models.sir:Sir", "models.sir:Other"))
    done = project.run("status")
    assert "entrypoint names Other, the entry Sir" in done.err
    assert project.run("refresh").code == 0
    assert project.run("status").code == 0


def test_one_definition_twice_is_cured_by_the_command_that_is_named(project: Drifting) -> None:
    text = project.text(REGISTRY)
    entry = text[text.index("  peak:\n") : text.index("  weekly_cases:\n", text.index("  peak:\n"))]
    project.edit(REGISTRY, ("target_sets:", entry.replace("peak:", "twin:", 1) + "target_sets:"))
    done = project.run("status")
    assert done.code == 3
    assert "hint: mops bundle unregister twin (or peak)" in done.err
    assert project.run("refresh").code == 3
    assert project.run("unregister twin").code == 0
    assert project.run("status").code == 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("    entrypoint: models", "   entrypoint: models", "registry.yaml:"),
        ("  sir_sir:", "\tsir_sir:", "registry.yaml:3: "),
        ("target_sets:", "targets: {}\ntarget_sets:", "found duplicate key"),
        ("version: '1.0'", "version: '9.0'", "$.version: is '9.0'"),
        ("models:\n", "models: [a]\nother:\n", "$.models: must be a mapping, not a list (line 2)"),
    ],
)
def test_what_cannot_be_read_names_the_line_and_the_next_command(
    project: Drifting, old: str, new: str, told: str
) -> None:
    project.edit(REGISTRY, (old, new))
    for line in ("status", "refresh", "push", "target-set list"):
        done = project.run(line)
        assert done.code == 1, line
        assert told in done.err
        assert f"hint: correct it there, or git checkout {REGISTRY}; then: mops bundle status" in (
            done.err
        )


def test_renaming_what_is_still_there_is_refused(project: Drifting) -> None:
    done = project.run("refresh --rename peak=summit")
    assert done.code == 1
    assert "--rename peak=summit: peak has not gone from targets/counts.py" in done.err


@pytest.mark.parametrize(
    ("name", "text", "told", "hint"),
    [
        ("nb.ipynb", '{"cells": []}', "targets/nb.ipynb is no Python file", "ends in .py"),
        ("old.py", 'print "x"\n', "cannot parse targets/old.py:1: ", "correct the file"),
        ("nul.py", "x = 1\0\n", "cannot parse targets/nul.py: ", "correct the file"),
    ],
)
def test_what_is_no_source_is_refused_with_a_way_out(
    project: Drifting, name: str, text: str, told: str, hint: str
) -> None:
    project.write(f"targets/{name}", text)
    done = project.run(f"register-target targets/{name}")
    assert done.code == 1
    assert told in done.err
    assert hint in done.err.partition("hint: ")[2]


def test_a_chosen_id_stays_and_the_new_name_of_the_function_is_shown(project: Drifting) -> None:
    done = project.run("register-target targets/counts.py --target peak --id summit")
    assert "renamed  target  peak -> summit" in done.out
    project.edit("targets/counts.py", ("def peak", "def highest"))
    row = project.entry("target", "summit")
    assert (row["state"], row["renamed_to"]) == ("renamed", "highest")
    assert "moved    target  summit" not in project.run("refresh").out
    assert project.entry("target", "summit")["state"] == "ok"
