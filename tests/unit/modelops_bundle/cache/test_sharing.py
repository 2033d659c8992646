"""What is on this machine already is copied, hashed on its way, and not fetched again."""

from __future__ import annotations

import fcntl
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.cache.sharing import copy_verified, find_in_trees
from modelops_bundle.oci.http import Patience
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.snapshot.index import FileRow
from modelops_bundle.snapshot.scan import hash_file
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import IntegrityError
from support.projects import make_registered
from support.registry_faults import FaultyRegistry

QUICK = Patience(first_answer=0.5, read=0.5, first_wait=0.01, longest_wait=0.02)
LARGE = random.Random(3).randbytes(1_500_000)


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_registered(tmp_path / "mine")
    (made.root / "data/large.bin").write_bytes(LARGE)
    (made.root / "data/alias.bin").symlink_to("large.bin")
    write_tracked(made.root, [*read_tracked(made.root), "data/large.bin", "data/alias.bin"])
    return made


def open_store(registry: FaultyRegistry) -> RemoteStore:
    return RemoteStore(registry.address, "little", patience=QUICK)


def add_comment(project: Project) -> None:
    with (project.root / "models/sir.py").open("a") as stream:
        stream.write("# later\n")


def fetched(registry: FaultyRegistry, start: int) -> int:
    """Bytes of blobs asked for since a request, configs apart."""
    configs = {digest for digest, data in registry.blobs.items() if data.startswith(b"{")}
    seen = [item.path.rpartition("/")[2] for item in registry.seen[start:]
            if item.verb == "GET" and "/blobs/" in item.path]  # fmt: skip
    return sum(len(registry.blobs[digest]) for digest in seen if digest not in configs)


def test_the_next_version_takes_what_it_shares(
    registry: FaultyRegistry, project: Project, tmp_path: Path
) -> None:
    cache = BundleCache(tmp_path / "cache")
    first = push(project, open_store(registry)).manifest
    tree, _ = cache.ensure(open_store(registry), first)
    add_comment(project)
    second = push(project, open_store(registry)).manifest
    start = len(registry.seen)
    other, _ = cache.ensure(open_store(registry), second)
    assert 0 < fetched(registry, start) < 100_000
    assert (other / "data/large.bin").read_bytes() == LARGE
    assert (other / "data/large.bin").stat().st_ino != (tree / "data/large.bin").stat().st_ino
    assert (other / "data/alias.bin").readlink() == Path("large.bin")
    assert (other / "models/sir.py").read_text().endswith("# later\n")


def test_a_damaged_tree_gives_nothing(
    registry: FaultyRegistry, project: Project, tmp_path: Path
) -> None:
    cache = BundleCache(tmp_path / "cache")
    tree, _ = cache.ensure(open_store(registry), push(project, open_store(registry)).manifest)
    (tree / "data/large.bin").chmod(0o644)
    (tree / "data/large.bin").write_bytes(LARGE[:-1] + b"!")
    add_comment(project)
    second = push(project, open_store(registry)).manifest
    other, _ = cache.ensure(open_store(registry), second)
    assert (other / "data/large.bin").read_bytes() == LARGE


def test_a_clone_of_what_is_cached_fetches_no_layer(
    registry: FaultyRegistry, project: Project, tmp_path: Path
) -> None:
    cache = BundleCache(tmp_path / "cache")
    cache.ensure(open_store(registry), push(project, open_store(registry)).manifest)
    start = len(registry.seen)
    clone(open_store(registry), "latest", tmp_path / "theirs", repository="little",
          trees=cache.path / "trees")  # fmt: skip
    assert fetched(registry, start) == 0
    for path in read_tracked(project.root):
        assert (tmp_path / "theirs" / path).read_bytes() == (project.root / path).read_bytes()
    os.utime(tmp_path / "theirs/data/large.bin")  # it is ours to change


def test_a_pull_takes_files_from_project_and_cache(
    registry: FaultyRegistry, project: Project, tmp_path: Path
) -> None:
    push(project, open_store(registry))
    clone(open_store(registry), "latest", tmp_path / "theirs", repository="little")
    theirs = open_project(tmp_path / "theirs")
    (project.root / "data/large.bin").rename(project.root / "data/moved.bin")
    (project.root / "data/alias.bin").unlink()
    (project.root / "data/new.bin").write_bytes(LARGE[::-1])
    kept = [path for path in read_tracked(project.root) if not path.endswith(".bin")]
    write_tracked(project.root, [*kept, "data/moved.bin", "data/new.bin"])
    cache = BundleCache(tmp_path / "cache")
    cache.ensure(open_store(registry), push(project, open_store(registry)).manifest)
    start = len(registry.seen)
    pull(theirs, open_store(registry), trees=cache.path / "trees")
    assert fetched(registry, start) == 0
    assert (theirs.root / "data/moved.bin").read_bytes() == LARGE
    assert (theirs.root / "data/new.bin").read_bytes() == LARGE[::-1]
    assert not (theirs.root / "data/large.bin").exists()


def test_shared_blocks_are_hashed_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a file system that can share blocks."""

    def share(target: int, request: int, source: int) -> int:
        os.pwrite(target, os.pread(source, 10_000_000, 0), 0)
        return 0

    monkeypatch.setattr(fcntl, "ioctl", share)
    source = tmp_path / "source"
    source.write_bytes(LARGE)
    row = FileRow("large.bin", len(LARGE), hash_file(source), "0644")
    copy_verified(source, tmp_path / "copy", row)
    assert (tmp_path / "copy").read_bytes() == LARGE
    source.write_bytes(LARGE + b"!")
    with pytest.raises(IntegrityError, match=r"large\.bin"):
        copy_verified(source, tmp_path / "other", row)
    assert not (tmp_path / "other").exists()
    with pytest.raises(FileExistsError):
        copy_verified(source, tmp_path / "copy", row)


@pytest.mark.parametrize("record", ["", "[]", '{"format": 1, "rows": {"a": []}}', '{"format": 9}'])
def test_records_that_are_garbage_name_nothing(tmp_path: Path, record: str) -> None:
    (tmp_path / ("a" * 64 + ".json")).write_text(record)
    assert find_in_trees(tmp_path, {"0" * 64}) == {}
    assert find_in_trees(tmp_path / "absent", {"0" * 64}) == {}
