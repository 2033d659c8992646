"""Tables as models return them and as they travel: polars frames, Arrow IPC bytes."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from modelops_calabaria.constants import SEED_COL
from modelops_calabaria.pandas_tables import from_pandas, is_pandas
from modelops_contracts.errors import IntegrityError, InvalidType, InvalidValue

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "add_seed",
    "as_frame",
    "frame_from_ipc",
    "frame_to_ipc",
    "frame_to_stream",
    "refuse_seed",
    "seed_column",
]

_INT64_END = 2**63
_FILE_MAGIC = b"ARROW1"


def as_frame(table: object, where: str) -> pl.DataFrame:
    """A polars or pandas frame as polars.

    Raises, naming ``where``, InvalidType for anything else and for a column of Python objects,
    and InvalidValue for pandas columns that share a name; an index with a name is a column.
    """
    import polars as pl

    if isinstance(table, pl.DataFrame):
        return _refuse_objects(table, where)
    if is_pandas(table) and hasattr(table, "columns"):
        return _refuse_objects(from_pandas(table, where), where)
    hint = "call .collect() first" if isinstance(table, pl.LazyFrame) else None
    raise InvalidType(f"{where} must return pl.DataFrame, got {type(table).__name__}", hint=hint)


def _refuse_objects(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """Arrow would hold addresses in memory instead of the objects."""
    import polars as pl

    if pl.Object in frame.dtypes:
        names = [name for name, kind in frame.schema.items() if kind == pl.Object]
        raise InvalidType(
            f"{where}: column '{names[0]}' holds Python objects, which no table can store",
            hint="numbers, text, booleans, dates, and lists and structs of them can be stored",
        )
    return frame


def refuse_seed(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The frame as it is, unless it already has the column that every output gets."""
    if SEED_COL in frame.columns:
        raise InvalidValue(
            f"{where} must not add a '{SEED_COL}' column: it is added to every output",
            hint="rename the column",
        )
    return frame


def seed_column(seeds: Sequence[int]) -> pl.Series:
    """A column ``seed``: Int64, or UInt64 with seeds beyond 2^63."""
    import polars as pl

    kind = pl.Int64 if max(seeds, default=0) < _INT64_END else pl.UInt64
    return pl.Series(SEED_COL, seeds, dtype=kind)


def add_seed(frame: pl.DataFrame, seed: int, where: str) -> pl.DataFrame:
    """The frame with a column ``seed``."""
    refuse_seed(frame, where)
    return frame.hstack([seed_column((seed,)).new_from_index(0, frame.height)])


def frame_to_ipc(frame: pl.DataFrame) -> bytes:
    """Arrow IPC file bytes."""
    buffer = BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


def frame_to_stream(frame: pl.DataFrame) -> bytes:
    """Arrow IPC stream bytes: for a small table 40 times cheaper to write than a file."""
    buffer = BytesIO()
    frame.write_ipc_stream(buffer)
    return buffer.getvalue()


def frame_from_ipc(data: bytes, where: str = "table") -> pl.DataFrame:
    """The frame in Arrow IPC bytes, file or stream. Raises IntegrityError naming ``where``."""
    import polars as pl

    try:
        if data[: len(_FILE_MAGIC)] == _FILE_MAGIC:
            return pl.read_ipc(BytesIO(data))
        return pl.read_ipc_stream(BytesIO(data))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(f"{where}: not readable as Arrow IPC: {error}") from error
