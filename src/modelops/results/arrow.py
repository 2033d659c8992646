"""Arrow IPC bytes of single simulations, to and from polars."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelops_contracts.artifacts import is_arrow_file
from modelops_contracts.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_table", "repeat_rows", "write_table"]


def read_table(data: bytes) -> pl.DataFrame:
    """A table in the file or the stream format. Raises InvalidInput for anything else."""
    import polars as pl

    try:
        if is_arrow_file(data):
            return pl.read_ipc(io.BytesIO(data))
        return pl.read_ipc_stream(io.BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput(f"not an Arrow IPC table: {error}") from error


def write_table(frame: pl.DataFrame) -> bytes:
    """The Arrow IPC file format, uncompressed."""
    buffer = io.BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


def repeat_rows(frame: pl.DataFrame, counts: Sequence[int]) -> pl.DataFrame:
    """Row i of ``frame`` ``counts[i]`` times."""
    import numpy as np

    return frame[np.repeat(np.arange(frame.height), np.asarray(counts, dtype=np.int64))]
