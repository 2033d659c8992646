"""The cache keeps itself small, gives way on a full disk, and mends what was damaged."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.cache.bundle_cache import OLDEST_SECONDS, BundleCache
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.opening import open_bundle
from modelops_bundle.recovery.full_disk import DiskFull
from modelops_bundle.repository import ModelOpsBundleRepository
from modelops_bundle.transfer.push import push
from support.projects import make_registered, write_files
from support.small_disks import SmallDisk, small_disk

DAY = 86400.0
KILOBYTES = 200


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "store", "little")


@pytest.fixture
def digests(tmp_path: Path, store: LayoutStore) -> list[str]:
    """Three bundles of about 200 KB each."""
    project = make_registered(tmp_path / "project")
    found = []
    for number in range(3):
        line = f"{number},{number}\n"
        text = line * (KILOBYTES * 1024 // len(line))
        write_files(project.root, {"data/cases.csv": text})
        found.append(push(project, store).manifest)
    return found


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", 700) as found:
        yield found


def age(cache: BundleCache, digest: str, seconds: float) -> None:
    path = cache.path / "locks" / f"{digest.removeprefix('sha256:')}.use"
    then = time.time() - seconds
    os.utime(path, (then, then))


def forget_collection(cache: BundleCache) -> None:
    os.utime(cache.path / "locks/collected", (0, 0))


def kept(cache: BundleCache) -> set[str]:
    return {tree.digest for tree in cache.trees()}


def test_what_nobody_used_for_a_month_goes_once_a_day(
    tmp_path: Path, store: LayoutStore, digests: list[str]
) -> None:
    told: list[str] = []
    cache = BundleCache(tmp_path / "cache", tell=told.append)
    for digest in digests[:2]:
        cache.ensure(store, digest)
    age(cache, digests[0], OLDEST_SECONDS + 60)
    cache.ensure(store, digests[2])
    assert kept(cache) == set(digests)  # it was collected today already
    forget_collection(cache)
    cache.ensure(store, digests[2])
    assert kept(cache) == set(digests[1:])
    assert digests[0] in told[0]
    age(cache, digests[1], OLDEST_SECONDS + 60)
    cache.ensure(store, digests[2])
    assert kept(cache) == set(digests[1:])


def test_beyond_the_size_the_least_used_goes_and_never_what_is_asked_for(
    tmp_path: Path, store: LayoutStore, digests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = BundleCache(tmp_path / "cache")
    for number, digest in enumerate(digests):
        cache.ensure(store, digest)
        age(cache, digest, 100 - number)
    real = cache.collect
    limit = 2 * KILOBYTES * 1024 + 50_000
    monkeypatch.setattr(cache, "collect", lambda **options: real(max_bytes=limit, **options))
    forget_collection(cache)
    cache.ensure(store, digests[0])
    assert kept(cache) == {digests[0], digests[2]}
    monkeypatch.setattr(cache, "collect", lambda **options: real(max_bytes=10, **options))
    forget_collection(cache)
    _, tree = digests[0], cache.ensure(store, digests[0])[0]
    assert kept(cache) == {digests[0]}
    assert (tree / "data/cases.csv").stat().st_size > KILOBYTES * 1000


def test_a_tree_in_use_stays(tmp_path: Path, store: LayoutStore, digests: list[str]) -> None:
    cache = BundleCache(tmp_path / "cache")
    with open_bundle(digests[0], store=store, cache_dir=cache.path) as bundle:
        age(cache, digests[0], OLDEST_SECONDS + 60)
        forget_collection(cache)
        cache.ensure(store, digests[1])
        assert (bundle.root / "data/cases.csv").exists()
    forget_collection(cache)
    cache.ensure(store, digests[1])
    assert kept(cache) == {digests[1]}


def test_the_repository_that_workers_use_collects_too(
    tmp_path: Path, store: LayoutStore, digests: list[str]
) -> None:
    workers = ModelOpsBundleRepository(f"oci:{store.root}", tmp_path / "cache")
    cache = BundleCache(tmp_path / "cache")
    workers.ensure_local(f"little@{digests[0]}")
    age(cache, digests[0], OLDEST_SECONDS + 60)
    forget_collection(cache)
    workers.ensure_local(f"little@{digests[1]}")
    assert kept(cache) == {digests[1]}


def test_a_full_disk_is_cleared_once_and_tried_once_more(
    disk: SmallDisk, store: LayoutStore, digests: list[str]
) -> None:
    told: list[str] = []
    cache = BundleCache(disk.path / "cache", tell=told.append)
    cache.ensure(store, digests[0])
    age(cache, digests[0], 60)
    disk.fill(50_000)
    tree, _ = cache.ensure(store, digests[1])
    assert (tree / "data/cases.csv").stat().st_size > KILOBYTES * 1000
    assert kept(cache) == {digests[1]}
    assert "was full" in told[-1]


def test_a_disk_that_stays_full_is_named_with_bytes_and_nothing_half_is_left(
    disk: SmallDisk, store: LayoutStore, digests: list[str]
) -> None:
    cache = BundleCache(disk.path / "cache")
    with cache.use(store, digests[0]) as (first, _):
        disk.fill(50_000)
        with pytest.raises(DiskFull, match=r"needs up to 2\d{5} bytes in .* \d+ are free"):
            cache.ensure(store, digests[1])
        assert kept(cache) == {digests[0]}
        assert [path.name for path in (cache.path / "trees").glob(".*")] == []
        assert (first / "data/cases.csv").exists()
    disk.empty()
    cache.ensure(store, digests[1])
    assert kept(cache) == set(digests[:2])


def test_an_error_that_room_does_not_cure_is_not_tried_again(
    tmp_path: Path, store: LayoutStore, digests: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, calls = BundleCache(tmp_path / "cache"), []

    def fail(*arguments: Any) -> None:
        calls.append(arguments)
        raise OSError(errno.EIO, "Input/output error", "x")

    monkeypatch.setattr(cache, "_build", fail)
    with pytest.raises(OSError, match="Input/output"):
        cache.ensure(store, digests[0])
    assert len(calls) == 1


@pytest.mark.parametrize("damage", ["edited", "deleted", "added", "truncated", "executable"])
def test_a_damaged_tree_is_set_aside_told_and_built_again(
    tmp_path: Path, store: LayoutStore, digests: list[str], damage: str
) -> None:
    told: list[str] = []
    cache = BundleCache(tmp_path / "cache", tell=told.append)
    tree, index = cache.ensure(store, digests[0])
    victim = tree / "data/cases.csv"
    good = victim.read_bytes()
    (tree / "data").chmod(0o755)
    victim.chmod(0o644)
    if damage == "edited":
        victim.write_bytes(b"9" + good[1:])
    elif damage == "truncated":
        victim.write_bytes(good[:-1])
    elif damage == "deleted":
        victim.unlink()
    elif damage == "added":
        (tree / "data/more.csv").write_text("x")
    else:
        victim.chmod(0o755)
    reader = (tree / "models/sir.py").open()
    again, _ = cache.ensure(store, digests[0])
    assert (again / "data/cases.csv").read_bytes() == good
    assert not (again / "data/more.csv").exists()
    assert "was damaged" in told[0]
    (aside,) = (cache.path / "trees").glob(".*.damaged")
    assert (aside / "models/sir.py").exists()
    assert "class Sir" in reader.read()
    reader.close()
    assert kept(cache) == {digests[0]}
    assert len(index.files) > 5


def test_a_cache_that_may_only_be_read_serves_what_it_has(
    disk: SmallDisk, store: LayoutStore, digests: list[str]
) -> None:
    cache = BundleCache(disk.path / "cache")
    cache.ensure(store, digests[0])
    disk.make_read_only()
    try:
        with open_bundle(digests[0], store=store, cache_dir=cache.path) as bundle:
            assert (bundle.root / "data/cases.csv").exists()
        cache.ensure(store, digests[0])
        with pytest.raises(OSError, match="Read-only") as caught:
            cache.ensure(store, digests[1])
        assert caught.value.filename
    finally:
        disk.make_read_only(yes=False)
