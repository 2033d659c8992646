"""What every alignment strategy offers, and the frame our own strategies share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData
from modelops_calabaria.alignment.errors import AlignmentError
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
    simulated: Sequence[pl.DataFrame],
    columns: Sequence[str] | None,
) -> AlignedData:
    """Align one table per replicate; only the compared columns where the strategy can.

    ``columns`` None means all there are. Raises AlignmentError (COVERAGE) when the result lacks
    a replicate or an observed row: nothing is scored on fewer rows than were observed.
    """
    aligned = align_selected(strategy, observed, simulated, columns)
    _refuse_lost_rows(strategy, aligned, (len(simulated), observed.height))
    return aligned


def align_selected(
    strategy: AlignmentStrategy,
    observed: pl.DataFrame,
    simulated: object,
    columns: Sequence[str] | None,
) -> AlignedData:
    """Only the compared columns where the strategy can; whatever it takes as simulated."""
    if columns is not None and isinstance(strategy, SelectiveAlignment):
        return strategy.align_columns(observed, simulated, columns)
    return strategy.align(observed, simulated)


def _refuse_lost_rows(
    strategy: AlignmentStrategy, aligned: AlignedData, wanted: tuple[int, int]
) -> None:
    found = aligned.grid_shape()
    if found != wanted:
        raise AlignmentError(
            f"{type(strategy).__name__} gives {found[0]} replicates of {found[1]} rows; "
            f"{wanted[0]} of {wanted[1]} are compared",
            hint="keep one row per replicate and observed row, with null where nothing matches",
        )


def read_observed(strategy: AlignmentStrategy, data: object) -> pl.DataFrame:
    """Observed data as the strategy wants it; refused here when no parameter set could use it."""
    reader = getattr(strategy, "observed_frame", None)
    frame = as_frame(data, what="observed data") if reader is None else reader(data)
    assert isinstance(frame, pl.DataFrame)
    return frame
