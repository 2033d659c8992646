"""`mops bundle add` and `mops bundle remove`, as typed."""

from __future__ import annotations

from pathlib import Path

from support.consoles import check_against_schema, make_consoles
from support.drift import make_drifting


def test_adding_and_removing_files(tmp_path: Path) -> None:
    project = make_drifting(tmp_path)
    project.write("data/extra.csv", "1\n")
    done = project.run("add data")
    assert done.code == 0
    assert done.out.splitlines()[:2] == ["Tracking 1 file:", "  + data/extra.csv"]
    project.write("data/key.pem", "x")
    before = project.stored()
    for line in ("add data", "add data --force", "add", "remove data/none.csv", "add .env"):
        refused = project.run(line)
        assert refused.code == (2 if line == "add" else 1), refused
        assert project.stored() == before
    assert "--allow-secret data/key.pem" in project.run("add data").err
    allowed = project.run("add --allow-secret data/key.pem --json")
    assert allowed.code == 0, allowed
    check_against_schema(allowed.json)
    assert allowed.json["allowed"] == [{"path": "data/key.pem", "rule": "name:*.pem", "line": None}]
    assert project.run("push").code == 0
    removed = project.run("remove data/key.pem data/extra.csv --rm --json")
    check_against_schema(removed.json)
    assert removed.json["deleted"] == ["data/extra.csv", "data/key.pem"]
    assert not (project.root / "data/extra.csv").exists()


def test_an_empty_registry_has_no_empty_tables(tmp_path: Path) -> None:
    consoles = make_consoles(tmp_path)
    assert consoles.run("mops bundle init --name empty").code == 0
    done = consoles.run("mops bundle list")
    assert done.code == 0, done
    assert done.out == "Nothing is registered here (mops bundle register-model FILE)\n"
