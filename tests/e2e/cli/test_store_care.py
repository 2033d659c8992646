"""`mops results compact|verify|gc`: the store is looked after, and nothing in use is lost."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from support.consoles import (
    Consoles,
    check_against_schema,
    files_below,
    make_consoles,
    make_project,
)

STUDY = "cb sampling sobol models.eggs:Eggs -n 4 -t broken --fix boxes=3 --seed 7"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two jobs, each of other code."""
    eggs = make_project(tmp_path_factory.mktemp("made"))
    run_study(eggs)
    model = eggs.folder / "models" / "eggs.py"
    model.write_text(model.read_text().replace("left -= now", "left -= now + 0"))
    run_study(eggs)
    return eggs.folder.parent


@pytest.fixture
def eggs(made: Path, tmp_path: Path) -> Consoles:
    consoles = make_consoles(tmp_path)
    for name in ("work", "home"):
        shutil.copytree(
            made / name, tmp_path / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cache")
        )
    return consoles


def run_study(eggs: Consoles) -> None:
    assert eggs.run(f"{STUDY} -r 2").code == 0
    assert eggs.run("mops run study.json").code == 0


def jobs(eggs: Consoles) -> list[str]:
    return [row["job"] for row in eggs.run("mops jobs list --json").json["jobs"]]


def stored(eggs: Consoles) -> dict[str, bytes]:
    return files_below(eggs.folder / ".modelops" / "results")


def test_a_store_without_faults_and_one_with(eggs: Consoles) -> None:
    told = eggs.run("mops results verify --json")
    check_against_schema(told.json)
    assert (told.code, told.json["faults"], told.json["files"] > 3) == (0, [], True)
    part = next((eggs.folder / ".modelops" / "results" / "sims").glob("*/broken/*.parquet"))
    part.write_bytes(part.read_bytes()[:-9] + b"_________")
    told = eggs.run("mops results verify --json")
    assert told.code == 1
    assert [fault["path"].endswith(part.name) for fault in told.json["faults"]] == [True]


def test_nothing_is_removed_that_a_job_refers_to(eggs: Consoles) -> None:
    before = stored(eggs)
    told = eggs.run("mops results gc --json").json
    check_against_schema(told)
    assert (told["codes"], told["files"]) == ([], 0)
    assert stored(eggs) == before


def test_what_nothing_refers_to_is_removed_after_a_yes(eggs: Consoles) -> None:
    newer, older = jobs(eggs)
    assert eggs.run(f"mops jobs delete {older} --yes").code == 0
    before = stored(eggs)
    planned = eggs.run("mops results gc --dry-run --json").json
    assert (len(planned["codes"]), planned["dry_run"]) == (1, True)
    asked = eggs.run("mops results gc --json")
    assert (asked.code, asked.json["error"]["code"]) == (3, "confirmation")
    assert stored(eggs) == before
    told = eggs.run("mops results gc --yes --json").json
    assert (told["codes"], told["files"]) == (planned["codes"], planned["files"])
    assert told["bytes"] == sum(map(len, before.values())) - sum(map(len, stored(eggs).values()))
    assert eggs.run("mops results verify").code == 0
    shown = eggs.run(f"mops results show {newer} --table broken --json").json
    assert shown["table"]["total"] == 4 * 2 * 5
    # What the bundle of the project holds stays, although no job refers to it any more.
    assert eggs.run(f"mops jobs delete {newer} --yes").code == 0
    assert eggs.run("mops results gc --dry-run --json").json["codes"] == []


def test_compacting_changes_files_and_no_table(eggs: Consoles) -> None:
    assert eggs.run(f"{STUDY} -r 3").code == 0
    assert eggs.run("mops run study.json").code == 0
    assert eggs.run("mops results export -o before --format json").code == 0
    planned = eggs.run("mops results compact --dry-run --json").json
    assert planned["merged"] >= 2
    assert planned["files_after"] == planned["files_before"]
    told = eggs.run("mops results compact --json").json
    check_against_schema(told)
    assert told["merged"] == planned["merged"]
    assert told["files_after"] < told["files_before"]
    assert eggs.run("mops results compact --json").json["merged"] == 0
    assert eggs.run("mops results export -o after --format json").code == 0
    assert files_below(eggs.folder / "before") == files_below(eggs.folder / "after")
    rows = json.loads((eggs.folder / "after" / "broken.json").read_text())
    assert len(rows) == 4 * 3 * 5
    assert set(rows[0]) == {"param_id", "replicate", "seed", "day", "broken"}


def test_an_empty_store_is_fine(tmp_path: Path) -> None:
    consoles = make_project(tmp_path)
    for command in ("compact", "verify", "gc"):
        done = consoles.run(f"mops results {command} --json")
        check_against_schema(done.json)
        assert (done.code, done.json.get("files", 0)) == (0, 0)
