"""Layer bytes back to files, trusting nothing but digests."""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from modelops_bundle.hashing import Sha256
from modelops_bundle.manifest import Layer
from modelops_bundle.oci import media_types
from modelops_bundle.packing import tar_size
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError

CHUNK = 256 * 1024
_HEADER_ALLOWANCE = 16 * tarfile.BLOCKSIZE


def unpack_layer(
    stream: BinaryIO,
    layer: Layer,
    rows: Sequence[FileRow],
    links: dict[str, str],
    root: Path,
    *,
    verified: bool = False,
) -> None:
    """Write the files of one layer below an empty directory.

    A `verified` stream raises by itself at its end when its bytes are not those of the layer's
    digest. Raises `IntegrityError` for an entry that is not declared, missing, of another size,
    digest or kind, and for more bytes than the declared files can need. Existing files are never
    replaced and links are never followed: everything is created new.
    """
    plain = layer.media_type == media_types.LAYER_TAR
    if plain and layer.digest != layer.diff_id:
        raise IntegrityError(f"layer {layer.digest}: its content cannot be {layer.diff_id}")
    size = tar_size(rows, links)
    limit = size + _HEADER_ALLOWANCE * (len(rows) + 1)
    with Sha256(size if len(rows) == 1 else 0) as digest:
        known = digest if not (verified and plain) else None
        _unpack(_Bounded(_decoded(stream, layer), limit, layer.digest, known), rows, links, root)
        if known is not None and f"sha256:{known.hexdigest()}" != layer.diff_id:
            raise IntegrityError(f"layer {layer.digest}: its content is not {layer.diff_id}")
    while stream.read(CHUNK):
        pass  # to the end, where a verified stream raises


def _unpack(bounded: _Bounded, rows: Sequence[FileRow], links: dict[str, str], root: Path) -> None:
    from zstandard import ZstdError

    wanted = {row.path: row for row in rows}
    try:
        with tarfile.open(fileobj=bounded, mode="r|", bufsize=CHUNK) as archive:  # type: ignore[call-overload]
            for member in archive:
                row = wanted.pop(member.name, None)
                if row is None:
                    raise IntegrityError(f"{bounded.name}: undeclared entry {member.name!r}")
                _extract(archive, member, row, links, root)
        while bounded.read(CHUNK):
            pass  # to the end, so that all of it is hashed
    except (tarfile.TarError, ZstdError, EOFError) as error:
        raise IntegrityError(f"{bounded.name} is not a readable archive: {error}") from None
    if wanted:
        raise IntegrityError(f"{bounded.name} lacks {min(wanted)}")


def _decoded(stream: BinaryIO, layer: Layer) -> BinaryIO:
    if layer.media_type == media_types.LAYER_TAR:
        return stream
    if layer.media_type == media_types.LAYER_ZSTD:
        from zstandard import ZstdDecompressor

        reader: BinaryIO = ZstdDecompressor().stream_reader(stream, closefd=False)
        return reader
    raise IntegrityError(f"layer {layer.digest} is of the unknown kind {layer.media_type}")


def _extract(
    archive: tarfile.TarFile, member: tarfile.TarInfo, row: FileRow, links: dict[str, str],
    root: Path,
) -> None:  # fmt: skip
    target = root / row.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if row.mode == "link":
        if not member.issym() or member.linkname != links[row.path]:
            raise IntegrityError(f"{row.path} is not the link that the bundle declares")
        target.symlink_to(member.linkname)
        return
    source = archive.extractfile(member) if member.isreg() else None
    if source is None or member.size != row.size:
        raise IntegrityError(f"{row.path} is not the file that the bundle declares")
    digest = hashlib.sha256()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(descriptor, "wb") as stream:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            stream.write(chunk)
    if digest.hexdigest() != row.sha256:
        raise IntegrityError(f"{row.path} does not have the content that the bundle declares")


class _Bounded:
    """Hashes what is read and stops when there is more than there can honestly be."""

    def __init__(self, stream: BinaryIO, limit: int, digest: str, known: Sha256 | None) -> None:
        self.name = f"layer {digest}"
        self._stream = stream
        self._left = limit
        self._known = known

    def read(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if self._left < 0:
            raise IntegrityError(f"{self.name} holds more than its files can need")
        if self._known is not None:
            self._known.update(data)
        return data
