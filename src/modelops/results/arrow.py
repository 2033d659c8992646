"""Arrow IPC bytes of single simulations, to and from polars."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelops_contracts.artifacts import is_arrow_file
from modelops_contracts.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

__all__ = ["count_rows", "read_table", "read_tables", "repeat_rows", "write_table"]

#: From so many tables of one schema on, reading them together is quicker.
_TOGETHER = 4


def read_table(data: bytes) -> pl.DataFrame:
    """A table in the file or the stream format. Raises InvalidInput for anything else."""
    import polars as pl

    try:
        if is_arrow_file(data):
            return pl.read_ipc(io.BytesIO(data))
        return pl.read_ipc_stream(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput(f"not an Arrow IPC table: {error}") from error


def read_tables(data: Sequence[bytes]) -> list[pl.DataFrame | InvalidInput]:
    """Many tables in order, each as :func:`read_table` gives it or the error it raises.

    Small files of one schema are read in one go, at a tenth of the cost.
    """
    result: dict[int, pl.DataFrame | InvalidInput] = {}
    for members in _alike(data):
        together = [data[i] for i in members]
        frames = _read_together(together) if len(members) >= _TOGETHER else None
        if frames is None:
            result.update((i, _read_or_error(data[i])) for i in members)
        else:
            result.update(zip(members, frames, strict=True))
    return [result[i] for i in range(len(data))]


def _read_or_error(data: bytes) -> pl.DataFrame | InvalidInput:
    try:
        return read_table(data)
    except InvalidInput as error:
        return error


def _alike(data: Sequence[bytes]) -> list[list[int]]:
    """Places of files with equal schemas; whatever is no file stands alone."""
    import polars as pl

    groups: dict[object, list[int]] = {}
    for i, one in enumerate(data):
        key: object = i
        if is_arrow_file(one):
            try:
                key = tuple(pl.read_ipc_schema(io.BytesIO(one)).items())
            except (pl.exceptions.PolarsError, OSError):
                key = i
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _read_together(data: Sequence[bytes]) -> list[pl.DataFrame] | None:
    """All tables from one read, cut by the row counts of their footers; None when that fails."""
    import polars as pl

    try:
        counts = [count_rows(one) for one in data]
        rows = pl.scan_ipc(list(data)).collect()
    except (pl.exceptions.PolarsError, OSError, struct.error):
        return None
    if rows.height != sum(counts):
        return None
    frames: list[pl.DataFrame] = []
    start = 0
    for count in counts:
        frames.append(rows.slice(start, count))
        start += count
    return frames


def count_rows(data: bytes) -> int:
    """Rows of an Arrow IPC file, from its footer. Raises struct.error for a damaged one.

    Footer and messages are flatbuffers (Arrow columnar format, "IPC file format"): the footer's
    field 3 lists the record batches; a message's field 2 is its header, and field 0 of that the
    number of rows.
    """
    (size,) = struct.unpack_from("<i", data, len(data) - 10)
    footer = len(data) - 10 - size
    blocks = _field(data, _root(data, footer), 3)
    if blocks is None:
        return 0
    vector = blocks + _u32(data, blocks)
    offsets = (vector + 4 + 24 * i for i in range(_u32(data, vector)))
    return sum(_batch_rows(data, _i64(data, offset)) for offset in offsets)


def _batch_rows(data: bytes, at: int) -> int:
    # A message begins with a continuation mark and its size; files of old Arrow lack the mark.
    marked = _u32(data, at) == 0xFFFFFFFF
    header = _field(data, _root(data, at + (8 if marked else 4)), 2)
    if header is None:
        return 0
    length = _field(data, header + _u32(data, header), 0)
    return 0 if length is None else _i64(data, length)


def _root(data: bytes, at: int) -> int:
    return at + _u32(data, at)


def _field(data: bytes, table: int, number: int) -> int | None:
    """Where a field of a flatbuffers table is, or None when it has its default."""
    (back,) = struct.unpack_from("<i", data, table)
    entries = table - back
    (size,) = struct.unpack_from("<H", data, entries)
    place = 4 + 2 * number
    if place >= size:
        return None
    (offset,) = struct.unpack_from("<H", data, entries + place)
    return table + offset if offset else None


def _u32(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _i64(data: bytes, at: int) -> int:
    return int(struct.unpack_from("<q", data, at)[0])


def write_table(frame: pl.DataFrame) -> bytes:
    """The Arrow IPC stream format: what is read back soon and by us."""
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer)
    return buffer.getvalue()


def repeat_rows(frame: pl.DataFrame, counts: Sequence[int]) -> pl.DataFrame:
    """Row i of ``frame`` ``counts[i]`` times."""
    import numpy as np

    repeated: pl.DataFrame = frame[np.repeat(np.arange(frame.height), np.asarray(counts, np.int64))]
    return repeated
