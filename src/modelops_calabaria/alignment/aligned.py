"""The aligned table: one row per replicate and observed row, both sides next to each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from modelops_calabaria.alignment.columns import observed_name, simulated_name
from modelops_calabaria.alignment.errors import AlignmentError, BadOutputError
from modelops_calabaria.constants import LOSS_COL, SUFFIX_OBS
from modelops_contracts.errors import MissingKey, nearest

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
SHOWN_KEYS = 5


@dataclass(frozen=True, slots=True)
class Coverage:
    """The account of rows: nothing is left out of a score without standing here.

    ``n_observed`` rows are compared, ``n_missing_obs`` more were left out for every parameter
    set because nothing was observed there. ``matched`` counts rows per replicate;
    ``missing_keys`` holds (replicate, key) of the first twenty that found no partner;
    ``n_imputed`` cells were taken as 0; ``n_sim_unused`` simulated rows had no observed
    partner.
    """

    n_observed: int
    n_replicates: int
    matched: tuple[int, ...]
    missing_keys: tuple[tuple[int, tuple[Any, ...]], ...] = ()
    n_missing_obs: int = 0
    n_imputed: int = 0
    n_sim_unused: int = 0

    @property
    def n_unmatched(self) -> int:
        """Cells (replicate, observed row) without a partner."""
        return self.n_observed * self.n_replicates - sum(self.matched)


@dataclass(frozen=True, slots=True, eq=False)
class AlignedData:
    """Observed and simulated values side by side.

    ``data`` has the key columns ``on_cols``, ``<col>__obs`` and ``<col>__sim`` (numbers as
    Float64) and, for a list of replicates, ``replicate_col``. Strategies write the rows by
    replicate, then in observed order, and set ``shape`` = (replicates, observed rows) and
    ``matched`` of that shape; tables made by hand leave both out.
    """

    data: pl.DataFrame
    on_cols: Sequence[str]
    replicate_col: str | None = None
    coverage: Coverage | None = field(default=None, kw_only=True)
    shape: tuple[int, int] | None = field(default=None, kw_only=True)
    matched: Bools | None = field(default=None, repr=False, kw_only=True)

    def __len__(self) -> int:
        return self.data.height

    @property
    def n_replicates(self) -> int:
        return self.grid_shape()[0]

    # -- columns -------------------------------------------------------------------------------

    def sim_colname(self, column: str) -> str:
        return self._present(simulated_name(column), column)

    def obs_colname(self, column: str) -> str:
        return self._present(observed_name(column), column)

    def get_sim_col(self, column: str) -> pl.Series:
        return self.data.get_column(self.sim_colname(column))

    def get_obs_col(self, column: str) -> pl.Series:
        return self.data.get_column(self.obs_colname(column))

    def get_sim_cols(self, columns: Iterable[str]) -> list[pl.Series]:
        return [self.get_sim_col(column) for column in columns]

    def get_obs_cols(self, columns: Iterable[str]) -> list[pl.Series]:
        return [self.get_obs_col(column) for column in columns]

    @property
    def has_loss(self) -> bool:
        return LOSS_COL in self.data.columns

    def get_loss_col(self) -> pl.Series:
        return self.data.get_column(self._present(LOSS_COL, LOSS_COL))

    def residuals_raw(self, column: str) -> pl.Series:
        """Observed minus simulated in Float64, one per row; null where a side is missing."""
        observed = self.get_obs_col(column).cast(pl.Float64)
        return (observed - self.get_sim_col(column).cast(pl.Float64)).alias(column)

    def residuals(self, column: str) -> pl.Series:
        """As ``residuals_raw``, without the nulls."""
        return self.residuals_raw(column).drop_nulls()

    # -- arrays --------------------------------------------------------------------------------

    def grid_shape(self) -> tuple[int, int]:
        """(replicates, rows per replicate). A table whose replicates differ in rows is refused."""
        if self.shape is not None:
            return self.shape
        if self.replicate_col is None:
            return 1, self.data.height
        counts = self.data.get_column(self.replicate_col).value_counts().get_column("count")
        if counts.n_unique() > 1:
            low, high = min(counts.to_list()), max(counts.to_list())
            raise AlignmentError(
                f"replicates have different numbers of rows ({low} to {high})",
                hint="align with one of the strategies, which keep one row per observed row",
            )
        return counts.len(), int(counts[0]) if counts.len() else 0

    def canonical(self) -> AlignedData:
        """The same rows by replicate and key; a table of our own strategies is so already.

        Raises AlignmentError when replicates of a table made by hand differ in keys or observed
        values, because such rows cannot stand for the same observations.
        """
        if self.shape is not None:
            return self
        r, n = self.grid_shape()
        if self.replicate_col is None:
            return replace(self, shape=(r, n))
        keys = [name for name in self.on_cols if name in self.data.columns]
        data = self.data.sort([self.replicate_col, *keys], maintain_order=True)
        fixed = [*keys, *(name for name in data.columns if name.endswith(SUFFIX_OBS))]
        head = data.select(fixed).head(n)
        for start in range(n, r * n, max(n, 1)):
            if not data.select(fixed).slice(start, n).equals(head):
                raise AlignmentError(
                    "replicates differ in keys or observed values",
                    replicate=start // n,
                    hint="align with one of the strategies",
                )
        return replace(self, data=data, shape=(r, n))

    def grid(self, name: str) -> npt.NDArray[Any]:
        """A column as array (replicates, rows), as it stands: gaps are NaN."""
        table = self.canonical()
        return table.data.get_column(name).to_numpy().reshape(table.grid_shape())

    def simulated(self, column: str) -> Floats:
        """Simulated values, Float64 (R, n). NaN, null, infinite or text is a ``BadOutputError``."""
        name = self.sim_colname(column)
        values = self._numbers(name, column)
        if not np.isfinite(values).all():
            self._refuse_values(values, column)
        return values

    def observed(self, column: str) -> Floats:
        """Observed values, Float64 (n,): the same rows in every replicate."""
        table = self.canonical()
        head = table.data.get_column(self.obs_colname(column)).head(table.grid_shape()[1])
        values = self._as_float(head, column).to_numpy()
        if not np.isfinite(values).all():
            raise AlignmentError(
                f"observed column {column!r} has missing or infinite values",
                hint="name the column in the evaluator, so that a target leaves such rows out",
            )
        return values

    def observed_keys(self) -> pl.DataFrame:
        """Key columns of the observed rows, in order."""
        table = self.canonical()
        keys = [name for name in self.on_cols if name in self.data.columns]
        return table.data.select(keys).head(table.grid_shape()[1])

    def describe_key(self, row: int) -> str:
        keys = self.observed_keys()
        if not keys.width:
            return f"row {row}"
        return ", ".join(f"{name}={value}" for name, value in keys.row(row, named=True).items())

    # -- derived tables ------------------------------------------------------------------------

    def with_column(self, name: str, values: Floats) -> AlignedData:
        """With one more (or another) Float64 column, given as (R, n)."""
        table = self.canonical()
        data = table.data.with_columns(pl.Series(name, values.ravel()))
        return replace(table, data=data)

    def with_simulated(self, column: str, values: Floats) -> AlignedData:
        """The same table with other simulated values, given as (R, n)."""
        return self.with_column(self.sim_colname(column), values)

    def take_replicates(self, index: Sequence[int] | npt.NDArray[np.integer[Any]]) -> AlignedData:
        """Only the given replicates, numbered anew in the order given."""
        table = self.canonical()
        chosen = np.asarray(index, dtype=np.int64)
        r, n = table.grid_shape()
        rows = np.arange(r * n).reshape(r, n)[chosen].ravel()
        return table._renumbered(table.data[rows], chosen)

    def blocks(self, cells: int) -> Iterator[AlignedData]:
        """The table in runs of whole replicates of about ``cells`` rows each."""
        table = self.canonical()
        r, n = table.grid_shape()
        step = max(1, cells // max(n, 1))
        if step >= r:
            yield table
            return
        for start in range(0, r, step):
            chosen = np.arange(start, min(start + step, r))
            yield table._renumbered(table.data.slice(start * n, len(chosen) * n), chosen)

    def _renumbered(self, data: pl.DataFrame, chosen: npt.NDArray[Any]) -> AlignedData:
        n = self.grid_shape()[1]
        if self.replicate_col is not None:
            numbers = np.repeat(np.arange(len(chosen), dtype=np.int32), n)
            data = data.with_columns(pl.Series(self.replicate_col, numbers))
        matched = None if self.matched is None else self.matched[chosen]
        return replace(self, data=data, shape=(len(chosen), n), matched=matched)

    # -- inside --------------------------------------------------------------------------------

    def _present(self, name: str, asked: str) -> str:
        if name in self.data.columns:
            return name
        close = nearest(name, self.data.columns)
        raise MissingKey(
            f"no column {asked!r} in the aligned data; there are {', '.join(self.data.columns)}",
            hint=f"did you mean {close[0]!r}?" if close else None,
        )

    def _as_float(self, series: pl.Series, column: str) -> pl.Series:
        if series.dtype.is_numeric() or series.dtype in {pl.Boolean, pl.Null}:
            return series.cast(pl.Float64)
        raise BadOutputError(f"column {column!r} holds {series.dtype} where numbers are compared")

    def _numbers(self, name: str, column: str) -> Floats:
        series = self.data.get_column(name)
        self._as_float(series.head(0), column)
        return np.asarray(self.grid(name), dtype=np.float64)

    def _refuse_values(self, values: Floats, column: str) -> None:
        replicate, row = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        count = int((~np.isfinite(values)).sum())
        value = values[replicate, row]
        shown = "NaN or null" if np.isnan(value) else str(value)
        raise BadOutputError(
            f"simulated column {column!r} is {shown} at {self.describe_key(row)} "
            f"({count} such values)",
            replicate=replicate,
            hint="run the model with this seed and look at that row",
        )
