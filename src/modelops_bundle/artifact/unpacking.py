"""Layer bytes back to files, trusting nothing but digests."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from modelops_bundle.artifact.manifest import Layer
from modelops_bundle.artifact.packing import tar_header, tar_size
from modelops_bundle.oci import media_types
from modelops_bundle.snapshot.hashing import Sha256, read_blocks
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
        bounded = _Bounded(_decoded(stream, layer), limit, f"layer {layer.digest}", known)
        with _reading_errors(bounded.label), io.BufferedReader(bounded, CHUNK) as source:
            _unpack(source, rows, _Target(root, links), bounded.label)
        if known is not None and f"sha256:{known.hexdigest()}" != layer.diff_id:
            raise IntegrityError(f"layer {layer.digest}: its content is not {layer.diff_id}")
    _read_out(stream, layer)


def _read_out(stream: BinaryIO, layer: Layer) -> None:
    """Read to the end, where a verified stream raises; a stream without one is no layer."""
    left = layer.size
    while chunk := stream.read(CHUNK):
        left -= len(chunk)
        if left < 0:
            raise IntegrityError(f"layer {layer.digest} is longer than its {layer.size} bytes")


@contextmanager
def _reading_errors(label: str) -> Iterator[None]:
    from zstandard import ZstdError

    try:
        yield
    except (tarfile.TarError, ZstdError, EOFError) as error:
        raise IntegrityError(f"{label} is not a readable archive: {error}") from None


def _unpack(source: BinaryIO, rows: Sequence[FileRow], target: _Target, label: str) -> None:
    """Take files as we would have packed them, and the rest, from the first surprise on, as any
    tar would have them."""
    for number, row in enumerate(rows):
        expected = tar_header(row, target.links)
        head = source.read(len(expected))
        if head != expected:
            _unpack_any(_Rest(head, source), rows[number:], target, label)
            return
        if row.mode == "link":
            target.write_link(row)
        else:
            target.write_file(row, source)
            source.read(-row.size % tarfile.BLOCKSIZE)
    _unpack_any(_Rest(b"", source), (), target, label)


def _unpack_any(source: _Rest, rows: Sequence[FileRow], target: _Target, label: str) -> None:
    wanted = {row.path: row for row in rows}
    with tarfile.open(fileobj=source, mode="r|", bufsize=CHUNK) as archive:  # type: ignore[call-overload]
        for member in archive:
            row = wanted.pop(member.name, None)
            if row is None:
                raise IntegrityError(f"{label}: undeclared entry {member.name!r}")
            _extract(archive, member, row, target)
    while source.read(CHUNK):
        pass  # to the end, so that all of it is hashed
    if wanted:
        raise IntegrityError(f"{label} lacks {min(wanted)}")


def _extract(
    archive: tarfile.TarFile, member: tarfile.TarInfo, row: FileRow, target: _Target
) -> None:
    if row.mode == "link":
        if not member.issym() or member.linkname != target.links[row.path]:
            raise IntegrityError(f"{row.path} is not the link that the bundle declares")
        target.write_link(row)
        return
    source = archive.extractfile(member) if member.isreg() else None
    if source is None or member.size != row.size:
        raise IntegrityError(f"{row.path} is not the file that the bundle declares")
    target.write_file(row, source)  # type: ignore[arg-type]


def _decoded(stream: BinaryIO, layer: Layer) -> BinaryIO:
    if layer.media_type == media_types.LAYER_TAR:
        return stream
    if layer.media_type == media_types.LAYER_ZSTD:
        from zstandard import ZstdDecompressor

        # Frames that hold nothing may follow each other for ever.
        packed = _Bounded(stream, layer.size, f"packed layer {layer.digest}", None)
        reader: BinaryIO = ZstdDecompressor().stream_reader(packed, closefd=False)  # type: ignore[arg-type]
        return reader
    raise IntegrityError(f"layer {layer.digest} is of the unknown kind {layer.media_type}")


class _Target:
    """An empty directory that files are made in: always new ones, through no link."""

    def __init__(self, root: Path, links: dict[str, str]) -> None:
        self.links = links
        self._root = str(root)
        self._folders: set[str] = set()

    def write_link(self, row: FileRow) -> None:
        """Make a link as the bundle declares it."""
        Path(self._place(row.path)).symlink_to(self.links[row.path])

    def write_file(self, row: FileRow, source: BinaryIO) -> None:
        """Make a file of the next bytes of a stream; `IntegrityError` when they are others."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        digest = hashlib.sha256()
        descriptor = os.open(self._place(row.path), flags, 0o644)
        with os.fdopen(descriptor, "wb", buffering=0) as stream:
            for chunk in read_blocks(source, row.size, CHUNK):
                digest.update(chunk)
                stream.write(chunk)
        if digest.hexdigest() != row.sha256:
            raise IntegrityError(f"{row.path} does not have the content that the bundle declares")

    def _place(self, path: str) -> str:
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            Path(f"{self._root}/{folder}").mkdir(parents=True, exist_ok=True)
            self._folders.add(folder)
        return f"{self._root}/{path}"


class _Rest:
    """A stream of which the beginning was read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def read(self, size: int) -> bytes:
        if self._head:
            data, self._head = self._head[:size], self._head[size:]
            return data
        return self._stream.read(size)


class _Bounded(io.RawIOBase):
    """Hashes what is read and stops when there is more than there can honestly be."""

    def __init__(self, stream: BinaryIO, limit: int, label: str, known: Sha256 | None) -> None:
        super().__init__()
        self.label = label
        self._stream = stream
        self._left = limit
        self._known = known

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise IntegrityError(f"{self.label} holds more than its files can need")
        if self._known is not None:
            self._known.update(data)
        buffer[: len(data)] = data
        return len(data)
