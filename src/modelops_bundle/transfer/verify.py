"""Verify: does a store hold everything that a bundle is made of?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from modelops_bundle.artifact.manifest import BundleIndex, Layer, config_of, sha256_of
from modelops_bundle.artifact.raw_layers import is_outside, open_raw, raw_size
from modelops_bundle.cache.bundle_cache import fetch_index
from modelops_bundle.oci.parallel import run_parallel
from modelops_bundle.oci.store import BundleStore
from modelops_contracts.errors import IntegrityError, NotFound
from modelops_contracts.ports import NullReporter, Reporter

_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Problem:
    """One blob that is not as the bundle says."""

    digest: str
    text: str

    def __str__(self) -> str:
        return f"{self.digest}: {self.text}"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was looked at, and what is wrong; nothing is when `problems` is empty."""

    reference: str
    manifest: str
    content: str
    blobs: int
    size: int
    deep: bool
    problems: tuple[Problem, ...]

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "reference": self.reference, "digest": self.manifest, "content": self.content,
            "blobs": self.blobs, "bytes": self.size, "deep": self.deep,
            "problems": [{"digest": item.digest, "text": item.text} for item in self.problems],
        }  # fmt: skip


def verify(
    store: BundleStore, reference: str, *, deep: bool = False, reporter: Reporter | None = None
) -> Verification:
    """Check that every blob of the bundle at a tag or digest is in the store, with its size.

    `deep` reads all of them and compares their digests. Raises `NotFound` when the bundle itself
    is not there, `IntegrityError` when its index is damaged or dishonest.
    """
    telling = reporter or NullReporter()
    manifest = store.resolve(reference)
    index = fetch_index(store, manifest)
    telling.start("Checking blobs", len(index.layers) + 1)

    def look(layer: Layer) -> Problem | None:
        found = _read(store, layer) if deep else _find(store, layer)
        telling.advance(failed=int(found is not None))
        return found

    layers = [_config_layer(store, manifest), *index.layers]
    client = getattr(store, "http", None)
    found = run_parallel(
        [partial(look, layer) for layer in layers],
        int(getattr(store, "parallel", 1)),
        stopped=getattr(client, "stopped", None),
    )
    telling.finish()
    return Verification(
        reference=f"{store.location}{'@' if ':' in reference else ':'}{reference}",
        manifest=manifest,
        content=index.content,
        blobs=len(layers),
        size=_total(index),
        deep=deep,
        problems=tuple(item for item in found if item is not None),
    )


def _config_layer(store: BundleStore, manifest: str) -> Layer:
    digest = config_of(store.get_manifest(manifest))
    with store.get_blob(digest) as stream:
        data = stream.read()
    return Layer("", sha256_of(data), len(data), "")


def _total(index: BundleIndex) -> int:
    return sum(layer.size for layer in index.layers)


def _find(store: BundleStore, layer: Layer) -> Problem | None:
    outside = is_outside(store, layer.digest)
    size = raw_size(store, layer.digest) if outside else store.blob_size(layer.digest)
    if size is None:
        return Problem(layer.digest, "is missing")
    if size not in {layer.size, -1}:
        return Problem(layer.digest, f"has {size} bytes instead of {layer.size}")
    return None


def _read(store: BundleStore, layer: Layer) -> Problem | None:
    digest, size = hashlib.sha256(), 0
    try:
        with open_raw(store, layer.digest) as stream:
            while size <= layer.size and (chunk := stream.read(_CHUNK)):
                digest.update(chunk)
                size += len(chunk)
    except NotFound:
        return Problem(layer.digest, "is missing")
    except IntegrityError:
        return Problem(layer.digest, "holds other bytes")
    if f"sha256:{digest.hexdigest()}" != layer.digest or size != layer.size:
        return Problem(layer.digest, "holds other bytes")
    return None
