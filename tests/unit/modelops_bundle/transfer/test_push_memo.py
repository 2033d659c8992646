"""A push of nothing is remembered, and never believed when something has changed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.baselines import read_baseline
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.transfer.push import PushResult, push
from modelops_contracts.errors import Conflict, InvalidInput
from support.projects import edit, make_registered, write_files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "artifacts", "little")


def push_twice(project: Project, store: LayoutStore) -> PushResult:
    """Push, and push nothing: the second push is the one that is remembered."""
    push(project, store)
    time.sleep(0.05)  # files as young as the tick of the clock are not believed
    return push(project, store)


def test_the_same_answer_without_reading_the_project_again(
    project: Project, store: LayoutStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = push_twice(project, store)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("modelops_bundle.code.codebase.open_codebase", never)
    again = push(project, store)
    assert again == first
    assert again.to_json() == first.to_json()
    assert "unlocked_environment" in {item.code for item in again.summary.findings}


def test_it_is_of_one_tag(project: Project, store: LayoutStore) -> None:
    push_twice(project, store)
    other = push(project, store, "v2")
    assert other.pushed
    assert other.reference.endswith(":v2")


def change_within_the_same_times(project: Project) -> None:
    path = project.root / "targets/counts.py"
    before = path.stat()
    path.write_bytes(path.read_bytes().replace(b"max(", b"min("))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize(
    "change",
    [
        change_within_the_same_times,
        lambda project: edit(project, "models/helpers.py", "def rate", "x = 1\n\n\ndef rate"),
        lambda project: (project.root / "models/helpers.py").chmod(0o755),
        lambda project: edit(project, ".modelops-bundle/tracked.txt", "README.md\n", ""),
    ],
)
def test_a_change_is_pushed(
    project: Project, store: LayoutStore, change: Callable[[Project], object]
) -> None:
    write_files(project.root, {"README.md": "little\n"})
    tracked = project.root / ".modelops-bundle/tracked.txt"
    tracked.write_text("".join(sorted({*tracked.read_text().splitlines(True), "README.md\n"})))
    before = push_twice(project, store)
    change(project)
    after = push(project, store)
    assert after.pushed
    assert after.manifest != before.manifest
    assert store.resolve("latest") == after.manifest


def test_a_secret_that_appears_is_stopped(project: Project, store: LayoutStore) -> None:
    before = push_twice(project, store)
    edit(project, "models/helpers.py", "def rate", '"AccountKey=' + "A" * 40 + '"\n\n\ndef rate')
    with pytest.raises(InvalidInput):
        push(project, store)
    assert store.resolve("latest") == before.manifest


def test_drift_is_found(project: Project, store: LayoutStore) -> None:
    push_twice(project, store)
    edit(project, "targets/counts.py", "def peak", "def summit")
    with pytest.raises(Conflict):
        push(project, store)


def test_a_tag_that_moved_is_noticed(project: Project, store: LayoutStore, tmp_path: Path) -> None:
    push_twice(project, store)
    colleague = make_registered(tmp_path / "there" / "little")
    write_files(colleague.root, {"data/more.csv": "1\n"})
    edit(colleague, "models/helpers.py", "def rate", "y = 2\n\n\ndef rate")
    push(colleague, store, force=True)
    with pytest.raises(Conflict):
        push(project, store)


def test_a_store_that_lost_a_layer_gets_it_again(project: Project, store: LayoutStore) -> None:
    done = push_twice(project, store)
    manifest = json.loads(store.get_manifest(done.manifest))
    layer = store.root / "blobs/sha256" / manifest["layers"][0]["digest"].removeprefix("sha256:")
    layer.unlink()
    again = push(project, store)
    assert (again.pushed, again.manifest) == (True, done.manifest)
    assert layer.exists()


def test_records_that_were_deleted_are_written_again(project: Project, store: LayoutStore) -> None:
    done = push_twice(project, store)
    for path in (project.storage / "baselines").iterdir():
        path.unlink()
    assert not push(open_project(project.root), store).pushed
    baseline = read_baseline(project, done.reference)
    assert baseline is not None
    assert baseline.manifest == done.manifest


@pytest.mark.parametrize("garbage", ["", "{}", "[]", '{"maker": 1}'])
def test_a_damaged_memory_is_ignored(project: Project, store: LayoutStore, garbage: str) -> None:
    done = push_twice(project, store)
    (project.storage / "push.json").write_text(garbage)
    assert push(project, store) == done
