"""A pull that was interrupted is finished by whatever changes the project next."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.api import project_status, push_dir, refresh_project
from modelops_bundle.choosing import add_files, remove_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.recovery import journal as journal_module
from modelops_bundle.recovery.interruption import find_interruption
from modelops_bundle.recovery.journal import read_journal
from modelops_bundle.registering import (
    delete_target_set,
    register,
    set_target_set,
    unregister,
)
from modelops_bundle.registry import load_registry
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import apply_pull, plan_pull, pull
from modelops_bundle.transfer.push import apply_push, plan_push, push
from modelops_contracts.errors import Conflict, IntegrityError
from support.projects import edit, make_registered, write_files

INCOMING = ("data/cases.csv", "data/new.csv", "models/helpers.py")


class Killed(BaseException):
    """Stands for the end of the process."""


def store_beside(project: Project) -> LayoutStore:
    return LayoutStore(project.root.parent / "store", "little")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project in which a pull ended after the first of its changes, and its store."""
    folder = tmp_path_factory.mktemp("template")
    theirs = make_registered(folder / "theirs")
    set_target_set(theirs, "all", [], {"peak": 3.0})
    push(theirs, store_beside(theirs))
    clone(store_beside(theirs), "latest", folder / "mine", repository="little")
    edit(theirs, "models/helpers.py", "* seed", "+ seed")
    edit(theirs, "data/cases.csv", "1,3", "1,4")
    write_files(theirs.root, {"data/new.csv": "x\n1\n"})
    write_tracked(theirs.root, [*read_tracked(theirs.root), "data/new.csv"])
    push(theirs, store_beside(theirs))
    interrupt_pull(open_project(folder / "mine"))
    return folder


def interrupt_pull(project: Project) -> None:
    real, done = journal_module._do_step, []

    def step(*arguments: Any) -> bool:
        if done:
            raise Killed
        done.append(arguments)
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal_module, "_do_step", step)
        with pytest.raises(Killed):
            pull(project, store_beside(project))
    assert read_journal(project) is not None


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    # The reference of the store is remembered, so it stays where it is.
    shutil.copytree(template / "mine", tmp_path / "mine", symlinks=True)
    store = LayoutStore(template / "store", "little")
    monkeypatch.setattr(f"{__name__}.store_beside", lambda _: store)
    write_files(tmp_path / "mine", {"extra.csv": "1\n"})
    return open_project(tmp_path / "mine")


def check_finished(project: Project, template: Path) -> None:
    assert read_journal(project) is None
    assert find_interruption(project) is None
    for path in INCOMING:
        assert (project.root / path).read_bytes() == (template / "theirs" / path).read_bytes()
        assert path in read_tracked(project.root)
    assert list((project.storage / "staging").iterdir()) == []


WRITERS: dict[str, Callable[[Project], object]] = {
    "add": lambda p: add_files(p, ["extra.csv"], cwd=p.root),
    "remove": lambda p: remove_files(p, ["data/peak.csv"], cwd=p.root),
    "register-model": lambda p: register(p, "model", "models/sir.py", cwd=p.root),
    "register-target": lambda p: register(p, "target", "targets/counts.py", cwd=p.root),
    "unregister": lambda p: unregister(p, ["peak"], force=True),
    "target-set set": lambda p: set_target_set(p, "two", ["peak"]),
    "target-set delete": lambda p: delete_target_set(p, "all"),
    "refresh": lambda p: refresh_project(p.root),
    "push": lambda p: push_dir(p.root, store=store_beside(p)),
    "pull": lambda p: pull(p, store_beside(p)),
    "apply_pull": lambda p: apply_pull(plan_pull(p, store_beside(p)), store_beside(p)),
    "apply_push": lambda p: apply_push(plan_push(p, store_beside(p), force=True), store_beside(p)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_finishes_it_first(project: Project, template: Path, name: str) -> None:
    try:
        WRITERS[name](project)
    except Conflict:
        # What was planned before the pull was finished may be refused, and nothing is sent.
        assert name == "apply_push"
    check_finished(project, template)
    assert "extra.csv" in read_tracked(project.root) or name != "add"
    done = pull(project, store_beside(project))
    assert (done.left, done.plan.conflicts) == ((), ())


def test_readers_say_so_and_write_nothing(project: Project, template: Path) -> None:
    before = {path: path.read_bytes() for path in project.root.rglob("*.csv")}
    journal = (project.storage / "journal.json").read_bytes()
    for _ in range(2):  # the second answer comes from memory
        found = project_status(project.root).findings
        interrupted = [item for item in found if item.code == "pull_interrupted"]
        assert len(interrupted) == 1
        assert "mops bundle pull" in interrupted[0]
        assert interrupted[0].severity == "warning"
    plan = plan_push(project, store_beside(project), force=True)
    assert "pull_interrupted" in {item.code for item in plan.findings}
    assert {path: path.read_bytes() for path in project.root.rglob("*.csv")} == before
    assert (project.storage / "journal.json").read_bytes() == journal
    refresh_project(project.root)
    codes = {item.code for item in project_status(project.root).findings}
    assert "pull_interrupted" not in codes


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}'])
def test_a_journal_that_cannot_be_read_is_told_with_the_way_out(
    project: Project, text: str
) -> None:
    path = project.storage / "journal.json"
    path.write_text(text)
    status = project_status(project.root)
    assert not status.ready
    assert str(path) in status.findings[0]
    for name in ("add", "refresh", "push", "pull"):
        before = load_registry(project.root)
        with pytest.raises(IntegrityError, match=r"journal\.json is damaged") as caught:
            WRITERS[name](project)
        assert "remove it" in (caught.value.hint or "")
        assert load_registry(project.root) == before
    path.unlink()
    pull(project, store_beside(project))
    assert (project.root / "data/new.csv").exists()
