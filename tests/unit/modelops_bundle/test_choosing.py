"""Adding and removing files by hand: whole or not at all, and no secret unasked."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.choosing import add_files, remove_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import InvalidInput, ModelOpsError, NotFound
from support.projects import make_project, make_registered, write_files

TOKEN = "ghp_" + "a" * 36
KEY = "-----BEGIN RSA " + "PRIVATE KEY-----"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project", {"data/a.csv": "1", "data/b.csv": "2", "x y.txt": ""})


def added(project: Project, *paths: str, **options: Any) -> set[str]:
    return set(add_files(project, paths, cwd=project.root, **options).added)


def tracked(project: Project) -> set[str]:
    return set(read_tracked(project.root))


def test_files_folders_and_patterns(project: Project) -> None:
    assert added(project, "x y.txt") == {"x y.txt"}
    assert added(project, "data") == {"data/a.csv", "data/b.csv"}
    again = add_files(project, ["data/*.csv"], cwd=project.root)
    assert (again.added, again.known) == ((), 2)
    assert add_files(project, ["a.csv"], cwd=project.root / "data").known == 1
    assert {"data/a.csv", "data/b.csv", "x y.txt"} <= tracked(project)


def test_the_whole_project_can_be_named(project: Project) -> None:
    assert {"data/a.csv", "x y.txt"} <= added(project, ".")
    own = {path for path in tracked(project) if path.startswith(".modelops-bundle/")}
    assert own == {".modelops-bundle/registry.yaml"}


@pytest.mark.parametrize(
    "bad",
    ["nothing.csv", "../outside.csv", "*.none", ".modelops-bundle/config.yaml", "pipe", "out"],
)
def test_one_bad_path_and_nothing_is_tracked(project: Project, bad: str) -> None:
    os.mkfifo(project.root / "pipe")
    (project.root / "out").symlink_to("/etc/hostname")
    before = tracked(project)
    with pytest.raises(ModelOpsError) as caught:
        added(project, "data", bad)
    assert caught.value.exit_code == 1
    assert bad in str(caught.value)
    assert tracked(project) == before


def test_a_name_that_is_no_text_is_shown_escaped(project: Project) -> None:
    (project.root / "data" / os.fsdecode(b"bad\xff.csv")).write_text("1")
    before = tracked(project)
    with pytest.raises(InvalidInput, match=r"bad\\xff"):
        added(project, "data")
    assert tracked(project) == before


def test_odd_things_in_a_folder_are_counted(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project.root / "data")  # the address of a socket is short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s")
        assert add_files(project, ["data"], cwd=project.root).skipped == 1


def test_ignored_paths_need_force(project: Project) -> None:
    write_files(project.root, {"build/out.csv": "", "build/sub/x.csv": "", "data/c.pyc": ""})
    done = add_files(project, ["build", "data/c.pyc"], cwd=project.root)
    assert (done.added, set(done.ignored)) == ((), {"build", "data/c.pyc"})
    assert added(project, "build", force=True) == {"build/out.csv", "build/sub/x.csv"}
    with pytest.raises(InvalidInput):
        added(project, ".modelops-bundle/config.yaml", force=True)


SECRETS = {"id_rsa": "x", "notes.txt": f"first\n{TOKEN}\n", "deep/server.pem": KEY}


@pytest.mark.parametrize("path", SECRETS)
@pytest.mark.parametrize("force", [False, True])
def test_secrets_stop_everything(project: Project, path: str, force: bool) -> None:
    write_files(project.root, {path: SECRETS[path]})
    before = tracked(project)
    with pytest.raises(InvalidInput) as caught:
        added(project, "data", path.split("/", maxsplit=1)[0], force=force)
    assert path in str(caught.value)
    assert f"mops bundle add --allow-secret {path}" in (caught.value.hint or "")
    assert TOKEN not in f"{caught.value} {caught.value.hint} {caught.value.details}"
    assert tracked(project) == before


def test_an_allowed_secret_is_recorded_for_all_its_rules(project: Project) -> None:
    write_files(project.root, {"deep/server.pem": f"{KEY}\n{TOKEN}\n"})
    config = project.storage / "config.yaml"
    config.write_text("# ours\n" + config.read_text())
    assert added(project, allow_secret=["deep/server.pem"]) == {"deep/server.pem"}
    again = open_project(project.root)
    assert again.config.secret_exceptions == {
        ("deep/server.pem", rule) for rule in ("name:*.pem", "private-key", "github-token")
    }
    assert config.read_text().startswith("# ours\n")
    assert TOKEN not in config.read_text()
    write_files(project.root, {"other.pem": KEY})
    with pytest.raises(InvalidInput):
        added(again, "other.pem")


def test_one_allowed_rule_hides_no_other(project: Project) -> None:
    write_files(project.root, {"a.txt": TOKEN})
    added(project, allow_secret=["a.txt"])
    write_files(project.root, {"a.txt": f"{TOKEN}\n{KEY}\n"})
    with pytest.raises(InvalidInput, match=r"a\.txt:2 looks like a secret"):
        added(project, "a.txt")


def test_allowing_what_is_no_secret_is_a_mistake(project: Project) -> None:
    with pytest.raises(InvalidInput, match="no rule finds a secret"):
        added(project, allow_secret=["data/a.csv"])


def test_a_secret_that_came_later_does_not_leave(tmp_path: Path) -> None:
    project = make_registered(tmp_path / "project")
    store = LayoutStore(tmp_path / "store", "little")
    push(project, store)
    write_files(project.root, {"data/cases.csv": f"week,cases\n1,{TOKEN}\n"})
    before = store.tags()
    with pytest.raises(InvalidInput) as caught:
        push(project, store)
    assert "data/cases.csv:2" in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert store.tags() == before
    added(project, allow_secret=["data/cases.csv"])
    assert push(open_project(project.root), store).pushed


def test_removing(project: Project) -> None:
    added(project, ".")
    done = remove_files(project, ["data/a.csv"], cwd=project.root)
    assert (done.removed, done.deleted) == (("data/a.csv",), ())
    assert (project.root / "data/a.csv").exists()
    done = remove_files(project, ["data"], delete=True, cwd=project.root)
    assert done.deleted == ("data/b.csv",)
    assert not (project.root / "data/b.csv").exists()
    assert (project.root / "data/a.csv").exists()


@pytest.mark.parametrize("bad", ["nothing", "data/none.csv", ".modelops-bundle/registry.yaml"])
def test_one_unknown_path_and_nothing_is_removed(project: Project, bad: str) -> None:
    added(project, ".")
    before = tracked(project)
    with pytest.raises((NotFound, InvalidInput)):
        remove_files(project, ["data", bad], delete=True, cwd=project.root)
    assert tracked(project) == before
    assert (project.root / "data/a.csv").exists()


def test_what_entries_need_is_told(tmp_path: Path) -> None:
    project = make_registered(tmp_path / "project")
    assert remove_files(project, ["models"], cwd=project.root).needed == (
        "models/__init__.py", "models/helpers.py", "models/sir.py",
    )  # fmt: skip
