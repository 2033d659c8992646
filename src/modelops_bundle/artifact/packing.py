"""Files to layer bytes; the bytes depend on paths, modes and contents alone."""

from __future__ import annotations

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from modelops_bundle.artifact.manifest import Layer
from modelops_bundle.artifact.placement import Bucket
from modelops_bundle.oci import media_types
from modelops_bundle.snapshot.hashing import Sha256, read_blocks
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import Conflict

LEVEL = 3
PROBE_BYTES = 64 * 1024
WORTH_COMPRESSING = 0.8
_IN_MEMORY = 1024 * 1024
_END = b"\0" * (2 * tarfile.BLOCKSIZE)

_TEMPLATE = tarfile.TarInfo("x").tobuf(tarfile.PAX_FORMAT)
_LARGEST = 8**11  # bytes; a size above this is written in another way
_MODE_DIGITS = {"0644": b"0000644\0", "0755": b"0000755\0"}

# Opens the content of one file; contents that exist in memory only are given this way too.
OpenFile = Callable[[str], BinaryIO]


@dataclass(frozen=True, slots=True)
class PackedLayer:
    """A layer that can be sent: `open` gives its bytes as a stream that can go to any offset."""

    layer: Layer
    open: Callable[[], BinaryIO]


def tar_chunks(
    rows: Sequence[FileRow], links: dict[str, str], open_file: OpenFile, *, check: bool = True
) -> Iterator[bytes]:
    """Yield the tar of some files; a file that is not what its row says raises `Conflict`.

    Without `check` the caller compares the digest of the whole, and only lengths are looked at.
    """
    for row in rows:
        yield tar_header(row, links)
        if row.mode != "link":
            yield from _content(row, open_file, check=check)
            yield _padding(row)
    yield _END


def tar_header(row: FileRow, links: dict[str, str]) -> bytes:
    """Return what stands before the content of a file in a layer."""
    if row.mode in _MODE_DIGITS and row.size < _LARGEST and _is_short(row.path):
        return _short_header(row)
    return _any_header(row, links)


def _is_short(path: str) -> bool:
    return len(path) <= tarfile.LENGTH_NAME and path.isascii()


def _short_header(row: FileRow) -> bytes:
    """Return what `tarfile` would make for a name of up to 100 ASCII characters, much faster."""
    head = row.path.encode().ljust(100, b"\0") + _MODE_DIGITS[row.mode] + _TEMPLATE[108:124]
    data = head + b"%011o" % row.size + _TEMPLATE[135:148] + b" " * 8 + _TEMPLATE[156:]
    return data[:148] + b"%06o\0 " % sum(data) + data[156:]


def _any_header(row: FileRow, links: dict[str, str]) -> bytes:
    info = tarfile.TarInfo(row.path)
    info.mode = 0o755 if row.mode == "0755" else 0o644
    if row.mode == "link":
        info.type = tarfile.SYMTYPE
        info.linkname = links[row.path]
    else:
        info.size = row.size
    return info.tobuf(tarfile.PAX_FORMAT)


def tar_size(rows: Sequence[FileRow], links: dict[str, str]) -> int:
    """Return how long the tar of some files is."""
    total = len(_END)
    for row in rows:
        total += len(tar_header(row, links))
        total += 0 if row.mode == "link" else row.size + -row.size % tarfile.BLOCKSIZE
    return total


def frame_of(row: FileRow) -> tuple[bytes, bytes]:
    """Return what stands before and after a file that is alone in a layer."""
    return tar_header(row, {}), _padding(row) + _END


@contextmanager
def pack_layer(
    bucket: Bucket,
    rows: Sequence[FileRow],
    links: dict[str, str],
    open_file: OpenFile,
    *,
    tar_digest: str | None = None,
    spool_dir: Path | None = None,
) -> Iterator[PackedLayer]:
    """Pack the files of one bucket; the layer can be read while the context is open.

    Groups of small files are compressed, large single ones only when their first 64 KiB shrink.
    `tar_digest` is the sha256 (hex) of the tar where it is known already: then a plain layer is
    not read here, and a compressed one hashed once less. Compressed bytes above 1 MiB are kept in
    a nameless file of `spool_dir`.
    """
    if bucket.single and not _is_worth_compressing(rows[0], open_file):
        yield _plain_layer(rows[0], open_file, tar_digest)
        return
    if spool_dir is not None:
        spool_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.SpooledTemporaryFile(
        _IN_MEMORY, dir=None if spool_dir is None else str(spool_dir)
    ) as spool:
        chunks = tar_chunks(rows, links, open_file, check=tar_digest is None)
        size = tar_size(rows, links)
        layer = _compress(chunks, size, spool)  # type: ignore[arg-type]
        if tar_digest is not None and layer.diff_id != f"sha256:{tar_digest}":
            raise changed_while_packed(rows[0].path)

        def reopen() -> BinaryIO:
            spool.seek(0)
            return _Borrowed(spool, layer.size)  # type: ignore[arg-type,return-value]

        yield PackedLayer(layer, reopen)


