"""No room, or no right to write: what was there stays whole, and the error says what is needed."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelops_bundle.choosing import add_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked
from modelops_bundle.recovery.full_disk import DiskFull
from modelops_bundle.registering import refresh, register, set_target_set
from modelops_bundle.registry import load_registry
from modelops_bundle.status.reading import read_status
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import ModelOpsError, NotFound
from support.projects import edit, make_registered, write_files
from support.registry_faults import FaultyRegistry
from support.small_disks import SmallDisk, small_disk

BIG = 300_000
PAGE = 4096


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 2048) as found:
        yield found


def files_of(project: Project) -> dict[str, bytes]:
    names = {"registry.yaml", "tracked.txt", "config.yaml"}
    return {
        path.relative_to(project.root).as_posix(): path.read_bytes()
        for path in sorted(project.root.rglob("*"))
        if path.is_file() and (path.parent.name != ".modelops-bundle" or path.name in names)
        and not {"staging", "baselines", "base"} & set(path.parts)
    }  # fmt: skip


def run_with_ever_more_room(
    disk: SmallDisk, project: Project, action: Callable[[], object]
) -> list[Exception]:
    """Try with no room, with a page, and so on, until it succeeds; old or new state, never else."""
    before, errors = files_of(project), []
    for pages in (0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 40, 80, 150, 300):
        disk.fill(pages * PAGE)
        assert read_status(project) is not None
        disk.fill(pages * PAGE)
        try:
            action()
        except (OSError, ModelOpsError) as error:
            errors.append(error)
            disk.empty()
            assert files_of(project) == before, pages
            assert not (project.storage / "journal.json").exists()
            staging = project.storage / "staging"
            assert not staging.exists() or list(staging.iterdir()) == []
            assert list(project.storage.glob(".*.tmp")) == []
        else:
            disk.empty()
            return errors
    raise AssertionError(f"it never succeeded: {errors[-1]!r}")


CHANGES: dict[str, Callable[[Project], object]] = {
    "register": lambda p: register(p, "target", "targets/later.py", cwd=p.root),
    "refresh": refresh,
    "add": lambda p: add_files(p, ["data"], cwd=p.root),
    "target-set": lambda p: set_target_set(p, "all"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changing_the_registry_without_room(disk: SmallDisk, name: str) -> None:
    project = make_registered(disk.path / "project")
    later = (project.root / "targets/counts.py").read_text().replace("def peak", "def later_peak")
    write_files(project.root, {
        "targets/later.py": later.replace("weekly_cases", "later_cases"), "data/new.csv": "1\n",
    })  # fmt: skip
    edit(project, "targets/counts.py", "def peak", "def summit")
    errors = run_with_ever_more_room(disk, project, lambda: CHANGES[name](project))
    assert errors
    for error in errors:
        assert isinstance(error, OSError)
        assert error.filename, "an error about a file names it"
        assert error.strerror is not None
        assert re.search(r"\(\d+ bytes needed, \d+ free\)$", error.strerror), error


def test_pushing_into_a_full_store(disk: SmallDisk, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "project")
    store = LayoutStore(disk.path / "store", "little")
    push(project, store)
    before = store.resolve("latest")
    write_files(project.root, {"data/big.csv": "".join(f"{n},{n * n}\n" for n in range(BIG // 8))})
    add_files(project, ["data/big.csv"], cwd=project.root)
    disk.fill(2 * PAGE)
    with pytest.raises(DiskFull, match=r"the push needs up to \d+ bytes in .*store.* are free"):
        push(project, store)
    assert store.resolve("latest") == before
    disk.empty()
    assert push(project, store).pushed
    clone(store, "latest", tmp_path / "again", repository="little")


def test_packing_without_room_to_spool(disk: SmallDisk, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "project")
    import random

    chance = random.Random(3)
    noise = "".join(f"{chance.random()}\n" for _ in range(400_000))
    write_files(project.root, {"data/noise.csv": noise})
    add_files(project, ["data/noise.csv"], cwd=project.root)
    with FaultyRegistry() as registry:
        disk.fill()
        store = RemoteStore(registry.address, "little", cache_dir=disk.path / "cache")
        with pytest.raises(DiskFull, match="the push needs"):
            push(project, store)
        assert registry.tags == {}
        disk.empty()
        roomy = RemoteStore(registry.address, "little", cache_dir=tmp_path / "cache")
        assert push(project, roomy).pushed


@pytest.mark.parametrize("where", ["layout", "remote"])
def test_pulling_into_a_full_project(disk: SmallDisk, tmp_path: Path, where: str) -> None:
    theirs = make_registered(tmp_path / "theirs")
    with contextlib.ExitStack() as stack:
        if where == "layout":
            store: LayoutStore | RemoteStore = LayoutStore(tmp_path / "store", "little")
        else:
            registry = stack.enter_context(FaultyRegistry())
            store = RemoteStore(registry.address, "little", cache_dir=tmp_path / "cache")
        push(theirs, store)
        clone(store, "latest", disk.path / "project", repository="little")
        project = open_project(disk.path / "project")
        write_files(theirs.root, {"data/more.csv": "1\n" * 100_000, "deep/er/file.csv": "2\n"})
        add_files(theirs, ["data", "deep"], cwd=theirs.root)
        edit(theirs, "models/helpers.py", "* seed", "+ seed")
        push(theirs, store)
        errors = run_with_ever_more_room(disk, project, lambda: pull(project, store))
        assert errors
        full = [error for error in errors if isinstance(error, DiskFull)]
        assert "the pull needs up to 200" in str(full[-1])
        assert "bytes in" in str(full[-1])
        assert (project.root / "data/more.csv").stat().st_size == 200_000


def test_cloning_onto_a_full_disk_leaves_nothing(disk: SmallDisk, tmp_path: Path) -> None:
    theirs = make_registered(tmp_path / "theirs")
    store = LayoutStore(tmp_path / "store", "little")
    push(theirs, store)
    for pages in (0, 2, 5, 9):
        disk.fill(pages * PAGE)
        with pytest.raises((OSError, ModelOpsError)):
            clone(store, "latest", disk.path / "project", repository="little")
        assert [path.name for path in disk.path.iterdir()] == ["filling"]
    disk.empty()
    clone(store, "latest", disk.path / "project", repository="little")


def test_a_project_that_may_only_be_read(disk: SmallDisk, tmp_path: Path) -> None:
    project = make_registered(disk.path / "project")
    store = LayoutStore(tmp_path / "store", "little")
    push(project, store)
    edit(project, "targets/counts.py", "def peak", "def summit")
    shutil.rmtree(tmp_path / "store")
    before = files_of(project)
    disk.make_read_only()
    try:
        assert not read_status(project).ready
        for action in (refresh, lambda p: push(p, store), lambda p: set_target_set(p, "all"),
                       lambda p: add_files(p, ["data"], cwd=p.root)):  # fmt: skip
            with pytest.raises((OSError, ModelOpsError)) as caught:
                action(project)
            assert not isinstance(caught.value, OSError) or caught.value.filename
        with pytest.raises(NotFound):
            store.resolve("latest")
    finally:
        disk.make_read_only(yes=False)
    assert files_of(project) == before
    assert "summit" in refresh(project).plan.registry.targets
    assert load_registry(project.root).targets.keys() == {"summit", "weekly_cases"}
    assert read_tracked(project.root)
