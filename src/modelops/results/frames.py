"""Rows of many parts as one frame, in a given order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelops.results.layout import KEY_COLUMNS, stored_name
from modelops_calabaria.stacking import stack_tables

if TYPE_CHECKING:
    import polars as pl

__all__ = ["collect", "drop_repeated_keys", "take_ranges"]

_ORDER = "__order"


def take_ranges(
    part: pl.DataFrame, starts: Sequence[int], stops: Sequence[int], orders: Sequence[int]
) -> pl.DataFrame:
    """Rows ``starts[i]:stops[i]`` of a part, each marked with ``orders[i]``."""
    import numpy as np
    import polars as pl

    counts = np.asarray(stops, dtype=np.int64) - np.asarray(starts, dtype=np.int64)
    ends = np.cumsum(counts)
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    rows = np.repeat(np.asarray(starts, dtype=np.int64), counts) + within
    marks = np.repeat(np.asarray(orders, dtype=np.int64), counts)
    taken: pl.DataFrame = part[rows]
    return taken.with_columns(pl.Series(_ORDER, marks))


def collect(pieces: Sequence[pl.DataFrame], sim_keys: pl.Series) -> pl.DataFrame:
    """Pieces of :func:`take_ranges` as one frame in the marked order; empty when there are none.

    ``sim_keys`` has the key of each mark.
    """
    import polars as pl

    from modelops.results.segments import index_schema

    if not pieces:
        schema = index_schema()
        return pl.DataFrame(schema={column: schema[column] for column in KEY_COLUMNS})
    joined = stack_tables(pieces).sort(_ORDER, maintain_order=True)
    keys = sim_keys.gather(joined[_ORDER]).alias("sim_key")
    return drop_repeated_keys(joined.drop(_ORDER).insert_column(0, keys))


def drop_repeated_keys(frame: pl.DataFrame) -> pl.DataFrame:
    """Without own columns that say the same as the key column of their name."""
    repeated = [
        stored_name(key)
        for key in KEY_COLUMNS
        if stored_name(key) in frame.columns and _same(frame, key, stored_name(key))
    ]
    return frame.drop(repeated)


def _same(frame: pl.DataFrame, key: str, own: str) -> bool:
    import polars as pl

    kinds = [
        (frame[name].dtype.is_integer(), frame[name].dtype == pl.String) for name in (key, own)
    ]
    if kinds[0] != kinds[1]:
        return False
    return bool(frame[key].eq_missing(frame[own]).all())
