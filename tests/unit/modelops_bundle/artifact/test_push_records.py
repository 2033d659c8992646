"""Records of pushes: what they hold, where they are kept, and that a push never fails over one."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from modelops_bundle.artifact.push_records import (
    PushRecord,
    build_record,
    leave_record,
    read_log,
    read_record,
    record_for,
    records_of,
)
from modelops_bundle.oci import media_types
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project.project import Project
from modelops_bundle.project.provenance import read_provenance, without_login
from modelops_bundle.transfer.push import push
from support.projects import edit, make_registered
from support.registry_faults import Fault, FaultyRegistry

DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


@pytest.fixture(params=["layout", "registry"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BundleStore]:
    if request.param == "layout":
        yield LayoutStore(tmp_path / "artifacts", "little")
        return
    with FaultyRegistry() as registry:
        remote = RemoteStore(registry.address, "little")
        yield remote
        remote.http.close()


def git(folder: Path, *words: str) -> str:
    names = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(
        ["git", *names, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def commit_all(folder: Path) -> str:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "first")
    return git(folder, "rev-parse", "HEAD")


def test_a_push_leaves_a_record_beside_the_bundle(project: Project, store: BundleStore) -> None:
    commit = commit_all(project.root)
    first = push(project, store)
    edit(project, "data/cases.csv", "1,3", "1,4")
    second = push(project, store)
    assert first.warnings == second.warnings == ()
    log = read_log(store, "latest", limit=10)
    assert log.complete
    assert [item.manifest for item in log.records] == [second.manifest, first.manifest]
    newest, oldest = log.records
    assert (newest.previous, oldest.previous) == (first.manifest, None)
    assert (newest.commit, newest.dirty) == (commit, True)
    assert newest.user
    assert newest.tool is not None
    assert newest.tool.startswith("modelops ")
    assert read_log(store, "latest", limit=1).records == (newest,)
    assert read_log(store, first.manifest, limit=9).records == (oldest,)


def test_a_record_changes_no_digest(project: Project, store: BundleStore, tmp_path: Path) -> None:
    with_git = push(project, store)
    commit_all(project.root)
    again = push(project, LayoutStore(tmp_path / "elsewhere", "little"))
    assert (again.manifest, again.content) == (with_git.manifest, with_git.content)
    assert list(store.tags()) == ["latest"]
    text = store.get_manifest(again.manifest).decode()
    assert "git" not in text
    assert "created" not in text


def test_nothing_changed_leaves_no_record(project: Project, store: BundleStore) -> None:
    first = push(project, store)
    push(project, store)
    assert len(records_of(store, first.manifest) or []) == 1


def test_a_record_that_cannot_be_stored_is_a_warning(project: Project) -> None:
    with FaultyRegistry() as registry:
        store = RemoteStore(registry.address, "little")
        registry.script(Fault("PUT", path="/manifests/sha256:", status=400, times=None))
        done = push(project, store)
        assert done.pushed
        assert len(done.warnings) == 1
        assert "the push is done, but its record could not be stored" in done.warnings[0]
        assert store.resolve("latest") == done.manifest
        store.http.close()


def test_registries_without_referrers_work(project: Project) -> None:
    with FaultyRegistry(referrers=False) as registry:
        store = RemoteStore(registry.address, "little")
        done = push(project, store)
        assert done.warnings == ()
        log = read_log(store, "latest", limit=10)
        assert (log.records, log.complete) == ((), False)
        store.http.close()


def test_a_record_is_read_as_it_was_written() -> None:
    whole = PushRecord(
        DIGEST, "2026-01-02T03:04:05+00:00", user="ada", tool="modelops 1", commit="c" * 40,
        dirty=False, diff=DIGEST, source="https://example.org/x", previous=DIGEST,
    )  # fmt: skip
    for record in (whole, PushRecord(DIGEST, whole.created), replace(whole, dirty=True)):
        data = build_record(record, 10)
        assert read_record(data, DIGEST) == record
        assert json.loads(data)["subject"]["digest"] == DIGEST
        assert json.loads(data)["artifactType"] == media_types.PUSH


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"artifactType":"x"}', b"\xff"])
def test_what_is_no_record_is_none(data: bytes) -> None:
    assert read_record(data, DIGEST) is None


def test_a_log_that_runs_in_a_circle_ends(project: Project, store: BundleStore) -> None:
    done = push(project, store)
    record = records_of(store, done.manifest)
    assert record is not None
    assert leave_record(store, replace(record[0], previous=done.manifest)) is None
    assert len(read_log(store, "latest", limit=50).records) == 2


# --- what git says ---------------------------------------------------------------------------


def test_git_is_asked_about_the_files_of_the_bundle_only(project: Project) -> None:
    root = project.root
    tracked = ["data/cases.csv", "models/sir.py"]
    assert read_provenance(root, tracked) is None, "no repository"
    commit = commit_all(root)
    (root / "notes.txt").write_text("mine")
    clean = read_provenance(root, tracked)
    assert clean is not None
    assert (clean.commit, clean.dirty, clean.diff) == (commit, False, None)
    edit(project, "data/cases.csv", "1,3", "1,5")
    dirty = read_provenance(root, tracked)
    assert dirty is not None
    assert dirty.dirty
    assert dirty.diff is not None
    edit(project, "data/cases.csv", "1,5", "1,6")
    other = read_provenance(root, tracked)
    assert other is not None
    assert other.diff != dirty.diff


def test_git_of_a_folder_above(project: Project, tmp_path: Path) -> None:
    commit = commit_all(tmp_path)
    edit(project, "data/cases.csv", "1,3", "1,5")
    found = read_provenance(project.root, ["data/cases.csv"])
    assert found is not None
    assert (found.commit, found.dirty) == (commit, True)


def test_a_name_that_is_not_ascii_is_seen(project: Project) -> None:
    (project.root / "data/été 1.csv").write_text("a")
    commit_all(project.root)
    (project.root / "data/été 1.csv").write_text("b")
    found = read_provenance(project.root, ["data/été 1.csv"])
    assert found is not None
    assert found.dirty


def test_no_git_and_a_slow_git(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_all(project.root)
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    monkeypatch.setenv("PATH", str(bin_))
    assert read_provenance(project.root, []) is None
    (bin_ / "git").write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    (bin_ / "git").chmod(0o755)
    started = time.monotonic()
    assert read_provenance(project.root, [], seconds=0.3) is None
    assert time.monotonic() - started < 30
    assert record_for(project, DIGEST, [], None).commit is None


def test_nothing_that_the_repository_configures_is_started(project: Project) -> None:
    commit_all(project.root)
    witness = project.root / "started"
    for key in ("core.fsmonitor", "diff.external", "diff.evil.textconv", "core.pager"):
        git(project.root, "config", key, f"touch {witness}; false")
    (project.root / ".gitattributes").write_text("*.csv diff=evil\n")
    edit(project, "data/cases.csv", "1,3", "1,5")
    found = read_provenance(project.root, ["data/cases.csv"])
    assert found is not None
    assert found.dirty
    assert not witness.exists()


def test_no_password_of_a_remote_is_kept(project: Project) -> None:
    commit_all(project.root)
    git(project.root, "config", "remote.origin.url", "https://ada:s3cret@example.org/x.git")
    found = read_provenance(project.root, [])
    assert found is not None
    assert found.source == "https://example.org/x.git"
    assert without_login("git@example.org:x.git") == "git@example.org:x.git"
    assert without_login("ssh://ada@example.org/x") == "ssh://example.org/x"
