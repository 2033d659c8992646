"""Two people and one tag: what a pull brings, keeps, refuses and heals."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.oci.http import Patience
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.recovery import journal as journal_module
from modelops_bundle.registering import register
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.pull_plan import PullConflict, compare, plan_pull
from modelops_bundle.transfer.push import push
from modelops_bundle.transfer.verify import verify
from modelops_contracts.errors import Conflict, NotFound
from modelops_contracts.registry import REGISTRY_PATH, BundleRegistry
from support.projects import FILES, edit, make_registered, write_files
from support.registry_faults import Fault, FaultyRegistry

QUICK = Patience(first_answer=0.5, connect=0.3, read=0.6, first_wait=0.01, longest_wait=0.02)


@pytest.fixture(params=["layout", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    if request.param == "layout":
        yield LayoutStore(tmp_path / "artifacts", "little")
        return
    with FaultyRegistry() as registry:
        yield RemoteStore(registry.address, "little", patience=QUICK, cache_dir=tmp_path / "cache")


@pytest.fixture
def mine(tmp_path: Path, store: Any) -> Project:
    project = make_registered(tmp_path / "mine")
    push(project, store)
    return project


@pytest.fixture
def theirs(tmp_path: Path, mine: Project, store: Any) -> Project:
    clone(store, "latest", tmp_path / "theirs", repository="little")
    return open_project(tmp_path / "theirs")


def texts(project: Project) -> dict[str, str]:
    return {
        path: (project.root / path).read_text()
        for path in read_tracked(project.root)
        if (project.root / path).exists()
    }


def leftovers(project: Project) -> list[str]:
    staging = project.storage / "staging"
    found = [item.name for item in staging.iterdir()] if staging.is_dir() else []
    return found + [item.name for item in project.storage.glob("journal*")]


def test_a_clone_is_the_project(mine: Project, theirs: Project, store: Any) -> None:
    assert texts(theirs) == texts(mine)
    assert theirs.repository == mine.repository
    again = push(theirs, store)
    assert not again.pushed
    assert plan_pull(theirs, store).up_to_date


def test_changes_there_come_here(mine: Project, theirs: Project, store: Any) -> None:
    edit(mine, "models/helpers.py", "* seed", "+ seed")
    (mine.root / "data/new.csv").write_text("x\n1\n")
    write_tracked(mine.root, [*read_tracked(mine.root), "data/new.csv"])
    push(mine, store)
    result = pull(theirs, store)
    assert set(result.plan.take) == {"models/helpers.py", "data/new.csv"}
    assert result.left == ()
    assert texts(theirs) == texts(mine)
    assert leftovers(theirs) == []
    assert pull(theirs, store).plan.up_to_date
    assert not push(theirs, store).pushed


def test_deletions_there_come_here_with_their_directory(
    mine: Project, theirs: Project, store: Any
) -> None:
    for project in (mine, theirs):
        assert (project.root / "data").is_dir()
    write_files(mine.root, {"docs/deep/notes.md": "notes"})
    write_tracked(mine.root, [*read_tracked(mine.root), "docs/deep/notes.md"])
    push(mine, store)
    pull(theirs, store)
    assert (theirs.root / "docs/deep/notes.md").exists()
    shutil.rmtree(mine.root / "docs")
    push(mine, store)
    assert pull(theirs, store).plan.deletions == ("docs/deep/notes.md",)
    assert not (theirs.root / "docs").exists()
    assert "docs/deep/notes.md" not in read_tracked(theirs.root)


def test_edits_here_stay_and_do_not_block(mine: Project, theirs: Project, store: Any) -> None:
    edit(mine, "models/helpers.py", "* seed", "+ seed")
    push(mine, store)
    edit(theirs, "data/cases.csv", "1,3", "1,4")
    pull(theirs, store)
    assert "1,4" in texts(theirs)["data/cases.csv"]
    assert "+ seed" in texts(theirs)["models/helpers.py"]
    assert push(theirs, store).pushed


def test_one_file_changed_on_both_sides(mine: Project, theirs: Project, store: Any) -> None:
    edit(mine, "data/cases.csv", "1,3", "1,5")
    edit(mine, "models/helpers.py", "* seed", "+ seed")
    push(mine, store)
    edit(theirs, "data/cases.csv", "1,3", "1,4")
    before = texts(theirs)
    with pytest.raises(PullConflict, match=r"data/cases\.csv") as caught:
        pull(theirs, store)
    assert caught.value.exit_code == 3
    assert isinstance(caught.value, ValueError)
    assert texts(theirs) == before
    assert leftovers(theirs) == []
    with pytest.raises(Conflict, match=r"data/cases\.csv"):
        push(theirs, store)


def test_keeping_mine(mine: Project, theirs: Project, store: Any) -> None:
    edit(mine, "data/cases.csv", "1,3", "1,5")
    edit(mine, "models/helpers.py", "* seed", "+ seed")
    push(mine, store)
    edit(theirs, "data/cases.csv", "1,3", "1,4")
    pull(theirs, store, keep_local=True)
    assert "1,4" in texts(theirs)["data/cases.csv"]
    assert "+ seed" in texts(theirs)["models/helpers.py"]
    assert push(theirs, store).pushed


def test_taking_theirs_keeps_a_copy_of_mine(mine: Project, theirs: Project, store: Any) -> None:
    edit(mine, "data/cases.csv", "1,3", "1,5")
    push(mine, store)
    edit(theirs, "data/cases.csv", "1,3", "1,4")
    result = pull(theirs, store, overwrite=True)
    assert "1,5" in texts(theirs)["data/cases.csv"]
    assert result.backup is not None
    assert "1,4" in (theirs.root / result.backup / "data/cases.csv").read_text()


def test_untracked_files_are_not_overwritten(mine: Project, theirs: Project, store: Any) -> None:
    for project, text in ((mine, "theirs"), (theirs, "mine")):
        (project.root / "data/extra.csv").write_text(text)
    write_tracked(mine.root, [*read_tracked(mine.root), "data/extra.csv"])
    push(mine, store)
    with pytest.raises(ValueError, match=r"untracked files would be overwritten: data/extra"):
        pull(theirs, store)
    assert (theirs.root / "data/extra.csv").read_text() == "mine"
    (theirs.root / "data/extra.csv").write_text("theirs")
    pull(theirs, store)
    assert "data/extra.csv" in read_tracked(theirs.root)


def test_what_was_deleted_here_stays_away_unless_asked_for(
    mine: Project, theirs: Project, store: Any
) -> None:
    (theirs.root / "models/__init__.py").unlink()
    edit(mine, "data/cases.csv", "1,3", "1,5")
    push(mine, store)
    pull(theirs, store)
    assert not (theirs.root / "models/__init__.py").exists()
    pull(theirs, store, restore_deleted=True)
    assert (theirs.root / "models/__init__.py").exists()


def test_registrations_of_both_sides_are_merged(mine: Project, theirs: Project, store: Any) -> None:
    target = FILES["targets/counts.py"].replace("weekly_cases", "{0}").replace("peak(", "{0}_peak(")
    for project, name in ((mine, "north"), (theirs, "south")):
        write_files(project.root, {f"targets/{name}.py": target.replace("{0}", name)})
        register(project, "target", f"targets/{name}.py", cwd=project.root)
    push(mine, store)
    pull(theirs, store)
    registry = BundleRegistry.load(theirs.root / REGISTRY_PATH)
    assert {"north", "south", "north_peak", "south_peak", "peak"} <= set(registry.targets)
    assert push(theirs, store).pushed
    pull(mine, store)
    assert BundleRegistry.load(mine.root / REGISTRY_PATH).to_dict() == registry.to_dict()


def test_something_in_the_way(mine: Project, theirs: Project, store: Any) -> None:
    write_files(mine.root, {"extra/a.txt": "a"})
    write_tracked(mine.root, [*read_tracked(mine.root), "extra/a.txt"])
    push(mine, store)
    (theirs.root / "extra").write_text("a file")
    with pytest.raises(PullConflict, match="in the way: extra"):
        pull(theirs, store)
    (theirs.root / "extra").unlink()
    elsewhere = theirs.root.parent / "elsewhere"
    elsewhere.mkdir()
    (theirs.root / "extra").symlink_to(elsewhere)
    with pytest.raises(PullConflict, match="in the way: extra"):
        pull(theirs, store)
    assert list(elsewhere.iterdir()) == []


def test_modes_and_links_arrive(mine: Project, theirs: Project, store: Any) -> None:
    write_files(mine.root, {"run.sh": "#!/bin/sh\n"})
    (mine.root / "run.sh").chmod(0o755)
    (mine.root / "models/alias.py").symlink_to("sir.py")
    write_tracked(mine.root, [*read_tracked(mine.root), "run.sh", "models/alias.py"])
    push(mine, store)
    pull(theirs, store)
    assert os.access(theirs.root / "run.sh", os.X_OK)
    assert (theirs.root / "models/alias.py").readlink() == Path("sir.py")
    assert not push(theirs, store).pushed


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.mark.parametrize("after", range(6))
def test_a_killed_pull_is_finished_by_the_next_command(
    mine: Project, theirs: Project, store: Any, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    edit(mine, "models/helpers.py", "* seed", "+ seed")
    edit(mine, "data/cases.csv", "1,3", "1,5")
    write_files(mine.root, {"a/b.txt": "b", "c.txt": "c"})
    write_tracked(mine.root, [*read_tracked(mine.root), "a/b.txt", "c.txt"])
    push(mine, store)
    real, count = journal_module._do_step, 0

    def step(*args: Any) -> bool:
        nonlocal count
        if count == after:
            raise Killed
        count += 1
        return real(*args)

    monkeypatch.setattr(journal_module, "_do_step", step)
    try:
        pull(theirs, store)
    except Killed:
        assert leftovers(theirs)
    monkeypatch.setattr(journal_module, "_do_step", real)
    assert not push(theirs, store).pushed
    assert texts(theirs) == texts(mine)
    assert leftovers(theirs) == []


def test_a_file_edited_meanwhile_is_left_alone(
    mine: Project, theirs: Project, store: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(mine, "data/cases.csv", "1,3", "1,5")
    edit(mine, "models/helpers.py", "* seed", "+ seed")
    push(mine, store)
    real = journal_module.carry_out

    def carry_out(project: Project, journal: Any) -> tuple[str, ...]:
        edit(theirs, "data/cases.csv", "1,3", "1,7")
        return real(project, journal)

    monkeypatch.setattr("modelops_bundle.transfer.pull.carry_out", carry_out)
    result = pull(theirs, store)
    monkeypatch.undo()
    assert result.left == ("data/cases.csv",)
    assert "1,7" in texts(theirs)["data/cases.csv"]
    assert "+ seed" in texts(theirs)["models/helpers.py"]
    with pytest.raises(Conflict, match=r"data/cases\.csv"):
        push(theirs, store)
    with pytest.raises(PullConflict):
        pull(theirs, store)


def test_diff_says_who_changed_what(mine: Project, theirs: Project, store: Any) -> None:
    edit(mine, "data/cases.csv", "1,3", "1,5")
    push(mine, store)
    edit(theirs, "models/helpers.py", "* seed", "+ seed")
    _, _, found = compare(theirs, store)
    assert found.modified_locally == ("models/helpers.py",)
    assert "data/cases.csv" in found.modified_remotely
    assert found.conflicts == ()


def test_clones_need_an_empty_place(mine: Project, store: Any, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").write_text("x")
    with pytest.raises(Conflict, match="not empty"):
        clone(store, "latest", tmp_path / "full", repository="little")
    with pytest.raises(NotFound):
        clone(store, "other", tmp_path / "new", repository="little")
    assert not (tmp_path / "new").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.endswith(".tmp")) == []
    digest = store.resolve("latest")
    done = clone(store, digest, tmp_path / "pinned", repository="little")
    assert done.manifest == digest


def test_verify_names_what_is_missing_and_what_is_damaged(mine: Project, store: Any) -> None:
    assert verify(store, "latest").problems == ()
    assert verify(store, "latest", deep=True).problems == ()


# --- what a network adds ---------------------------------------------------------------------


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


def open_remote(registry: FaultyRegistry, cache: Path) -> RemoteStore:
    return RemoteStore(registry.address, "little", patience=QUICK, cache_dir=cache)


def test_requests_of_pushes(registry: FaultyRegistry, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "mine")
    cache = tmp_path / "cache"
    push(project, open_remote(registry, cache))
    with registry.counting() as nothing:
        assert not push(project, open_remote(registry, cache)).pushed
    assert len(nothing) <= 3
    with registry.counting() as uncached:
        assert not push(project, open_remote(registry, tmp_path / "other")).pushed
    assert len(uncached) <= 3
    edit(project, "data/cases.csv", "1,3", "1,5")
    with registry.counting() as small:
        assert push(project, open_remote(registry, cache)).pushed
    assert len(small) <= 10
    assert len([item for item in small if item.verb == "HEAD" and "/blobs/" in item.path]) <= 1


def test_requests_of_a_new_tag_for_known_content(registry: FaultyRegistry, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "mine")
    cache = tmp_path / "cache"
    first = push(project, open_remote(registry, cache))
    with registry.counting() as seen:
        second = push(project, open_remote(registry, cache), "v2")
    assert len(seen) <= 5
    assert second.pushed
    assert second.manifest == first.manifest
    assert registry.tags == {"latest": first.manifest, "v2": first.manifest}


def test_what_another_tag_had_may_be_gone(registry: FaultyRegistry, tmp_path: Path) -> None:
    """The registry was emptied: what was pushed before is sent again, not taken for granted."""
    project = make_registered(tmp_path / "mine")
    cache = tmp_path / "cache"
    first = push(project, open_remote(registry, cache))
    for store in (registry.blobs, registry.manifests, registry.tags):
        store.clear()  # type: ignore[attr-defined]
    second = push(project, open_remote(registry, cache), "v2")
    assert second.manifest == first.manifest
    clone(open_remote(registry, tmp_path / "other"), "v2", tmp_path / "theirs",
          repository="little")  # fmt: skip
    assert texts(open_project(tmp_path / "theirs")) == texts(project)


@pytest.mark.parametrize(
    "fault",
    [
        Fault("GET", "/blobs/", "cut_body"),
        Fault("GET", "/blobs/", "flip", skip=1),
        Fault("GET", "/blobs/", "truncate", skip=1),
        Fault("GET", "/blobs/", status=500),
        Fault("GET", "/blobs/", status=429, headers={"Retry-After": "0"}),
        Fault("GET", "/manifests/", status=503),
    ],
    ids=str,
)
def test_a_clone_survives(registry: FaultyRegistry, tmp_path: Path, fault: Fault) -> None:
    project = make_registered(tmp_path / "mine")
    push(project, open_remote(registry, tmp_path / "cache"))
    registry.script(fault)
    folder = tmp_path / "partial"
    clone(
        open_remote(registry, tmp_path / "other"), "latest", tmp_path / "theirs",
        repository="little", partial_dir=folder,
    )  # fmt: skip
    assert texts(open_project(tmp_path / "theirs")) == texts(project)
    assert list(folder.glob("*")) == []


def test_a_registry_that_lies_is_refused(registry: FaultyRegistry, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "mine")
    push(project, open_remote(registry, tmp_path / "cache"))
    registry.script(Fault("GET", "/blobs/", "flip", times=None))
    with pytest.raises(Exception, match=r"damaged|hash"):
        clone(
            open_remote(registry, tmp_path / "other"), "latest", tmp_path / "theirs",
            repository="little", partial_dir=tmp_path / "partial",
        )  # fmt: skip
    assert not (tmp_path / "theirs").exists()


def test_verify_over_the_network(registry: FaultyRegistry, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "mine")
    push(project, open_remote(registry, tmp_path / "cache"))
    fresh = open_remote(registry, tmp_path / "cache")
    sizes = {digest: len(data) for digest, data in registry.blobs.items()}
    victim = max(sizes, key=sizes.__getitem__)
    if victim in fresh._configs:
        victim = min(sizes, key=sizes.__getitem__)
    layers = [digest for digest, data in registry.blobs.items() if not data.startswith(b"{")]
    data = registry.blobs[layers[0]]
    registry.blobs[layers[0]] = bytes([data[0] ^ 1]) + data[1:]
    assert verify(fresh, "latest").problems == ()
    (damaged,) = verify(open_remote(registry, tmp_path / "cache"), "latest", deep=True).problems
    assert damaged.digest == layers[0]
    del registry.blobs[layers[0]]
    (missing,) = verify(open_remote(registry, tmp_path / "cache"), "latest").problems
    assert missing.text == "is missing"


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", "/manifests/", status=500, times=None),
        Fault("POST", "/blobs/", status=403, times=None),
        Fault("PUT", "/blobs/", "cut", times=None),
    ],
    ids=str,
)
def test_a_failed_push_is_not_visible(
    registry: FaultyRegistry, tmp_path: Path, fault: Fault
) -> None:
    project = make_registered(tmp_path / "mine")
    first = push(project, open_remote(registry, tmp_path / "cache"))
    edit(project, "data/cases.csv", "1,3", "1,5")
    registry.script(fault)
    with pytest.raises(Exception, match=registry.address):
        push(project, open_remote(registry, tmp_path / "cache"))
    assert registry.tags == {"latest": first.manifest}
    registry.script()
    assert push(project, open_remote(registry, tmp_path / "cache")).pushed


def test_a_tag_that_moves_meanwhile(registry: FaultyRegistry, tmp_path: Path) -> None:
    mine = make_registered(tmp_path / "mine")
    store = open_remote(registry, tmp_path / "cache")
    push(mine, store)
    clone(store, "latest", tmp_path / "theirs", repository="little")
    theirs = open_project(tmp_path / "theirs")
    edit(mine, "data/cases.csv", "1,3", "1,5")
    edit(theirs, "data/peak.csv", "8", "9")
    from modelops_bundle.transfer.push import apply_push, plan_push

    plan = plan_push(theirs, store)
    pushed = push(mine, store)
    with pytest.raises(Conflict, match=pushed.manifest):
        apply_push(plan, store)
    assert registry.tags["latest"] == pushed.manifest


def test_a_push_that_was_overwritten_in_the_same_moment_is_not_undone_by_the_next_pull(
    mine: Project, theirs: Project, store: Any
) -> None:
    """A registry moves the tag of whoever comes last; both believed that they had won."""
    edit(mine, "data/cases.csv", "1,3", "1,5")
    write_files(mine.root, {"targets/more.py": (mine.root / "targets/counts.py").read_text()
                            .replace("def peak", "def peak2")
                            .replace("def weekly_cases", "def weekly2")})  # fmt: skip
    register(mine, "target", "targets/more.py", cwd=mine.root)
    edit(theirs, "models/helpers.py", "* seed", "+ seed")
    push(mine, store)
    push(theirs, store, force=True)
    with pytest.raises(Conflict) as refused:
        push(mine, store)
    assert refused.value.exit_code == 3
    before = texts(mine)
    with pytest.raises(PullConflict, match=r"data/cases\.csv \(undone there\)") as caught:
        pull(mine, store)
    assert "targets.peak2" in str(caught.value)
    assert texts(mine) == before
    pull(mine, store, keep_local=True)
    assert "1,5" in texts(mine)["data/cases.csv"]
    assert "+ seed" in texts(mine)["models/helpers.py"]
    assert {"peak2", "weekly2"} <= set(BundleRegistry.load(mine.registry_path).targets)
    push(mine, store)
    pull(theirs, store)
    assert texts(theirs) == texts(mine)
