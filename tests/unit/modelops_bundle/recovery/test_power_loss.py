"""After a power loss at any moment a project has its old or its new state, and no torn file."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import open_project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.recovery.journal import finish_journal, read_journal
from modelops_bundle.registering import refresh
from modelops_bundle.registry import load_registry
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import push
from modelops_contracts.atomic import write_atomically
from support.power_loss import Disk, lay_out, recording
from support.projects import edit, make_registered, write_files


def test_a_file_is_old_or_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    with recording(tmp_path) as record:
        write_atomically(path, b"new")
    states = list(record.crash_states())
    assert {state[str(path)] for state in states} == {b"old", b"new"}
    assert states[-1][str(path)] == b"new", "what was said to be written is there"
    assert [op.kind for op in record.ops] == ["create", "data", "rename", "names"]


@pytest.mark.parametrize("forgotten", ["fsync of the file", "rename before fsync"])
def test_the_fake_notices_what_must_not_be(tmp_path: Path, forgotten: str) -> None:
    path, temporary = tmp_path / "file", tmp_path / ".file.tmp"
    path.write_bytes(b"old")
    with recording(tmp_path) as record:
        temporary.write_bytes(b"new")
        os.replace(temporary, path)  # noqa: PTH105
        if forgotten == "rename before fsync":
            descriptor = os.open(path, os.O_RDONLY)
            os.fsync(descriptor)
            os.close(descriptor)
    assert None in {state[str(path)] for state in record.crash_states()}


def user_files(state: Disk, root: Path) -> dict[str, bytes | None]:
    return {
        Path(path).relative_to(root).as_posix(): data
        for path, data in state.items()
        if ".modelops-bundle" not in path
    }


def test_a_refresh_leaves_old_or_new_records(tmp_path: Path) -> None:
    project = make_registered(tmp_path / "project")
    edit(project, "targets/counts.py", "def peak", "def summit")
    before = load_registry(project.root).to_dict()
    with recording(project.root) as record:
        refresh(project)
    after = load_registry(project.root).to_dict()
    seen = []
    for number, state in enumerate(record.crash_states()):
        place = tmp_path / f"crash{number}"
        lay_out(state, project.root, place)
        now = load_registry(place).to_dict()
        assert now in (before, after)
        seen.append(now == after)
        assert read_tracked(place)
        shutil.rmtree(place)
    assert {True, False} == set(seen)


def test_a_pull_is_rolled_forward_or_never_happened(tmp_path: Path) -> None:
    theirs = make_registered(tmp_path / "theirs")
    store = LayoutStore(tmp_path / "store", "little")
    push(theirs, store)
    clone(store, "latest", tmp_path / "project", repository="little")
    project = open_project(tmp_path / "project")
    edit(theirs, "models/helpers.py", "* seed", "+ seed")
    write_files(theirs.root, {"new/deep/file.csv": "1\n", "data/cases.csv": "week,cases\n7,7\n"})
    (theirs.root / "data/peak.csv").rename(theirs.root / "data/top.csv")
    edit(theirs, "targets/counts.py", "data/peak.csv", "data/top.csv")
    names = {*read_tracked(theirs.root), "new/deep/file.csv", "data/top.csv"}
    write_tracked(theirs.root, names - {"data/peak.csv"})
    push(theirs, store, allow_stale=True)
    with recording(project.root) as record:
        pull(project, store)
    states = list(record.crash_states())
    before, after = user_files(states[0], project.root), files_below(project.root)
    assert before != after
    finished = 0
    for number, state in enumerate(states):
        found = user_files(state, project.root)
        for path, data in found.items():
            assert data in (before.get(path), after.get(path)), (number, path)
        place = tmp_path / "crash"
        lay_out(state, project.root, place)
        crashed = open_project(place)
        waiting = read_journal(crashed) is not None
        finished += waiting
        assert finish_journal(crashed) == ()
        left = {
            path: data for path, data in files_below(place).items() if path in {**before, **after}
        }
        wrong = {path for path in {*left, *after} if left.get(path) != after.get(path)}
        assert not wrong or (left == before and not waiting), (number, waiting, wrong)
        shutil.rmtree(place)
    assert finished > 5


def files_below(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".modelops-bundle" not in path.parts
    }
