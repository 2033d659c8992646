"""Tables of many simulations as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl

__all__ = ["stack_tables"]


def stack_tables(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """All rows of frames whose columns may differ: missing ones are null, types are widened.

    Columns whose types have nothing in common become text.
    """
    import polars as pl

    try:
        # By far the commonest, and several times as fast.
        return pl.concat(frames, how="vertical")
    except pl.exceptions.PolarsError:
        return _stack_others(frames)


def _stack_others(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    import polars as pl

    try:
        return pl.concat(frames, how="diagonal_relaxed")
    except (pl.exceptions.SchemaError, pl.exceptions.InvalidOperationError):
        clashing = _clashing(frames)
        return pl.concat([_as_text(frame, clashing) for frame in frames], how="diagonal_relaxed")


def _clashing(frames: Sequence[pl.DataFrame]) -> list[str]:
    """Columns that alone cannot be stacked."""
    names = dict.fromkeys(name for frame in frames for name in frame.columns)
    return [
        name
        for name in names
        if not _stackable([frame.select(name) for frame in frames if name in frame.columns])
    ]


def _stackable(columns: Sequence[pl.DataFrame]) -> bool:
    import polars as pl

    try:
        pl.concat(columns, how="vertical_relaxed")
    except (pl.exceptions.SchemaError, pl.exceptions.InvalidOperationError):
        return False
    return True


def _as_text(frame: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    changes = [
        pl.Series(
            name,
            [None if value is None else str(value) for value in frame[name].to_list()],
            pl.String,
        )
        for name in columns
        if name in frame.columns
    ]
    return frame.with_columns(changes)