def changed_while_packed(path: str) -> Conflict:
    """Return the error of a file that is no longer what was promised."""
    return Conflict(
        f"{path} changed while it was packed; nothing was tagged",
        code="file_changing",
        hint="mops bundle push",
        retryable=True,
    )


def _padding(row: FileRow) -> bytes:
    return b"\0" * (-row.size % tarfile.BLOCKSIZE)


def _content(row: FileRow, open_file: OpenFile, *, check: bool) -> Iterator[bytes]:
    with open_file(row.path) as stream, Sha256(row.size) as digest:
        size = 0
        for chunk in read_blocks(stream, row.size):
            size += len(chunk)
            if check:
                digest.update(chunk)
            yield chunk
        same = size == row.size and not stream.read(1)
        if not same or (check and digest.hexdigest() != row.sha256):
            raise changed_while_packed(row.path)


def _plain_layer(row: FileRow, open_file: OpenFile, tar_digest: str | None) -> PackedLayer:
    if tar_digest is None:
        digest = hashlib.sha256()
        for chunk in tar_chunks([row], {}, open_file):
            digest.update(chunk)
        tar_digest = digest.hexdigest()
    name = f"sha256:{tar_digest}"
    layer = Layer(media_types.LAYER_TAR, name, tar_size([row], {}), name)
    return PackedLayer(layer, lambda: _FramedFile(row, open_file))  # type: ignore[return-value,arg-type]


def _compress(chunks: Iterable[bytes], size: int, spool: BinaryIO) -> Layer:
    from zstandard import ZstdCompressor

    outer, stored = hashlib.sha256(), 0
    compressor = ZstdCompressor(level=LEVEL, write_checksum=False, write_content_size=True)
    stream = compressor.compressobj(size=size)

    def store(data: bytes) -> int:
        outer.update(data)
        spool.write(data)
        return len(data)

    with Sha256(size) as inner:
        for chunk in chunks:
            inner.update(chunk)
            stored += store(stream.compress(chunk))
        diff_id = inner.hexdigest()
    stored += store(stream.flush())
    digest = f"sha256:{outer.hexdigest()}"
    return Layer(media_types.LAYER_ZSTD, digest, stored, f"sha256:{diff_id}")


def _is_worth_compressing(row: FileRow, open_file: OpenFile) -> bool:
    from zstandard import ZstdCompressor

    with open_file(row.path) as stream:
        head = stream.read(PROBE_BYTES)
    packed = ZstdCompressor(level=LEVEL).compress(head)
    return len(packed) <= WORTH_COMPRESSING * len(head)


class _LayerStream(io.RawIOBase):
    """A stream of known length that can go to any offset."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}
        self._position = start[whence] + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._size - self._position)
        wanted = left if size < 0 else min(size, left)
        parts: list[bytes] = []
        while wanted and (data := self._read_at(self._position, wanted)):
            parts.append(data)
            wanted -= len(data)
            self._position += len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _read_at(self, offset: int, size: int) -> bytes:
        raise NotImplementedError


class _Borrowed(_LayerStream):
    """The bytes of a file that stays open when this is closed."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        super().__init__(size)
        self._stream = stream

    def _read_at(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        return self._stream.read(size)


class _FramedFile(_LayerStream):
    """The layer of one file, read from the file itself."""

    def __init__(self, row: FileRow, open_file: OpenFile) -> None:
        self._before, self._after = frame_of(row)
        super().__init__(len(self._before) + row.size + len(self._after))
        self._row = row
        self._open_file = open_file
        self._file: BinaryIO | None = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
        super().close()

    def _read_at(self, offset: int, size: int) -> bytes:
        within = offset - len(self._before)
        if within < 0:
            return self._before[offset : offset + size]
        if within >= self._row.size:
            start = within - self._row.size
            return self._after[start : start + size]
        stream = self._opened()
        stream.seek(within)
        data = stream.read(min(size, self._row.size - within))
        if not data:
            raise changed_while_packed(self._row.path)
        return data

    def _opened(self) -> BinaryIO:
        if self._file is None:
            self._file = self._open_file(self._row.path)
            if self._file.seek(0, io.SEEK_END) != self._row.size:
                raise changed_while_packed(self._row.path)
        return self._file
