"""Each line of BUNDLES_MUST_NOT_HAPPEN.md names tests that exist; some of them stand here."""

from __future__ import annotations

import os
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.choosing import add_files
from modelops_bundle.export import apply_export, plan_export
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.reference import parse_reference
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.baselines import read_baseline
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import plan_pull, pull
from modelops_bundle.transfer.push import push
from support.consoles import Consoles, check_against_schema
from support.drift import Drifting, make_drifting
from support.must_not_happen import TESTS, absent_tests, read_items
from support.projects import edit, make_registered
from support.registries import find_registry
from support.registry_faults import FaultyRegistry

PAGE = TESTS / "compat" / "BUNDLES_MUST_NOT_HAPPEN.md"


def test_every_line_names_tests_that_exist() -> None:
    items = read_items(PAGE)
    assert len(items) >= 50
    assert absent_tests(items) == []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "artifacts", "little")


# --- project ---------------------------------------------------------------------------------

ASKING = (
    "status", "list", "push", "pull", "diff", "manifest", "log", "verify", "env",
    "ensure --ref little:latest --dest out",
)  # fmt: skip


def test_a_missing_environment_is_one_and_the_same_error_everywhere(tmp_path: Path) -> None:
    project = make_drifting(tmp_path)
    project.write(".modelops-bundle/env", "gone\n")
    for line in ASKING:
        done = project.run(f"{line} --json")
        check_against_schema(done.json)
        assert done.code == 1, done
        assert done.json["error"]["code"] == "env.not_found", done
        assert "Traceback" not in done.err
        assert "sir_sir" not in done.out


def test_no_secret_is_in_a_traceback_or_a_log(tmp_path: Path) -> None:
    with FaultyRegistry(login=("me", "right")) as registry:
        project = make_drifting(tmp_path)
        folder = project.consoles.home / ".modelops/bundle-env"
        folder.mkdir(parents=True)
        (folder / "dev.yaml").write_text(
            f"environment: dev\nregistry: {{provider: docker, login_server: '{registry.address}', "
            "username: me, password: wrong-s3cret-word}\n"
        )
        for line in ("push -vv", "manifest -vv", "status --remote -vv", "env -vv"):
            done = project.run(line)
            assert "s3cret" not in done.out + done.err
        logs = project.consoles.home / ".modelops" / "logs"
        texts = [path.read_text() for path in logs.rglob("*") if path.is_file()]
        assert not [text for text in texts if "s3cret" in text]


