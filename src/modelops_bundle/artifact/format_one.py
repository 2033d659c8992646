"""Bundles of the existing suite (format 1): read, never written.

Their config lists the files; the bytes of each are one layer, whatever its media type says, or an
object in a storage account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from modelops_bundle.artifact.manifest import (
    BundleIndex,
    Layer,
    check_index,
    config_of,
    content_digest,
    refusing_malformed,
    sha256_of,
)
from modelops_bundle.oci import media_types
from modelops_bundle.oci.documents import load_document
from modelops_bundle.oci.external import is_known_address
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError, InvalidInput
from modelops_contracts.registry import EnvironmentRecord

FORMAT = 1


def is_format_one(manifest: bytes) -> bool:
    """True for the manifest of a bundle of the existing suite."""
    try:
        return bool(load_document(manifest)["config"]["mediaType"] == media_types.FORMAT_ONE)
    except (ValueError, KeyError, TypeError):
        return False


def read_format_one(manifest: bytes, config: bytes) -> BundleIndex:
    """Read both documents, distrusting all of it.

    No file is executable, and there are no links: format 1 does not say. Raises `IntegrityError`
    for paths, digests or layers that no honest bundle has, `InvalidInput` for storage that is not
    known.
    """
    if sha256_of(config) != config_of(manifest):
        raise IntegrityError("the bundle's config is not the one its manifest names")
    with refusing_malformed():
        files = load_document(config)["files"]
        layers = {str(item["digest"]) for item in load_document(manifest)["layers"]}
        entries = {str(path): _Entry(str(path), entry) for path, entry in files.items()}
        ordered = sorted(entries.values(), key=lambda item: item.path.encode())
        for entry in ordered:
            entry.check(layers)
        index = _index_of(ordered)
        check_index(index)
    return index


class _Entry:
    """One file as the config lists it; `address` is where its object is, None for a layer."""

    def __init__(self, path: str, data: Mapping[str, Any]) -> None:
        self.path = path
        self.digest = str(data["digest"])
        self.size = int(data["size"])
        self.address = None
        self.storage = str(data.get("storage") or "oci")
        if self.storage == "blob":
            place = data.get("blobRef") or data.get("blob_ref")
            self.address = str(place["uri"] if isinstance(place, Mapping) else place)

    def check(self, layers: set[str]) -> None:
        if not is_digest(self.digest) or self.size < 0:
            raise IntegrityError(f"the bundle's entry for {self.path} is malformed")
        if self.storage not in {"oci", "blob"}:
            raise InvalidInput(f"{self.path}: storage {self.storage!r} of format 1 is not known")
        if self.address is None and self.digest not in layers:
            raise IntegrityError(f"the bundle has no layer for {self.path}")
        if self.address is not None and not is_known_address(self.address):
            raise InvalidInput(
                f"{self.path} is kept at {self.address.partition(':')[0]}:, which is not known",
                hint="known are azure://, s3://, gs:// and file://",
            )


def _index_of(entries: list[_Entry]) -> BundleIndex:
    numbers: dict[str, int] = {}
    layers: list[Layer] = []
    for entry in entries:
        if entry.digest not in numbers:
            numbers[entry.digest] = len(layers)
            layers.append(Layer(media_types.RAW, entry.digest, entry.size, entry.digest))
        elif layers[numbers[entry.digest]].size != entry.size:
            raise IntegrityError(f"the bundle gives two sizes for the bytes of {entry.path}")
    rows = tuple(
        FileRow(item.path, item.size, item.digest.removeprefix("sha256:"), "0644")
        for item in entries
    )
    inside = {item.digest for item in entries if item.address is None}
    external = {
        item.digest: item.address
        for item in entries
        if item.address is not None and item.digest not in inside
    }
    return BundleIndex(
        files=rows,
        layer_of={item.path: numbers[item.digest] for item in entries},
        layers=tuple(layers),
        content=content_digest(rows),
        environment=EnvironmentRecord(digest=""),
        packing=0,
        format=FORMAT,
        external=external,
    )
