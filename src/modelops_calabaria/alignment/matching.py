"""Bringing stacked replicates and observed rows together: one pass for all replicates.

Tables are stacked column by column; strategies differ only in which (observed row, simulated row)
pairs they find.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from modelops_calabaria.alignment.aligned import SHOWN_KEYS
from modelops_calabaria.alignment.errors import AlignmentError, BadOutputError, ObservedDataError
from modelops_calabaria.alignment.keys import join_keys
from modelops_calabaria.alignment.sharing import stacked_once
from modelops_calabaria.constants import SEED_COL
from modelops_contracts.errors import nearest

Ints = npt.NDArray[np.int64]
Duplicates = Literal["error", "sum", "mean", "last"]
DUPLICATES: tuple[str, ...] = ("error", "sum", "mean", "last")


@dataclass(frozen=True, slots=True)
class Stacked:
    """The simulated tables under each other. Tables without rows contribute none."""

    replicate: Ints
    n_replicates: int
    #: One part, or one per table where these differ in type.
    columns: dict[str, list[pl.Series]]

    @property
    def height(self) -> int:
        return len(self.replicate)


@dataclass(frozen=True, slots=True)
class Pairs:
    """Matches: ``cell`` = replicate * n_observed + observed row, ``row`` = simulated row."""

    cell: Ints
    row: Ints
    #: Whether a simulated row can stand for one observed row at most.
    once: bool = True
    #: Set when the matches are those of the first replicate and repeat every so many rows.
    period: int | None = None

    def expanded(self, n_observed: int, n_replicates: int) -> Pairs:
        """The matches of all replicates, written out."""
        if self.period is None:
            return self
        number = np.arange(n_replicates, dtype=np.int64)[:, None]
        cell = (number * n_observed + self.cell).ravel()
        return Pairs(cell, (number * self.period + self.row).ravel(), self.once)


def stack(
    frames: Sequence[pl.DataFrame], needed: Sequence[str], columns: Sequence[str] | None = None
) -> Stacked:
    """Collect ``needed`` and ``columns`` of all replicates; every table must have them.

    ``columns`` None means all that the first filled table has, but the seed the simulator writes.
    """
    heights = np.array([frame.height for frame in frames], dtype=np.int64)
    filled = next((frame for frame in frames if frame.height), None)
    stacked: dict[str, list[pl.Series]] = {}
    if filled is not None:
        wanted = filled.columns if columns is None else columns
        names = list(dict.fromkeys([*needed, *wanted]))
        if columns is None and SEED_COL not in needed and SEED_COL in names:
            names.remove(SEED_COL)
        stacked = {name: _stacked_column(frames, name) for name in names}
    replicate = np.repeat(np.arange(len(frames), dtype=np.int64), heights)
    return Stacked(replicate, len(frames), stacked)


def _stacked_column(frames: Sequence[pl.DataFrame], name: str) -> list[pl.Series]:
    return stacked_once(
        frames,
        name,
        lambda: [_column(frame, name, r) for r, frame in enumerate(frames) if frame.height],
    )


def _column(frame: pl.DataFrame, name: str, replicate: int) -> pl.Series:
    try:
        return frame.get_column(name)
    except pl.exceptions.ColumnNotFoundError:
        pass
    close = nearest(name, frame.columns)
    raise AlignmentError(
        f"column {name!r} is missing; the table has {', '.join(frame.columns)}",
        replicate=replicate,
        reason="BAD_OUTPUT",
        hint=f"did you mean {close[0]!r}?" if close else f"let the model write {name!r}",
    )


def check_observed(observed: pl.DataFrame, on: Sequence[str]) -> None:
    """Refuse observed data without rows, with missing key columns, null keys or duplicate keys."""
    for name in on:
        if name not in observed.columns:
            close = nearest(name, observed.columns)
            raise ObservedDataError(
                f"the observed data has no key column {name!r}; "
                f"its columns are {', '.join(observed.columns)}",
                hint=f"did you mean {close[0]!r}?" if close else "check the file and the alignment",
            )
    if not observed.height:
        raise ObservedDataError(
            "the observed data has no rows", hint="check the file or the filter"
        )
    for name in on:
        column = observed.get_column(name)
        gaps = column.null_count() + (int(column.is_nan().sum()) if column.dtype.is_float() else 0)
        if gaps:
            raise ObservedDataError(
                f"key column {name!r} of the observed data has {gaps} missing values",
                hint="fill them or filter those rows in the target",
            )
    refuse_duplicates(observed, on)


def refuse_duplicates(observed: pl.DataFrame, on: Sequence[str]) -> None:
    keys = pl.DataFrame([observed.get_column(name) for name in on])
    distinct = keys.n_unique() if len(on) > 1 else keys.to_series().n_unique()
    if distinct == keys.height:
        return
    repeated = keys.filter(keys.is_duplicated()).unique(maintain_order=True)
    raise ObservedDataError(
        f"{repeated.height} keys stand more than once in the observed data: "
        f"{show_keys(repeated.head(SHOWN_KEYS))}",
        hint="aggregate the observed data, or add the column that tells these rows apart",
    )


def common_keys(
    observed: pl.DataFrame, stacked: Stacked, on: Sequence[str], decimals: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Key columns of both sides in common types.

    Raises AlignmentError for types that cannot meet, ObservedDataError where distinct observed
    keys become equal.
    """
    both = [
        join_keys(name, observed.get_column(name), stacked.columns.get(name, []), decimals)
        for name in on
    ]
    left = pl.DataFrame([o.alias(f"k{i}") for i, (o, _) in enumerate(both)])
    right = pl.DataFrame([s.alias(f"k{i}") for i, (_, s) in enumerate(both)])
    _refuse_merged(observed.select(on), left, decimals)
    return left, right


