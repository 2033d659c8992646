"""Files to layer bytes and back; the bytes depend on paths, modes and contents alone."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from modelops_bundle.manifest import Layer
from modelops_bundle.oci import media_types
from modelops_bundle.placement import Bucket
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import Conflict, IntegrityError

CHUNK = 1024 * 1024
LEVEL = 3
PROBE_BYTES = 64 * 1024
WORTH_COMPRESSING = 0.8
_IN_MEMORY = 8 * 1024 * 1024
_BLOCK = tarfile.BLOCKSIZE
_END = b"\0" * (2 * _BLOCK)
_HEADER_ALLOWANCE = 16 * _BLOCK

# Opens the content of one file; contents that exist in memory only are given this way too.
OpenFile = Callable[[str], BinaryIO]


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer that can be sent: `open` gives its bytes from the start, each time anew."""

    layer: Layer
    open: Callable[[], BinaryIO]


def tar_chunks(
    rows: Sequence[FileRow], links: dict[str, str], open_file: OpenFile
) -> Iterator[bytes]:
    """Yield the tar of some files; a file that is not what its row says raises `Conflict`."""
    for row in rows:
        yield _header(row, links)
        if row.mode != "link":
            yield from _content(row, open_file)
            yield b"\0" * (-row.size % _BLOCK)
    yield _END


@contextmanager
def pack_layer(
    bucket: Bucket, rows: Sequence[FileRow], links: dict[str, str], open_file: OpenFile
) -> Iterator[PackedLayer]:
    """Pack the files of one bucket; the layer can be read while the context is open.

    Groups of small files are compressed, large single ones only when their first 64 KiB shrink.
    """
    if bucket.single and not _is_worth_compressing(rows[0], open_file):
        yield _plain_layer(rows, links, open_file)
        return
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
        layer = _compress(tar_chunks(rows, links, open_file), _tar_size(rows, links), spool)

        def reopen() -> BinaryIO:
            spool.seek(0)
            return io.BufferedReader(_Borrowed(spool))  # type: ignore[arg-type]

        yield PackedLayer(layer, reopen)


def unpack_layer(
    stream: BinaryIO, layer: Layer, rows: Sequence[FileRow], links: dict[str, str], root: Path
) -> None:
    """Write the files of one layer below an empty directory.

    Raises `IntegrityError` for an entry that is not declared, missing, of another size, digest or
    kind, and for more bytes than the declared files can need. Existing files are never replaced
    and links are never followed: everything is created new.
    """
    from zstandard import ZstdError

    limit = _tar_size(rows, links) + _HEADER_ALLOWANCE * (len(rows) + 1)
    reader = _decoded(stream, layer)
    bounded = _Bounded(reader, limit, layer.digest)
    wanted = {row.path: row for row in rows}
    try:
        with tarfile.open(fileobj=bounded, mode="r|", bufsize=CHUNK) as archive:
            for member in archive:
                row = wanted.pop(member.name, None)
                if row is None:
                    raise IntegrityError(f"layer {layer.digest}: undeclared entry {member.name!r}")
                _extract(archive, member, row, links, root)
        while bounded.read(CHUNK):
            pass  # to the end, so that the digests are checked
    except (tarfile.TarError, ZstdError, EOFError) as error:
        raise IntegrityError(f"layer {layer.digest} is not a readable archive: {error}") from None
    if bounded.digest() != layer.diff_id:
        raise IntegrityError(f"layer {layer.digest}: its content is not {layer.diff_id}")
    while stream.read(CHUNK):
        pass
    if wanted:
        raise IntegrityError(f"layer {layer.digest} lacks {min(wanted)}")


def _header(row: FileRow, links: dict[str, str]) -> bytes:
    info = tarfile.TarInfo(row.path)
    info.mode = 0o755 if row.mode == "0755" else 0o644
    if row.mode == "link":
        info.type = tarfile.SYMTYPE
        info.linkname = links[row.path]
    else:
        info.size = row.size
    return info.tobuf(tarfile.PAX_FORMAT)


def _content(row: FileRow, open_file: OpenFile) -> Iterator[bytes]:
    digest, size = hashlib.sha256(), 0
    with open_file(row.path) as stream:
        while chunk := stream.read(min(CHUNK, row.size - size + 1)):
            digest.update(chunk)
            size += len(chunk)
            if size > row.size:
                break
            yield chunk
    if size != row.size or digest.hexdigest() != row.sha256:
        raise Conflict(
            f"{row.path} changed while it was packed; nothing was tagged",
            code="file_changing",
            hint="mops bundle push",
            retryable=True,
        )


