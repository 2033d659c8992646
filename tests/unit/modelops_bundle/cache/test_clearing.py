"""The cache is emptied of everything that nobody uses."""

from __future__ import annotations

from pathlib import Path

from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.cache.clearing import clear_cache
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.transfer.push import push
from modelops_contracts.atomic import FileLock
from support.projects import edit, make_registered


def test_all_goes_that_is_not_in_use(tmp_path: Path) -> None:
    project, store = make_registered(tmp_path / "p"), LayoutStore(tmp_path / "artifacts", "p")
    first = push(project, store).manifest
    edit(project, "data/cases.csv", "1,3", "1,4")
    second = push(project, store).manifest
    cache = BundleCache(tmp_path / "cache")
    cache.ensure(store, first)
    cache.ensure(store, second)
    for folder in ("manifests", "configs", "partial", "uploads"):
        (cache.path / folder).mkdir(parents=True, exist_ok=True)
        (cache.path / folder / "aa").write_text("12345")
    (cache.path / "partial" / "bb").write_text("12345")
    with cache.use(store, first), FileLock(cache.path / "partial" / "bb.lock"):
        asked = clear_cache(cache, dry_run=True)
        assert {tree.digest for tree in asked.trees} == {first, second}
        assert (cache.path / "manifests" / "aa").exists()
        done = clear_cache(cache)
        assert [tree.digest for tree in done.trees] == [second]
        assert (done.files, done.file_bytes) == (4, 20)
        assert done.size > 20
        assert cache.tree_path(first).is_dir()
        assert (cache.path / "partial" / "bb").exists()
    assert [tree.digest for tree in clear_cache(cache).trees] == [first]
    assert cache.trees() == ()
    assert clear_cache(BundleCache(tmp_path / "none")).size == 0