def _refuse_merged(keys: pl.DataFrame, compared: pl.DataFrame, decimals: int) -> None:
    """Refuse distinct observed keys that are one and the same once both sides have one type."""
    changed = [
        dtype.is_float() or dtype != keys.dtypes[i] for i, dtype in enumerate(compared.dtypes)
    ]
    if not any(changed) or compared.n_unique() == compared.height:
        return
    merged = keys.filter(compared.is_duplicated())
    raise ObservedDataError(
        f"{merged.height} observed keys cannot be told apart once they are compared "
        f"(numbers to {decimals} decimals): {show_keys(merged.head(SHOWN_KEYS))}",
        hint="choose a unit in which they differ, or use ExactJoin with more float_key_decimals",
    )


def equal_pairs(observed: pl.DataFrame, simulated: pl.DataFrame) -> tuple[Ints, Ints]:
    """(observed row, simulated row) of all equal keys; one join for all replicates."""
    names = observed.columns
    left = simulated.with_row_index("s")
    right = observed.with_row_index("o")
    joined = left.join(right, on=names, how="inner")
    return _int64(joined.get_column("o")), _int64(joined.get_column("s"))


def cell_pairs(observed: pl.DataFrame, simulated: pl.DataFrame, stacked: Stacked) -> Pairs:
    """Matches of all replicates by equal keys.

    Replicates usually repeat the keys of the first; then its matches are those of all.
    """
    n = observed.height
    period = _period(simulated, stacked)
    if period is None:
        rows, sources = equal_pairs(observed, simulated)
        return Pairs(cell=stacked.replicate[sources] * n + rows, row=sources)
    rows, sources = equal_pairs(observed, simulated.head(period))
    return Pairs(cell=rows, row=sources, period=period)


def _period(simulated: pl.DataFrame, stacked: Stacked) -> int | None:
    """Rows per replicate, when every replicate has the same keys in the same order."""
    r = stacked.n_replicates
    rows, rest = divmod(stacked.height, r)
    if r == 1 or rest or not rows:
        return None
    if not (stacked.replicate[::rows] == np.arange(r)).all():
        return None
    if not (stacked.replicate[rows - 1 :: rows] == np.arange(r)).all():
        return None
    for key in simulated:
        repeats = key.slice(rows) == key.head(len(key) - rows)
        if repeats.null_count() or not repeats.all():
            return None
    return rows


def _int64(series: pl.Series) -> Ints:
    return series.to_numpy().astype(np.int64, copy=False)


def as_number(series: pl.Series) -> pl.Series:
    """Numbers as Float64, everything else as it is."""
    return series.cast(pl.Float64) if series.dtype.is_numeric() else series


def stack_values(name: str, parts: Sequence[pl.Series], *, as_float: bool = True) -> pl.Series:
    """One column of all replicates. Numbers become Float64; numbers and texts mixed are refused."""
    dtypes = {part.dtype for part in parts}
    if len(dtypes) > 1 and all(dtype.is_numeric() for dtype in dtypes):
        whole = not as_float and all(dtype.is_integer() for dtype in dtypes)
        parts = [part.cast(pl.Int64 if whole else pl.Float64) for part in parts]
    elif len(dtypes) > 1:
        parts = _with_common_type(name, parts, dtypes - {pl.Null()})
    stacked = pl.concat(parts, rechunk=True)
    return as_number(stacked) if as_float else stacked


def _with_common_type(
    name: str, parts: Sequence[pl.Series], dtypes: set[pl.DataType]
) -> list[pl.Series]:
    """Parts of one type, all but those that hold nothing at all."""
    if all(dtype.is_numeric() for dtype in dtypes):
        return [part.cast(pl.Float64) for part in parts]
    if len(dtypes) > 1:
        shown = " and ".join(sorted(str(dtype) for dtype in dtypes))
        raise BadOutputError(f"column {name!r} is {shown} in different replicates")
    return [part.cast(next(iter(dtypes))) for part in parts]


def show_keys(keys: pl.DataFrame) -> str:
    """Keys in a message: ``day=3, age=adult; day=4, age=child``."""
    return "; ".join(
        ", ".join(f"{name}={value}" for name, value in row.items())
        for row in keys.iter_rows(named=True)
    )