def _tar_size(rows: Sequence[FileRow], links: dict[str, str]) -> int:
    total = len(_END)
    for row in rows:
        size = 0 if row.mode == "link" else row.size
        total += len(_header(row, links)) + size + (-size % _BLOCK)
    return total


def _plain_layer(
    rows: Sequence[FileRow], links: dict[str, str], open_file: OpenFile
) -> PackedLayer:
    digest = hashlib.sha256()
    for chunk in tar_chunks(rows, links, open_file):
        digest.update(chunk)
    name = f"sha256:{digest.hexdigest()}"
    layer = Layer(media_types.LAYER_TAR, name, _tar_size(rows, links), name)
    return PackedLayer(
        layer, lambda: io.BufferedReader(_FromChunks(tar_chunks(rows, links, open_file)), CHUNK)
    )


def _compress(chunks: Iterable[bytes], size: int, spool: object) -> Layer:
    from zstandard import ZstdCompressor

    inner, outer, stored = hashlib.sha256(), hashlib.sha256(), 0
    compressor = ZstdCompressor(level=LEVEL, write_checksum=False, write_content_size=True)
    stream = compressor.compressobj(size=size)

    def store(data: bytes) -> int:
        outer.update(data)
        spool.write(data)  # type: ignore[attr-defined]
        return len(data)

    for chunk in chunks:
        inner.update(chunk)
        stored += store(stream.compress(chunk))
    stored += store(stream.flush())
    return Layer(
        media_types.LAYER_ZSTD,
        f"sha256:{outer.hexdigest()}",
        stored,
        f"sha256:{inner.hexdigest()}",
    )


def _is_worth_compressing(row: FileRow, open_file: OpenFile) -> bool:
    from zstandard import ZstdCompressor

    with open_file(row.path) as stream:
        head = stream.read(PROBE_BYTES)
    packed = ZstdCompressor(level=LEVEL).compress(head)
    return len(packed) <= WORTH_COMPRESSING * len(head)


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


class Reopened(io.RawIOBase):
    """The bytes of a layer as a stream that can go back: it is packed anew from the start."""

    def __init__(self, packed: PackedLayer) -> None:
        super().__init__()
        self._packed = packed
        self._stream: BinaryIO | None = None
        self._position = 0
        self._wanted = 0

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def seekable(self) -> bool:
        """True, at the price of packing again what is skipped."""
        return True

    def tell(self) -> int:
        """Return where the next byte comes from."""
        return self._wanted

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset from the start, the current place or the end."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._wanted, io.SEEK_END: self._packed.layer.size}
        self._wanted = start[whence] + offset
        return self._wanted

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, fewer only at the end."""
        stream = self._at(self._wanted)
        data = stream.read(size)
        self._position = self._wanted = self._wanted + len(data)
        return data

    def readinto(self, buffer: object) -> int:
        """Read into a buffer."""
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        """Close what is open."""
        if self._stream is not None:
            self._stream.close()
        super().close()

    def _at(self, offset: int) -> BinaryIO:
        if self._stream is None or offset < self._position:
            if self._stream is not None:
                self._stream.close()
            self._stream, self._position = self._packed.open(), 0
        while self._position < offset:
            skipped = self._stream.read(min(CHUNK, offset - self._position))
            if not skipped:
                break
            self._position += len(skipped)
        return self._stream


class _FromChunks(io.RawIOBase):
    """A stream over an iterator of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks = chunks
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        while not self._left:
            found = next(self._chunks, None)
            if found is None:
                return 0
            self._left = found
        count = min(len(view), len(self._left))
        view[:count] = self._left[:count]
        self._left = self._left[count:]
        return count


class _Borrowed(io.RawIOBase):
    """Reads from a stream that stays open when this one is closed."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)


class _Bounded(io.RawIOBase):
    """Hashes what is read and stops when there is more than there can honestly be."""

    def __init__(self, stream: BinaryIO, limit: int, name: str) -> None:
        super().__init__()
        self._stream = stream
        self._left = limit
        self._name = name
        self._hash = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._stream.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise IntegrityError(f"layer {self._name} holds more than its files can need")
        self._hash.update(data)
        view[: len(data)] = data
        return len(data)

    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"
