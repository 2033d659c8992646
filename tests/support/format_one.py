"""Bundles as the existing suite pushes them, made by hand: one layer of raw bytes per file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

from modelops_bundle.oci.store import BundleStore
from modelops_contracts.testing.artifact_store import digest_of

CONFIG_TYPE = "application/vnd.modelops.bundle.index.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def push_format_one(
    store: BundleStore,
    files: Mapping[str, bytes],
    *,
    tag: str = "latest",
    outside: Mapping[str, str] | None = None,
    changes: Mapping[str, Mapping[str, Any]] | None = None,
) -> str:
    """Push files in format 1 and return the manifest digest.

    `outside` gives the address of files that are kept in a storage account; `changes` replaces
    keys of single entries of the index.
    """
    entries: dict[str, dict[str, Any]] = {}
    layers = []
    for path, data in files.items():
        entry: dict[str, Any] = {
            "path": path, "digest": digest_of(data), "size": len(data), "storage": "oci",
            "blobRef": None,
        }  # fmt: skip
        if outside and path in outside:
            entry |= {"storage": "blob", "blobRef": {"uri": outside[path]}}
        else:
            store.put_blob(digest_of(data), io.BytesIO(data))
            # The media type promises a tar, and the bytes are those of the file all the same.
            layer = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip"}
            layers.append({**layer, "digest": digest_of(data), "size": len(data)})
        entries[path] = entry | dict((changes or {}).get(path, {}))
    index = {"version": "1.0", "created": "2025-01-01T00:00:00Z", "files": entries}
    config = json.dumps(index).encode()
    store.put_blob(digest_of(config), io.BytesIO(config))
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {"mediaType": CONFIG_TYPE, "digest": digest_of(config), "size": len(config)},
        "layers": layers,
    }
    return store.put_manifest(json.dumps(manifest).encode(), media_type=MANIFEST_TYPE, tag=tag)