def test_files_get_the_modes_of_ordinary_files(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    push(project, store)
    clone(store, "latest", tmp_path / "theirs", repository="little")
    theirs = open_project(tmp_path / "theirs")
    edit(project, "data/cases.csv", "1,3", "1,4")
    push(project, store)
    pull(theirs, store)
    mask = os.umask(0)
    os.umask(mask)
    for name in ("data/cases.csv", "models/sir.py", ".modelops-bundle/registry.yaml"):
        assert (theirs.root / name).stat().st_mode & 0o777 == 0o666 & ~mask & 0o644, name


# --- transfer --------------------------------------------------------------------------------


def test_files_that_were_equal_at_pull_time_are_no_conflict_later(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    push(project, store)
    theirs = make_registered(tmp_path / "theirs")
    pull(theirs, store, keep_local=True)
    edit(project, "data/cases.csv", "1,3", "1,4")
    push(project, store)
    plan = plan_pull(theirs, store)
    assert not plan.blocked
    assert "data/cases.csv" in plan.take


def test_each_tag_and_place_has_a_baseline_of_its_own(project: Project, tmp_path: Path) -> None:
    one, two = (LayoutStore(tmp_path / name, "little") for name in ("one", "two"))
    first = push(project, one, "a").manifest
    edit(project, "data/cases.csv", "1,3", "1,4")
    second = push(project, one, "b").manifest
    third = push(project, two, "a").manifest
    wanted = {
        f"{one.location}:a": first, f"{one.location}:b": second, f"{two.location}:a": third,
    }  # fmt: skip
    found = {name: read_baseline(project, name) for name in wanted}
    assert {name: item and item.manifest for name, item in found.items()} == wanted


def test_settings_for_large_files_touch_no_storage_account(
    project: Project, tmp_path: Path
) -> None:
    path = project.storage / "config.yaml"
    path.write_text(
        path.read_text() + "storage: {mode: auto, provider: azure, container: c, prefix: p, "
        "threshold_bytes: 1, force_blob_patterns: ['*.csv']}\n"
    )
    store = LayoutStore(tmp_path / "artifacts", "little")
    done = push(open_project(project.root), store)
    other = LayoutStore(tmp_path / "artifacts", "little")  # a worker without those settings
    tree, index = BundleCache(tmp_path / "cache").ensure(other, done.manifest)
    assert dict(index.external) == {}
    assert all(other.has_blob(layer.digest) for layer in index.layers)
    assert (tree / "data/cases.csv").read_bytes() == (project.root / "data/cases.csv").read_bytes()


def test_nothing_is_ever_hard_linked(project: Project, store: LayoutStore, tmp_path: Path) -> None:
    digest = push(project, store).manifest
    cache = BundleCache(tmp_path / "cache")
    cache.ensure(store, digest)
    edit(project, "data/cases.csv", "1,3", "1,4")
    cache.ensure(store, push(project, store).manifest)
    clone(store, "latest", tmp_path / "theirs", repository="little")
    apply_export(plan_export(store, "latest", tmp_path / "out"), store, cache_dir=cache.path)
    pull(open_project(tmp_path / "theirs"), store)
    files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.is_symlink()]
    assert [path for path in files if path.stat().st_nlink > 1] == []


def test_trees_are_named_by_the_whole_digest_and_keep_their_lock_file(
    project: Project, store: LayoutStore, tmp_path: Path
) -> None:
    (project.root / "uv.lock").write_text("version = 1\n")
    digest = push(project, store).manifest
    cache = BundleCache(tmp_path / "cache")
    tree, _ = cache.ensure(store, digest)
    assert tree.name == digest.removeprefix("sha256:")
    assert len(tree.name) == 64
    assert (tree / "uv.lock").read_text() == "version = 1\n"
    assert not [path for path in tree.rglob("*") if path.stat().st_mode & 0o222]
    tree.chmod(0o755)
    (tree / "uv.lock").unlink()
    assert (cache.ensure(store, digest)[0] / "uv.lock").is_file()


@pytest.mark.parametrize(
    ("text", "host", "repository", "tag"),
    [
        ("localhost:5000/a/b", "localhost:5000", "a/b", None),
        ("localhost:5000/a/b:v1", "localhost:5000", "a/b", "v1"),
        ("registry.example.org:443/a:5000", "registry.example.org:443", "a", "5000"),
        ("[::1]:5000/a:v", "[::1]:5000", "a", "v"),
        ("a:v1", "", "a", "v1"),
    ],
)
def test_a_port_is_no_tag(text: str, host: str, repository: str, tag: str | None) -> None:
    found = parse_reference(text)
    assert (found.host, found.repository, found.tag) == (host, repository, tag)
    digest = "sha256:" + "a" * 64
    again = parse_reference(f"{text}@{digest}")
    assert (again.host, again.repository, again.tag, again.digest) == (
        host, repository, tag, digest,
    )  # fmt: skip


def test_blobs_travel_several_at_a_time(project: Project, tmp_path: Path) -> None:
    for number in range(6):
        (project.root / f"data/{number}.bin").write_bytes(os.urandom(1024 * 1024))
    add_files(project, ["data"], cwd=project.root)
    with FaultyRegistry() as registry:
        store = RemoteStore(registry.address, "little", parallel=4)
        assert push(project, store).layers_sent >= 6
        threads = {item.thread for item in registry.requests("PUT", "/blobs/")}
        assert len(threads) > 1, "every upload came over the same connection"
        store.http.close()


@pytest.mark.parametrize("place", ["folder", "registry"])
def test_no_file_is_in_memory_as_a_whole(project: Project, tmp_path: Path, place: str) -> None:
    """Bytes that Python holds at once, over a push and a clone of one file of 48 MiB."""
    size = 48 * 1024 * 1024
    with (project.root / "data/large.bin").open("wb") as file:
        for _ in range(size // (1024 * 1024)):
            file.write(os.urandom(1024 * 1024))
    add_files(project, ["data/large.bin"], cwd=project.root)
    store: Any = LayoutStore(tmp_path / "artifacts", "little")
    if place == "registry":
        store = find_registry("plain").store(cache_dir=tmp_path / "cache")
    tracemalloc.start()
    try:
        push(project, store)
        clone(store, "latest", tmp_path / "theirs", repository="little")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (tmp_path / "theirs/data/large.bin").stat().st_size == size
    assert peak < size / 2


MISTAKES = [
    ("add data/none.csv", 1), ("remove data/none.csv", 1), ("register-model none.py", 1),
    ("register-model models/sir.py --class Nobody", 1),
    ("register-target targets/counts.py --target nobody", 1),
    ("target-set set all -t nobody", 1), ("target-set delete nobody", 1),
    ("unregister nobody", 1), ("unregister peak", 3), ("status --details nobody", 1),
    ("status", 3), ("push", 3), ("push --dry-run", 3), ("refresh --check", 3),
]  # fmt: skip


def test_no_mistake_is_exit_code_0(tmp_path: Path) -> None:
    project = make_drifting(tmp_path)
    project.edit("targets/counts.py", ('model_output="cases"', 'model_output="sick"'))
    before = project.stored()
    for line, code in MISTAKES:
        done = project.run(f"{line} --json")
        check_against_schema(done.json)
        assert done.code == code, done
        assert project.stored() == before, line


def test_a_directory_that_is_no_repository_name(tmp_path: Path) -> None:
    folder = tmp_path / "My Project (2)"
    folder.mkdir()
    consoles = Consoles(folder, tmp_path / "home")
    made = consoles.run("mops bundle init --json")
    assert made.json["repository"] == "my-project-2"
    assert consoles.run("mops bundle init --name 'Bad Name'").code == 1
    refused = Consoles(tmp_path, tmp_path / "home").run("mops bundle init other --name 'Bad Name'")
    assert refused.code == 1
    assert not (tmp_path / "other").exists()


def test_a_renamed_clone_pushes_to_the_same_place(tmp_path: Path) -> None:
    project = make_drifting(tmp_path)
    first = project.run("push --json").json["reference"]
    project.root.rename(tmp_path / "renamed")
    renamed = Drifting(Consoles(tmp_path / "renamed", project.consoles.home))
    renamed.write("data/cases.csv", "week,cases\n1,9\n")
    assert renamed.run("push --json").json["reference"] == first
