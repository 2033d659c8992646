"""Layers of a bundle, fetched several at a time and unpacked below one empty directory."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from modelops_bundle.artifact.manifest import BundleIndex, Layer
from modelops_bundle.artifact.raw_layers import place_raw
from modelops_bundle.artifact.unpacking import unpack_layer
from modelops_bundle.cache.receiving import (
    OtherFrame,
    ResumableStore,
    arrived_damaged,
    is_one_plain_file,
    receive_file,
)
from modelops_bundle.cache.sharing import find_in_trees, place_known
from modelops_bundle.oci import media_types
from modelops_bundle.oci.parallel import run_parallel
from modelops_bundle.snapshot.hashing import Sha256, read_blocks
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import IntegrityError
from modelops_contracts.ports import ArtifactStore, NullReporter, Reporter

_LOCK_SECONDS = 600.0
_SMALL = 1024 * 1024  # taken from the start again after a crash


def fetch_layers(
    store: ArtifactStore,
    index: BundleIndex,
    numbers: Collection[int],
    root: Path,
    *,
    partial_dir: Path | None = None,
    trees: Path | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Unpack some layers below `root`, every byte verified.

    A layer whose files are all in cached trees, below `trees`, is copied from there instead.

    With `partial_dir`, what was received of a layer of a store far away is kept there until it is
    unpacked, and the next call goes on from it. A layer that arrives damaged is fetched once more;
    `IntegrityError` then.
    """
    telling = reporter or NullReporter()
    telling.start("Fetching layers", len(numbers))
    rows, links = index.rows_by_layer(), dict(index.links)
    wanted = {row.sha256 for number in numbers for row in rows[number]}
    known = find_in_trees(trees, wanted) if trees is not None else {}

    def fetch(number: int) -> None:
        layer, members = index.layers[number], rows[number]
        if place_known(members, links, known, root):
            telling.advance()
            return
        try:
            _fetch(store, layer, members, links, root, partial_dir)
        except IntegrityError:
            _remove_files(members, root)
            if not isinstance(store, ResumableStore):
                raise
            _fetch(store, layer, members, links, root, partial_dir)
        telling.advance()

    jobs = [partial(fetch, number) for number in sorted(numbers)]
    threads = store.parallel if isinstance(store, ResumableStore) else 1
    client = getattr(store, "http", None)
    run_parallel(jobs, threads, stopped=getattr(client, "stopped", None))
    telling.finish()


def _fetch(
    store: ArtifactStore,
    layer: Layer,
    rows: Sequence[FileRow],
    links: dict[str, str],
    root: Path,
    partial_dir: Path | None,
) -> None:
    if layer.media_type == media_types.RAW:
        place_raw(store, layer, rows, root)
        return
    if partial_dir is None or not isinstance(store, ResumableStore) or layer.size <= _SMALL:
        with store.get_blob(layer.digest) as stream:
            unpack_layer(stream, layer, rows, links, root, verified=True)
        return
    with _lock_part(layer, partial_dir) as part:
        if is_one_plain_file(layer, rows):
            try:
                receive_file(store, layer, rows[0], part.with_suffix(".file"), root)
                return
            except OtherFrame:
                pass  # made by another program: taken apart entry by entry
        _receive(store, layer, part)
        try:
            with part.open("rb") as stream:
                unpack_layer(stream, layer, rows, links, root)
        finally:
            part.unlink()


@contextlib.contextmanager
def _lock_part(layer: Layer, folder: Path) -> Iterator[Path]:
    """Give the place where a layer is received, for nobody else meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / layer.digest.removeprefix("sha256:")
    with FileLock(path.with_suffix(".lock"), timeout=_LOCK_SECONDS):
        yield path
    path.with_suffix(".lock").unlink(missing_ok=True)


def _receive(store: ResumableStore, layer: Layer, path: Path) -> None:
    """Make a part whole; it is hashed here unless unpacking hashes the very same bytes."""
    hashed = layer.media_type != media_types.LAYER_TAR
    with path.open("a+b") as part, Sha256(layer.size if hashed else 0) as digest:
        size = part.tell()
        if hashed:
            part.seek(0)
            for chunk in read_blocks(part, size):
                digest.update(chunk)
        if size < layer.size:
            with store.open_blob(layer.digest, size) as stream:
                for chunk in read_blocks(stream, layer.size + 1 - size):
                    size += len(chunk)
                    part.write(chunk)
                    if hashed:
                        digest.update(chunk)
        damaged = hashed and f"sha256:{digest.hexdigest()}" != layer.digest
    if size != layer.size or damaged:
        path.unlink()
        raise arrived_damaged(layer, size)


def _remove_files(rows: Sequence[FileRow], root: Path) -> None:
    for row in rows:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            (root / row.path).unlink()
