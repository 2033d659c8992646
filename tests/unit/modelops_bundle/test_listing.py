"""What a repository holds, by tag."""

from __future__ import annotations

import io
from pathlib import Path

from modelops_bundle.cache.bundle_cache import fetch_index
from modelops_bundle.listing import summarise_tags
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.transfer.push import push
from modelops_contracts.testing.artifact_store import MANIFEST_TYPE, digest_of, manifest_of
from support.projects import make_registered


def test_tags_with_their_bundles(tmp_path: Path) -> None:
    project, store = make_registered(tmp_path / "p"), LayoutStore(tmp_path / "artifacts", "p")
    done = push(project, store, "v1")
    store.put_blob(digest_of(b"{}"), io.BytesIO(b"{}"))
    store.put_manifest(manifest_of(b"{}"), media_type=MANIFEST_TYPE, tag="image")
    bundle, image = summarise_tags(store)
    assert (bundle.tag, bundle.manifest, bundle.content) == ("v1", done.manifest, done.content)
    rows = fetch_index(store, done.manifest).files
    assert (bundle.files, bundle.size) == (len(rows), sum(row.size for row in rows))
    assert bundle.pushed_at is not None
    assert (image.tag, image.files) == ("image", None)
    assert image.problem is not None
    assert "not a bundle" in image.problem
    assert summarise_tags(store, limit=1) == [bundle]
    assert store.tag_names() == ["image", "v1"]
