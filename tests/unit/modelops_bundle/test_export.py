"""A bundle's files in a directory that is no project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from modelops_bundle.export import MARK, ExportPlan, apply_export, plan_export
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import Conflict
from support.projects import FILES, edit, make_registered


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


@pytest.fixture
def store(tmp_path: Path, project: Project) -> LayoutStore:
    store = LayoutStore(tmp_path / "artifacts", "little")
    push(project, store)
    return store


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "out" / "here"


def export(store: LayoutStore, dest: Path, *, mirror: bool = False) -> ExportPlan:
    plan = plan_export(store, "latest", dest, mirror=mirror)
    apply_export(plan, store, cache_dir=dest.parents[1] / "cache")
    return plan


def texts(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != MARK
    }


def test_all_files_are_there_and_then_nothing_is_written(store: LayoutStore, dest: Path) -> None:
    assert not export(store, dest).up_to_date
    assert texts(dest).items() >= FILES.items()
    assert not (dest / ".modelops-bundle/config.yaml").exists()
    before = {path: path.stat().st_mtime_ns for path in dest.rglob("*")}
    assert export(store, dest).up_to_date
    kept = {path: path.stat().st_mtime_ns for path in dest.rglob("*") if path.name != MARK}
    assert {path: before[path] for path in kept if path != dest} == {
        path: moment for path, moment in kept.items() if path != dest
    }


def test_what_is_right_is_not_fetched_again(store: LayoutStore, dest: Path, tmp_path: Path) -> None:
    export(store, dest)
    blobs = store.root / "blobs"
    documents = {store.resolve("latest").removeprefix("sha256:")}
    manifest = json.loads(store.get_manifest(store.resolve("latest")))
    documents.add(manifest["config"]["digest"].removeprefix("sha256:"))
    for path in (blobs / "sha256").iterdir():
        if path.name not in documents:
            path.unlink()
    apply_export(plan_export(store, "latest", dest), store, cache_dir=tmp_path / "new cache")


def test_a_newer_bundle_replaces_what_was_exported(
    project: Project, store: LayoutStore, dest: Path
) -> None:
    export(store, dest)
    (dest / "notes.txt").write_text("mine")
    edit(project, "data/cases.csv", "1,3", "1,4")
    (project.root / "data/peak.csv").rename(project.root / "data/top.csv")
    edit(project, "targets/counts.py", "data/peak.csv", "data/top.csv")
    push(project, store, allow_stale=True)
    plan = export(store, dest)
    assert "data/cases.csv" in plan.write
    assert (dest / "data/cases.csv").read_text().startswith("week,cases\n1,4")
    assert (dest / "notes.txt").read_text() == "mine"


def test_edits_and_strangers_stop_it_and_nothing_is_written(
    project: Project, store: LayoutStore, dest: Path
) -> None:
    export(store, dest)
    (dest / "data/cases.csv").write_text("mine")
    edit(project, "models/helpers.py", "* seed", "* seed + 1")
    push(project, store)
    before = texts(dest)
    with pytest.raises(Conflict) as caught:
        export(store, dest)
    assert caught.value.exit_code == 3
    assert [item.path for item in caught.value.details] == ["data/cases.csv"]
    assert texts(dest) == before


def test_files_that_were_there_before(store: LayoutStore, dest: Path) -> None:
    dest.mkdir(parents=True)
    (dest / "pyproject.toml").write_text("something else")
    with pytest.raises(Conflict, match=r"pyproject\.toml"):
        export(store, dest)
    (dest / "pyproject.toml").write_text(FILES["pyproject.toml"])
    export(store, dest)
    assert texts(dest).items() >= FILES.items()


def test_a_mirror_is_exactly_the_bundle(store: LayoutStore, dest: Path) -> None:
    export(store, dest, mirror=True)
    (dest / "stray").mkdir()
    (dest / "stray/a.txt").write_text("x")
    (dest / "data/cases.csv").write_text("edited")
    (dest / "models/sir.py").unlink()
    (dest / "models/sir.py").mkdir()
    (dest / "models/sir.py/b").write_text("x")
    plan = export(store, dest, mirror=True)
    assert set(plan.delete) == {"stray/a.txt", "models/sir.py/b"}
    assert not (dest / "stray").exists()
    assert {path for path in texts(dest) if not path.startswith(".modelops")} >= set(FILES)
    assert texts(dest)["data/cases.csv"] == FILES["data/cases.csv"]


@pytest.mark.parametrize("precious", [".git/config", ".modelops-bundle/config.yaml", "thesis.tex"])
def test_a_mirror_never_empties_what_is_not_its_own(
    store: LayoutStore, dest: Path, precious: str
) -> None:
    (dest / precious).parent.mkdir(parents=True)
    (dest / precious).write_text("precious")
    if precious != "thesis.tex":
        (dest / MARK).write_text('{"format": 1, "files": {}}')
    with pytest.raises(Conflict, match="is not mirrored"):
        export(store, dest, mirror=True)
    assert (dest / precious).read_text() == "precious"
    assert not (dest / "pyproject.toml").exists()


def test_nothing_is_written_through_a_link(store: LayoutStore, dest: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    dest.mkdir(parents=True)
    (dest / "data").symlink_to(outside)
    with pytest.raises(Conflict, match="in the way"):
        export(store, dest)
    assert list(outside.iterdir()) == []


def test_an_interrupted_export_goes_on(
    project: Project, store: LayoutStore, dest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    export(store, dest)
    edit(project, "data/cases.csv", "1,3", "1,4")
    edit(project, "models/helpers.py", "* seed", "* seed + 1")
    push(project, store)
    replaced: list[Path] = []
    real = Path.replace

    def once(self: Path, target: Path) -> Path:
        if Path(target).name != MARK and replaced:
            raise OSError("killed")
        replaced.extend([Path(target)] if Path(target).name != MARK else [])
        return real(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", once)
        with pytest.raises(OSError, match="killed"):
            export(store, dest)
    edit(project, "data/cases.csv", "1,4", "1,5")
    push(project, store)
    export(store, dest)
    assert texts(dest)["data/cases.csv"].startswith("week,cases\n1,5")
    assert not list(dest.rglob("*.tmp"))


def test_modes_and_links(project: Project, store: LayoutStore, dest: Path) -> None:
    from modelops_bundle.choosing import add_files

    script = project.root / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (project.root / "alias.py").symlink_to("models/sir.py")
    add_files(project, ["run.sh", "alias.py"], cwd=project.root)
    push(project, store)
    export(store, dest)
    assert (dest / "run.sh").stat().st_mode & 0o111
    assert (dest / "alias.py").readlink() == Path("models/sir.py")
    assert export(store, dest).up_to_date
