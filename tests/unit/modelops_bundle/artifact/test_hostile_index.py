"""Documents that no honest program writes: refused with an error of ours, whatever they hold."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.artifact.manifest import content_digest, read_index
from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.oci import media_types
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError, InvalidInput, ModelOpsError
from support.registry_faults import FaultyRegistry

HEX = hashlib.sha256(b"data").hexdigest()
ROW = FileRow("f", 4, HEX, "0644")
LAYER = {"mediaType": media_types.LAYER_TAR, "digest": f"sha256:{HEX}", "size": 2048}


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def documents(
    bundle: dict[str, Any] | None = None, *, layer: dict[str, Any] | None = None,
    diff_id: object = f"sha256:{HEX}", text: str | None = None,
) -> tuple[bytes, bytes]:  # fmt: skip
    """Return manifest and config of a bundle of one file, with the lies that are wanted."""
    found = {
        "format": 2, "fp": 1, "packing": 1, "content": content_digest([ROW]),
        "environment": {"digest": "", "lock": None}, "files": [["f", 4, HEX, "0644", 0]],
        "links": {}, "entries": {"models": {}, "targets": {}}, **(bundle or {}),
    }  # fmt: skip
    document = {"rootfs": {"diff_ids": [diff_id]}, media_types.BUNDLE_KEY: found}
    config = (text or json.dumps(document)).encode()
    manifest = {
        "mediaType": media_types.MANIFEST, "artifactType": media_types.BUNDLE,
        "config": {"mediaType": media_types.CONFIG, "digest": sha(config), "size": len(config)},
        "layers": [{**LAYER, **(layer or {})}],
    }  # fmt: skip
    return json.dumps(manifest).encode(), config


def test_the_honest_one_is_read() -> None:
    assert [row.path for row in read_index(*documents()).files] == ["f"]


LIES: dict[str, Any] = {
    "digest that climbs": {"layer": {"digest": "sha256:../../../victim"}},
    "digest of another kind": {"layer": {"digest": "md5:" + "a" * 32}},
    "digest that is a number": {"layer": {"digest": 7}},
    "diff_id that climbs": {"diff_id": "sha256:../../victim"},
    "diff_id of nothing": {"diff_id": None},
    "layer of negative size": {"layer": {"size": -5}},
    "layer of endless size": {"layer": {"size": float("inf")}},
    "size without end": {"bundle": {"files": [["f", float("inf"), HEX, "0644", 0]]}},
    "half a character": {"bundle": {"files": [["\ud800", 4, HEX, "0644", 0]]}},
    "half a character in a link": {
        "bundle": {"files": [["f", 4, HEX, "link", 0]], "links": {"f": "\udfff"}}
    },
    "links in a list": {"bundle": {"links": ["f"]}},
    "format that is a word": {"bundle": {"format": "two"}},
    "format of nothing": {"bundle": {"format": None}},
    "entries of nothing": {"bundle": {"entries": None}},
    "digest with a newline": {"bundle": {"files": [["f", 4, HEX[:-1] + "\n", "0644", 0]]}},
}


@pytest.mark.parametrize("name", LIES)
def test_lies_are_refused(name: str) -> None:
    with pytest.raises(IntegrityError):
        read_index(*documents(**LIES[name]))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 50_000, "1e999", '"\\ud800"'])
def test_configs_that_are_no_documents(text: str) -> None:
    with pytest.raises(ModelOpsError):
        read_index(*documents(text=text))


def test_a_manifest_nested_without_end_is_no_bundle() -> None:
    with pytest.raises(InvalidInput, match="not a bundle"):
        read_index(b"[" * 100_000, b"{}")


def test_many_links_are_checked_without_effort() -> None:
    """Each was compared with the whole list of files: 20,000 of them took minutes."""
    rows = [ROW]
    rows += [FileRow(f"l{number:06}", 1, HEX, "link") for number in range(20_000)]
    bundle = {
        "files": [[row.path, row.size, row.sha256, row.mode, 0] for row in rows],
        "links": {row.path: "f" for row in rows[1:]}, "content": content_digest(rows),
    }  # fmt: skip
    assert len(read_index(*documents(bundle)).links) == 20_000


def test_no_file_beside_the_cache_is_touched(tmp_path: Path) -> None:
    """A layer's digest became part of a path: what was there was taken for a part, and removed."""
    victim = tmp_path / "victim"
    victim.write_bytes(b"years of work" * 200_000)
    size = victim.stat().st_size - 1
    manifest, config = documents(
        layer={"digest": "sha256:../../victim", "size": size, "mediaType": media_types.LAYER_ZSTD}
    )
    with FaultyRegistry() as registry:
        registry.blobs |= {sha(config): config}
        registry.manifests[sha(manifest)] = (media_types.MANIFEST, manifest)
        store = RemoteStore(registry.address, "team/seir")
        cache = BundleCache(tmp_path / "cache")
        with pytest.raises(IntegrityError):
            cache.ensure(store, sha(manifest))
    assert victim.exists()
