"""Layers that are the bytes of one file (format 1): in the registry, or in a storage account."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable

from modelops_bundle.artifact.manifest import BundleIndex, Layer
from modelops_bundle.oci.external import ExternalBlobs
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError, InvalidInput

if TYPE_CHECKING:
    from modelops_contracts.ports import ArtifactStore

_CHUNK = 1024 * 1024


@runtime_checkable
class ReachesStorage(Protocol):
    """A store that can also read what its bundles keep in a storage account."""

    external: ExternalBlobs


def note_external(store: ArtifactStore, index: BundleIndex) -> None:
    """Let a store know where the blobs of a bundle are that it does not hold itself."""
    if not index.external:
        return
    if not isinstance(store, ReachesStorage):
        raise InvalidInput("this store reads no bundle with files in a storage account")
    store.external.note(index.external)


def open_raw(store: ArtifactStore, digest: str) -> BinaryIO:
    """Return the bytes of a raw layer, wherever they are."""
    if isinstance(store, ReachesStorage) and digest in store.external:
        return store.external.open(digest)
    return store.get_blob(digest)


def raw_size(store: ArtifactStore, digest: str) -> int | None:
    """Return the size of a blob outside the store; None when it is not there."""
    assert isinstance(store, ReachesStorage)
    return store.external.size(digest)


def is_outside(store: ArtifactStore, digest: str) -> bool:
    """True for a blob that is kept in a storage account."""
    return isinstance(store, ReachesStorage) and digest in store.external


def place_raw(store: ArtifactStore, layer: Layer, rows: Sequence[FileRow], root: Path) -> None:
    """Write every file that has these bytes; never more of them than the bundle says.

    Raises `IntegrityError` when the bytes are others; then none of the files is there.
    """
    first, *others = [root / row.path for row in rows]
    try:
        first.parent.mkdir(parents=True, exist_ok=True)
        with open_raw(store, layer.digest) as stream, first.open("xb") as file:
            _copy(stream, file, layer)
        for path in others:
            path.parent.mkdir(parents=True, exist_ok=True)
            with first.open("rb") as source, path.open("xb") as copy:
                shutil.copyfileobj(source, copy, _CHUNK)
    except BaseException:
        for path in (first, *others):
            with contextlib.suppress(OSError):
                path.unlink()
        raise


def _copy(stream: BinaryIO, file: BinaryIO, layer: Layer) -> None:
    digest, size = hashlib.sha256(), 0
    while size <= layer.size and (chunk := stream.read(_CHUNK)):
        digest.update(chunk)
        size += len(chunk)
        file.write(chunk)
    if size != layer.size or f"sha256:{digest.hexdigest()}" != layer.digest:
        raise IntegrityError(
            f"{layer.digest} arrived damaged: {size} bytes of {layer.size}, or other ones"
        )
