"""The cache: filled from far away, used by several, emptied without hurting anybody."""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.oci.http import Patience
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.repository import ModelOpsBundleRepository
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import InvalidInput, NotFound, Unavailable
from modelops_contracts.testing.artifact_store import digest_of
from support.projects import edit, make_registered
from support.registry_faults import Fault, FaultyRegistry

QUICK = Patience(first_answer=0.5, read=0.5, first_wait=0.01, longest_wait=0.02)
LARGE = random.Random(2).randbytes(3_000_000)


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


@pytest.fixture
def digests(registry: FaultyRegistry, tmp_path: Path) -> list[str]:
    project = make_registered(tmp_path / "mine")
    (project.root / "data/cases.csv").write_bytes(LARGE)
    store = RemoteStore(registry.address, "little", patience=QUICK)
    first = push(project, store).manifest
    edit(project, "models/helpers.py", "* seed", "+ seed")
    return [first, push(project, store).manifest]


def open_store(registry: FaultyRegistry, cache: Path) -> RemoteStore:
    return RemoteStore(registry.address, "little", patience=QUICK, cache_dir=cache)


def test_a_fetch_that_was_cut_goes_on(
    registry: FaultyRegistry, digests: list[str], tmp_path: Path
) -> None:
    cache = BundleCache(tmp_path / "cache")
    large = max(registry.blobs, key=lambda key: len(registry.blobs[key]))
    registry.script(Fault("GET", large, "cut_body"), Fault("GET", large, "cut", times=None))
    with pytest.raises(Unavailable):
        cache.ensure(open_store(registry, cache.path), digests[0])
    assert list((cache.path / "trees").iterdir()) == []
    registry.script()
    with registry.counting() as seen:
        tree, _ = cache.ensure(open_store(registry, cache.path), digests[0])
    assert (tree / "data/cases.csv").read_bytes() == LARGE
    ranges = [item.headers["Range"] for item in seen if "Range" in item.headers]
    assert len(ranges) == 1
    assert list((cache.path / "partial").iterdir()) == []


def test_a_tree_that_is_there_needs_no_network(
    registry: FaultyRegistry, digests: list[str], tmp_path: Path
) -> None:
    cache = BundleCache(tmp_path / "cache")
    cache.ensure(open_store(registry, cache.path), digests[0])
    with registry.counting() as seen:
        cache.ensure(open_store(registry, cache.path), digests[0])
    assert seen == []


def test_old_and_superfluous_trees_go_and_used_ones_stay(
    registry: FaultyRegistry, digests: list[str], tmp_path: Path
) -> None:
    cache = BundleCache(tmp_path / "cache")
    store = open_store(registry, cache.path)
    for age, digest in enumerate(reversed(digests)):
        cache.ensure(store, digest)
        lock = cache.path / "locks" / f"{digest.removeprefix('sha256:')}.use"
        os.utime(lock, (1e9 + age, 1e9 + age))
    newest, oldest = cache.trees()
    assert (newest.digest, oldest.digest) == tuple(digests)
    assert cache.collect() == (newest, oldest)
    assert cache.trees() == ()
    for digest in digests:
        cache.ensure(store, digest)
    total = sum(tree.size for tree in cache.trees())
    assert cache.collect(max_bytes=total) == ()
    with cache.use(store, digests[0]) as (tree, _):
        would = {item.digest for item in cache.collect(max_bytes=0, dry_run=True)}
        assert would == set(digests)
        gone = [item.digest for item in cache.collect(max_bytes=0)]
        assert gone == [digests[1]]
        assert (tree / "data/cases.csv").read_bytes() == LARGE
    assert [item.digest for item in cache.collect(max_bytes=0)] == [digests[0]]
    assert list((cache.path / "trees").iterdir()) == []


def test_a_repository_of_a_registry(
    registry: FaultyRegistry, digests: list[str], tmp_path: Path
) -> None:
    place = f"{registry.address}/little"
    repository = ModelOpsBundleRepository(place, tmp_path / "cache", sources=[])
    digest, tree = repository.ensure_local(f"{place}@{digests[0]}")
    assert digest == digests[0]
    assert (tree / "data/cases.csv").read_bytes() == LARGE
    assert repository.exists(f"{place}:latest")
    assert not repository.exists(f"{place}:other")
    with pytest.raises(ValueError, match="digest"):
        repository.ensure_local(f"{place}:latest")
    with pytest.raises(NotFound):
        repository.ensure_local(f"{place}@{digest_of(b'absent')}")
    with pytest.raises(InvalidInput, match="names no registry"):
        ModelOpsBundleRepository("little", tmp_path)


def test_a_blob_is_no_bundle(registry: FaultyRegistry, tmp_path: Path) -> None:
    store = open_store(registry, tmp_path)
    store.put_blob(digest_of(b"x"), io.BytesIO(b"x"))
    with pytest.raises(NotFound):
        BundleCache(tmp_path).ensure(store, digest_of(b"x"))
