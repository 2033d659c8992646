"""Laying matches out: by replicate, then in observed order, with gaps where nothing matched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from modelops_calabaria.alignment.aligned import SHOWN_KEYS, AlignedData, Bools, Coverage, Floats
from modelops_calabaria.alignment.columns import observed_name, simulated_name
from modelops_calabaria.alignment.errors import AlignmentError
from modelops_calabaria.alignment.matching import (
    Ints,
    Pairs,
    Stacked,
    as_number,
    show_keys,
    stack_values,
)
from modelops_calabaria.constants import REPLICATE_COL

MISSING_KEYS_KEPT = 20
MAX_SHOWN_SIDE = 3


def assemble(
    observed: pl.DataFrame,
    stacked: Stacked,
    pairs: Pairs,
    *,
    on: Sequence[str],
    duplicates: str,
    single: bool,
    extra: Sequence[str] = (),
) -> AlignedData:
    """Lay matches out as AlignedData: (replicates x observed rows), gaps as null.

    ``extra`` names simulated key columns to keep as ``<name>_right``.
    """
    n, r = observed.height, stacked.n_replicates
    cells = Cells(pairs, (r, n), duplicates)
    matched: Bools = cells.counts > 0
    _refuse_no_overlap(observed, stacked, matched, on)
    if duplicates == "error" and cells.repeated:
        _refuse_repeats(observed, cells.counts, on)
    columns = [
        *(_repeated(observed.get_column(name), r) for name in on),
        *(() if single else (_replicate_numbers(r, n),)),
        *_observed_columns(observed, on, r),
        *_simulated_columns(stacked, on, cells),
        *_right_columns(stacked, extra, cells),
    ]
    coverage = Coverage(
        n_observed=n,
        n_replicates=r,
        matched=tuple(int(count) for count in matched.sum(axis=1)),
        missing_keys=_missing_keys(observed, matched, on),
        n_sim_unused=stacked.height - _count_used(cells.pairs, stacked.height),
    )
    return AlignedData(
        data=pl.DataFrame(columns),
        on_cols=list(on),
        replicate_col=None if single else REPLICATE_COL,
        coverage=coverage,
        shape=(r, n),
        matched=matched,
    )


class Cells:
    """Which simulated rows each cell (replicate, observed row) takes its values from."""

    __slots__ = ("counts", "duplicates", "pairs", "repeated", "source")

    def __init__(self, pairs: Pairs, shape: tuple[int, int], duplicates: str) -> None:
        r, n = shape
        self.duplicates = duplicates
        self.pairs = pairs.expanded(n, r) if _has_repeats(pairs, n) else pairs
        #: Simulated rows per cell, shape (replicates, observed rows).
        self.counts: npt.NDArray[Any]
        #: For every cell the (last) simulated row, -1 where there is none.
        self.source: Ints
        if self.pairs.period is None:
            self.counts = np.bincount(self.pairs.cell, minlength=n * r).reshape(shape)
            self.repeated = bool(self.counts.max(initial=0) > 1)
            self.source = np.full(n * r, -1, dtype=np.int64)
            order = self._order() if self.repeated else slice(None)
            self.source[self.pairs.cell[order]] = self.pairs.row[order]
        else:
            self.repeated = False
            self.counts, self.source = _repeating(self.pairs, shape)

    def _order(self) -> Ints:
        return np.lexsort((self.pairs.row, self.pairs.cell)).astype(np.int64, copy=False)

    def values(self, stacked: pl.Series) -> pl.Series:
        """Values of the cells; several rows of one cell count as ``duplicates`` says."""
        adding = self.repeated and self.duplicates in {"sum", "mean"}
        if not adding or stacked.dtype != pl.Float64:
            return self.picked(stacked)
        order = self._order()
        weights: Floats = stacked.to_numpy()[self.pairs.row[order]]
        cells = self.pairs.cell[order]
        summed = np.bincount(cells, weights=weights, minlength=len(self.source))
        total: Floats = np.asarray(summed, dtype=np.float64)
        if self.duplicates == "mean":
            total = total / np.maximum(self.counts.ravel(), 1)
        return _with_gaps(pl.Series(total), self.source < 0)

    def picked(self, stacked: pl.Series) -> pl.Series:
        """The value of the (last) row of every cell, null for cells without one."""
        gaps = self.source < 0
        if not gaps.any():
            if stacked.dtype == pl.Float64 and not stacked.null_count():
                return pl.Series(stacked.to_numpy()[self.source])
            return stacked.gather(self.source)
        if not stacked.len():
            return pl.Series([None] * len(self.source), dtype=stacked.dtype)
        return _with_gaps(stacked.gather(np.where(gaps, 0, self.source)), gaps)


def _has_repeats(pairs: Pairs, n: int) -> bool:
    """Whether repeating matches hold a cell twice; the short form has no room for that."""
    return pairs.period is not None and bool(np.bincount(pairs.cell, minlength=n).max() > 1)


def _repeating(pairs: Pairs, shape: tuple[int, int]) -> tuple[npt.NDArray[Any], Ints]:
    """Counts and sources of all replicates from the matches of the first."""
    r, n = shape
    assert pairs.period is not None
    first = np.full(n, -1, dtype=np.int64)
    first[pairs.cell] = pairs.row
    source = first + np.arange(r, dtype=np.int64)[:, None] * pairs.period
    source[:, first < 0] = -1
    return np.broadcast_to((first >= 0).astype(np.int64), shape), source.ravel()


def _replicate_numbers(r: int, n: int) -> pl.Series:
    return pl.Series(REPLICATE_COL, np.repeat(np.arange(r, dtype=np.int32), n))


def _observed_columns(observed: pl.DataFrame, on: Sequence[str], times: int) -> list[pl.Series]:
    return [
        _repeated(as_number(observed.get_column(name)), times).alias(observed_name(name))
        for name in observed.columns
        if name not in on
    ]


def _simulated_columns(stacked: Stacked, on: Sequence[str], cells: Cells) -> list[pl.Series]:
    return [
        cells.values(stack_values(name, parts)).alias(simulated_name(name))
        for name, parts in stacked.columns.items()
        if name not in on
    ]


def _right_columns(stacked: Stacked, names: Sequence[str], cells: Cells) -> list[pl.Series]:
    return [
        cells.picked(stack_values(name, parts, as_float=False)).alias(f"{name}_right")
        for name in names
        if (parts := stacked.columns.get(name))
    ]


def _repeated(series: pl.Series, times: int) -> pl.Series:
    return pl.concat([series] * times, rechunk=True)


def _count_used(pairs: Pairs, height: int) -> int:
    if pairs.once:
        return len(pairs.row) * (height // pairs.period if pairs.period else 1)
    return int(np.count_nonzero(np.bincount(pairs.row, minlength=height)))


def _with_gaps(values: pl.Series, gaps: npt.NDArray[np.bool_]) -> pl.Series:
    frame = pl.DataFrame([values.alias("v"), pl.Series("gap", gaps)])
    return frame.select(pl.when(~pl.col("gap")).then(pl.col("v"))).to_series()


def _missing_keys(
    observed: pl.DataFrame, matched: Bools, on: Sequence[str]
) -> tuple[tuple[int, tuple[Any, ...]], ...]:
    if matched.all():
        return ()
    where = np.argwhere(~matched)[:MISSING_KEYS_KEPT]
    keys = observed.select(on)
    return tuple((int(r), keys.row(int(i))) for r, i in where)


def _refuse_no_overlap(
    observed: pl.DataFrame, stacked: Stacked, matched: Bools, on: Sequence[str]
) -> None:
    if matched.any() or not stacked.height:
        return
    parts = [stacked.columns[name][0] for name in on]
    simulated = pl.DataFrame([part.head(min(map(len, parts))) for part in parts])
    raise AlignmentError(
        f"no simulated row matches any of the {observed.height} observed rows in "
        f"{stacked.n_replicates} replicates; observed keys: "
        f"{show_keys(observed.select(on).head(MAX_SHOWN_SIDE))}; simulated keys: "
        f"{show_keys(simulated.unique(maintain_order=True).head(MAX_SHOWN_SIDE))}",
        hint=f"compare {', '.join(on)} in the data with what the model writes (offset? unit?)",
    )


def _refuse_repeats(observed: pl.DataFrame, counts: npt.NDArray[Any], on: Sequence[str]) -> None:
    where = np.argwhere(counts > 1)
    replicate = int(where[0][0])
    rows = [int(i) for r, i in where if r == replicate][:SHOWN_KEYS]
    raise AlignmentError(
        f"{int((counts > 1).sum())} keys stand more than once in the simulated table: "
        f"{show_keys(observed.select(on)[rows])}",
        replicate=replicate,
        reason="BAD_OUTPUT",
        hint='write one row per key, or set duplicates="sum", "mean" or "last"',
    )
