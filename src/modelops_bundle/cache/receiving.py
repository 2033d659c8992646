"""One large file that is alone in a layer: received, hashed and written in a single pass.

The part that is kept between two attempts holds the file itself, not the layer around it, so that
it only has to be moved to its place.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, runtime_checkable

from modelops_bundle.artifact.manifest import Layer
from modelops_bundle.artifact.packing import frame_of
from modelops_bundle.cache.sharing import copy_verified
from modelops_bundle.oci import media_types
from modelops_bundle.snapshot.hashing import Sha256, read_blocks
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError


class OtherFrame(Exception):  # noqa: N818  (a turn in the road, no error)
    """A layer holds its file in another way than we would pack it."""


@runtime_checkable
class ResumableStore(Protocol):
    """A store far away: blobs can be read from any offset, several at a time."""

    parallel: int

    def open_blob(self, digest: str, offset: int) -> BinaryIO:
        """Return the bytes of a blob from an offset on, unverified."""
        ...


def is_one_plain_file(layer: Layer, rows: Sequence[FileRow]) -> bool:
    """True for a layer that is as long as the plain tar of its only file."""
    if layer.media_type != media_types.LAYER_TAR or layer.digest != layer.diff_id:
        return False
    if len(rows) != 1 or rows[0].mode == "link":
        return False
    before, after = frame_of(rows[0])
    return layer.size == len(before) + rows[0].size + len(after)


def receive_file(store: ResumableStore, layer: Layer, row: FileRow, part: Path, root: Path) -> None:
    """Fetch the only file of a layer to its place below `root`, going on from `part` if it exists.

    Raises `IntegrityError` when layer or file do not have their digests; the part is gone then.
    Raises `OtherFrame` when the layer begins otherwise than expected.
    """
    before, after = frame_of(row)
    with Sha256(row.size, before) as whole, Sha256(row.size) as own:
        both = _Both(whole, own)
        with _open_part(part) as stream:
            both.take(read_blocks(stream, row.size))
            stream.truncate(both.length)
            start = len(before) + both.length if both.length else 0
            with store.open_blob(layer.digest, start) as source:
                if not start and _read_exactly(source, len(before)) != before:
                    raise OtherFrame
                both.take(read_blocks(source, row.size - both.length), stream)
                whole.update(_read_exactly(source, len(after) + 1))
        problem = _problem(layer, row, both)
    if problem is not None:
        part.unlink()
        raise problem
    _move(part, root / row.path, row)


@dataclass(slots=True)
class _Both:
    """The digests of a layer and of the file in it, of one pass over the file."""

    whole: Sha256
    own: Sha256
    length: int = 0

    def take(self, blocks: Iterable[bytes], target: BinaryIO | None = None) -> None:
        """Hash blocks, and write them where they are wanted."""
        for block in blocks:
            self.length += len(block)
            self.whole.update(block)
            self.own.update(block)
            if target is not None:
                target.write(block)


def _problem(layer: Layer, row: FileRow, both: _Both) -> IntegrityError | None:
    if f"sha256:{both.whole.hexdigest()}" != layer.digest or both.length != row.size:
        return arrived_damaged(layer, both.length)
    return _other_content(row) if both.own.hexdigest() != row.sha256 else None


def arrived_damaged(layer: Layer, size: int) -> IntegrityError:
    """Return the error of bytes that are not those of the layer."""
    return IntegrityError(
        f"layer {layer.digest} arrived damaged: {size} bytes of {layer.size}, or other ones",
        hint="do it again; mops bundle verify REF --deep says whether the store has it whole",
    )


def _other_content(row: FileRow) -> IntegrityError:
    return IntegrityError(f"{row.path} does not have the content that the bundle declares")


def _open_part(part: Path) -> BinaryIO:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    return os.fdopen(os.open(part, flags, 0o644), "r+b", buffering=0)


def _read_exactly(source: BinaryIO, size: int) -> bytes:
    return b"".join(read_blocks(source, size))


def _move(part: Path, target: Path, row: FileRow) -> None:
    """Move a verified part; to another file system it is copied, and verified on the way."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(target):
        raise IntegrityError(f"{row.path} occurs twice in the bundle")
    try:
        part.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        copy_verified(part, target, row)
        part.unlink()
