"""Layers of a bundle, fetched several at a time and unpacked below one empty directory."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from modelops_bundle.manifest import BundleIndex, Layer
from modelops_bundle.oci import media_types
from modelops_bundle.oci.parallel import run_parallel
from modelops_bundle.packing import unpack_layer
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import IntegrityError
from modelops_contracts.ports import ArtifactStore, NullReporter, Reporter

_CHUNK = 1024 * 1024
_LOCK_SECONDS = 600.0


@runtime_checkable
class ResumableStore(Protocol):
    """A store far away: blobs can be read from any offset, several at a time."""

    parallel: int

    def open_blob(self, digest: str, offset: int) -> BinaryIO:
        """Return the bytes of a blob from an offset on, unverified."""
        ...


def fetch_layers(
    store: ArtifactStore,
    index: BundleIndex,
    numbers: Collection[int],
    root: Path,
    *,
    partial_dir: Path | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Unpack some layers below `root`, every byte verified.

    With `partial_dir`, what was received of a layer of a store far away is kept there until it is
    unpacked, and the next call goes on from it. A layer that arrives damaged is fetched once more;
    `IntegrityError` then.
    """
    telling = reporter or NullReporter()
    telling.start("Fetching layers", len(numbers))

    def fetch(number: int) -> None:
        try:
            _fetch(store, index, number, root, partial_dir)
        except IntegrityError:
            _remove_files(index, number, root)
            if not isinstance(store, ResumableStore):
                raise
            _fetch(store, index, number, root, partial_dir)
        telling.advance()

    jobs = [partial(fetch, number) for number in sorted(numbers)]
    threads = store.parallel if isinstance(store, ResumableStore) else 1
    client = getattr(store, "http", None)
    run_parallel(jobs, threads, stopped=getattr(client, "stopped", None))
    telling.finish()


def _fetch(
    store: ArtifactStore, index: BundleIndex, number: int, root: Path, partial_dir: Path | None
) -> None:
    layer = index.layers[number]
    rows, links = index.rows_in(number), dict(index.links)
    if partial_dir is None or not isinstance(store, ResumableStore):
        with store.get_blob(layer.digest) as stream:
            unpack_layer(stream, layer, rows, links, root)
        return
    with _part(store, layer, partial_dir) as path:
        try:
            with path.open("rb") as stream:
                unpack_layer(stream, layer, rows, links, root)
        finally:
            path.unlink()


@contextlib.contextmanager
def _part(store: ResumableStore, layer: Layer, folder: Path) -> Iterator[Path]:
    """Give a layer as a whole, verified file that nobody else touches."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / layer.digest.removeprefix("sha256:")
    with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
        _receive(store, layer, path)
        yield path
    path.with_suffix(".lock").unlink(missing_ok=True)


def _receive(store: ResumableStore, layer: Layer, path: Path) -> None:
    """Make a part whole; it is hashed here unless unpacking hashes the very same bytes."""
    hashed = not (layer.media_type == media_types.LAYER_TAR and layer.digest == layer.diff_id)
    digest = hashlib.sha256()
    with path.open("a+b") as part:
        size = part.tell()
        if hashed:
            part.seek(0)
            while chunk := part.read(_CHUNK):
                digest.update(chunk)
        if size < layer.size:
            with store.open_blob(layer.digest, size) as stream:
                while size <= layer.size and (chunk := stream.read(_CHUNK)):
                    size += len(chunk)
                    part.write(chunk)
                    if hashed:
                        digest.update(chunk)
    if size != layer.size or (hashed and f"sha256:{digest.hexdigest()}" != layer.digest):
        path.unlink()
        raise IntegrityError(
            f"layer {layer.digest} arrived damaged: {size} bytes of {layer.size}, or other ones"
        )


def _remove_files(index: BundleIndex, number: int, root: Path) -> None:
    for row in index.rows_in(number):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (root / row.path).unlink()
