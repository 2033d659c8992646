"""What every alignment strategy offers, and the frame our own strategies share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData
from modelops_calabaria.alignment.frames import as_frame


@runtime_checkable
class AlignmentStrategy(Protocol):
    """Brings observed and simulated rows together.

    ``simulated`` is a list of tables, one per replicate (or one table, see each strategy). The
    result has exactly one row per replicate and observed row; no partner means null in the
    simulated columns. Raises AlignmentError when tables cannot be compared.
    """

    @property
    def on(self) -> list[str]: ...

    def align(self, observed: pl.DataFrame, simulated: object) -> AlignedData: ...


@runtime_checkable
class SelectiveAlignment(AlignmentStrategy, Protocol):
    """A strategy that can be told which simulated columns are compared, and leaves the others."""

    def align_columns(
        self, observed: pl.DataFrame, simulated: object, columns: Sequence[str] | None
    ) -> AlignedData: ...


def align_compared(
    strategy: AlignmentStrategy,
    observed: pl.DataFrame,
    simulated: object,
    columns: Sequence[str] | None,
) -> AlignedData:
    """Align only the compared columns where the strategy can; None means all there are."""
    if columns is not None and isinstance(strategy, SelectiveAlignment):
        return strategy.align_columns(observed, simulated, columns)
    return strategy.align(observed, simulated)


def read_observed(strategy: AlignmentStrategy, data: object) -> pl.DataFrame:
    """Observed data as the strategy wants it; refused here when no parameter set could use it."""
    reader = getattr(strategy, "observed_frame", None)
    frame = as_frame(data, what="observed data") if reader is None else reader(data)
    assert isinstance(frame, pl.DataFrame)
    return frame
