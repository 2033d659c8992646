"""Joins on keys: equal keys, or the nearest key along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from numbers import Real
from typing import Any

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.errors import AlignmentError
from modelops_calabaria.alignment.frames import as_frame, as_frames
from modelops_calabaria.alignment.layout import assemble
from modelops_calabaria.alignment.matching import (
    DUPLICATES,
    Ints,
    Pairs,
    Stacked,
    cell_pairs,
    check_observed,
    common_keys,
    equal_pairs,
    stack,
)
from modelops_contracts.errors import InvalidValue

FLOAT_KEY_DECIMALS = 9


class JoinMode(StrEnum):
    """Names of the built-in joins."""

    EXACT = "exact"
    NEAREST = "nearest"
    BACKWARD = "backward"
    FORWARD = "forward"


@dataclass(frozen=True, slots=True, init=False)
class ExactJoin:
    """Rows with equal keys. Keys are compared by value; fractional keys after rounding.

    ``duplicates`` says what several simulated rows of one key mean: an error, their sum, their
    mean, or the last of them. A single table in gives a result without replicate column.
    """

    on_cols: tuple[str, ...]
    duplicates: str
    float_key_decimals: int

    def __init__(
        self,
        on_cols: str | Sequence[str],
        *,
        duplicates: str = "error",
        float_key_decimals: int = FLOAT_KEY_DECIMALS,
    ) -> None:
        object.__setattr__(self, "on_cols", column_names(on_cols, "on_cols"))
        object.__setattr__(self, "duplicates", one_of("duplicates", duplicates, DUPLICATES))
        object.__setattr__(self, "float_key_decimals", _checked_decimals(float_key_decimals))

    @property
    def on(self) -> list[str]:
        return list(self.on_cols)

    def observed_frame(self, data: object) -> pl.DataFrame:
        frame = as_frame(data, what="observed data")
        check_observed(frame, self.on_cols)
        return frame

    def align(self, observed: object, simulated: object) -> AlignedData:
        return self.align_columns(observed, simulated, None)

    def align_columns(
        self, observed: object, simulated: object, columns: Sequence[str] | None
    ) -> AlignedData:
        frame = self.observed_frame(observed)
        frames, single = as_frames(simulated)
        stacked = stack(frames, self.on_cols, columns)
        left, right = common_keys(frame, stacked, self.on_cols, self.float_key_decimals)
        pairs = cell_pairs(left, right, stacked)
        return assemble(
            frame, stacked, pairs, on=self.on_cols, duplicates=self.duplicates, single=single
        )


@dataclass(frozen=True, slots=True, init=False)
class AsofJoin:
    """For every observed row the nearest, last earlier-or-equal or first later-or-equal
    simulated row.

    Matching happens within equal ``by`` values and never further than ``tolerance``: a number (of
    days where keys are dates), a timedelta, ``inf`` for no limit; None means the largest step
    between consecutive simulated keys of the same replicate and group (half of it for nearest),
    so nothing is extrapolated beyond one step. Of two equally near rows the earlier one is taken.
    The result is sorted by (by, on) within each replicate and keeps the matched simulated key as
    ``<on>_right``. A single table in gives a result without replicate column.
    """

    on_column: str
    by: tuple[str, ...]
    strategy: str
    tolerance: float | timedelta | None
    duplicates: str

    def __init__(
        self,
        on_column: str,
        by: str | Sequence[str] | None = None,
        strategy: str = "nearest",
        *,
        tolerance: float | timedelta | None = None,
        duplicates: str = "error",
    ) -> None:
        modes = ("nearest", "backward", "forward")
        object.__setattr__(self, "on_column", column_names(on_column, "on_column")[0])
        object.__setattr__(self, "by", column_names(by, "by") if by else ())
        column_names(self.on, "on_column and by")
        object.__setattr__(self, "strategy", one_of("strategy", str(strategy), modes))
        object.__setattr__(self, "tolerance", _checked_tolerance(tolerance))
        object.__setattr__(self, "duplicates", one_of("duplicates", duplicates, DUPLICATES))

    @property
    def on(self) -> list[str]:
        return [*self.by, self.on_column]

    def observed_frame(self, data: object) -> pl.DataFrame:
        frame = as_frame(data, what="observed data")
        check_observed(frame, self.on)
        return frame.sort(self.on, maintain_order=True)

    def align(self, observed: object, simulated: object) -> AlignedData:
        return self.align_columns(observed, simulated, None)

    def align_columns(
        self, observed: object, simulated: object, columns: Sequence[str] | None
    ) -> AlignedData:
        frame = self.observed_frame(observed)
        frames, single = as_frames(simulated)
        stacked = stack(frames, self.on, columns)
        pairs = self._pairs(frame, stacked)
        return assemble(
            frame,
            stacked,
            pairs,
            on=self.on,
            duplicates=self.duplicates,
            single=single,
            extra=(self.on_column,),
        )

    def _pairs(self, frame: pl.DataFrame, stacked: Stacked) -> Pairs:
        left, right = common_keys(frame, stacked, self.on, FLOAT_KEY_DECIMALS)
        n_by = len(self.by)
        obs_on, tolerance = self._axis(left[:, n_by])
        sim_on, _ = self._axis(right[:, n_by])
        if n_by:
            obs_group, sim_group, n_groups = _groups(left[:, :n_by], right[:, :n_by])
        else:
            obs_group, n_groups = np.zeros(left.height, dtype=np.int64), 1
            sim_group = np.zeros(right.height, dtype=np.int64)
        usable = np.flatnonzero((sim_group >= 0) & ~np.isnan(sim_on.astype(np.float64)))
        return _nearest_pairs(
            obs_on,
            obs_group,
            sim_on[usable],
            stacked.replicate[usable] * n_groups + sim_group[usable],
            rows=usable,
            n_replicates=stacked.n_replicates,
            n_groups=n_groups,
            mode=self.strategy,
            tolerance=tolerance,
        )

    def _axis(self, keys: pl.Series) -> tuple[Any, float | None]:
        """Keys as numbers (days, microseconds, ...) with the tolerance in the same unit.

        Raises AlignmentError for keys that lie on no axis, and for a tolerance of another kind.
        """
        tolerance = self.tolerance
        dtype = keys.dtype
        if dtype.is_numeric() or dtype == pl.Null:
            if isinstance(tolerance, timedelta):
                raise AlignmentError(
                    f"a timedelta limits dates; key {self.on_column!r} holds numbers",
                    reason="BAD_OUTPUT",
                    hint="give tolerance as a number",
                )
            return keys.cast(pl.Float64).to_numpy(), tolerance
        if not dtype.is_temporal():
            raise AlignmentError(
                f"key {self.on_column!r} is {dtype}; the nearest row needs numbers or dates",
                reason="BAD_OUTPUT",
                hint="use ExactJoin",
            )
        if isinstance(tolerance, timedelta):
            tolerance = tolerance.total_seconds() * _units_per_second(dtype)
        elif not (dtype == pl.Date or tolerance in {None, 0, math.inf}):
            raise AlignmentError(
                f"tolerance {tolerance} has no unit; key {self.on_column!r} holds {dtype}",
                reason="BAD_OUTPUT",
                hint="give tolerance as a datetime.timedelta",
            )
        return keys.to_physical().cast(pl.Float64).to_numpy(), tolerance


def _units_per_second(dtype: pl.DataType) -> float:
    if isinstance(dtype, pl.Date):
        return 1 / 86_400
    if isinstance(dtype, pl.Datetime | pl.Duration):
        return {"ms": 1e3, "us": 1e6, "ns": 1e9}[dtype.time_unit]
    return 1e9


def _groups(observed: pl.DataFrame, simulated: pl.DataFrame) -> tuple[Ints, Ints, int]:
    """Numbers of the ``by`` groups of both sides; -1 for simulated groups nobody observed."""
    known = observed.unique(maintain_order=True)
    rows, groups = equal_pairs(known, observed)
    obs_group = np.zeros(observed.height, dtype=np.int64)
    obs_group[groups] = rows
    sim_group = np.full(simulated.height, -1, dtype=np.int64)
    rows, sources = equal_pairs(known, simulated)
    sim_group[sources] = rows
    return obs_group, sim_group, known.height


def _nearest_pairs(
    obs_on: Floats,
    obs_group: Ints,
    sim_on: Floats,
    segment: Ints,
    *,
    rows: Ints,
    n_replicates: int,
    n_groups: int,
    mode: str,
    tolerance: float | None,
) -> Pairs:
    """Segmented binary search: keys become ranks, so (segment, rank) is one sorted whole number."""
    axis = np.unique(np.concatenate([obs_on, sim_on]))
    width = len(axis)
    code = segment * width + np.searchsorted(axis, sim_on)
    order = np.argsort(code, kind="stable")
    code, keys, segment, rows = code[order], sim_on[order], segment[order], rows[order]
    wanted_segment = (np.arange(n_replicates)[:, None] * n_groups + obs_group[None, :]).ravel()
    wanted_on = np.tile(obs_on, n_replicates)
    wanted = wanted_segment * width + np.searchsorted(axis, wanted_on)
    if not len(code):
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), once=False)
    slack = _rounding(axis, wanted_on)
    chosen, distance = _choose(code, keys, segment, wanted, wanted_segment, wanted_on, slack, mode)
    limit = _limits(keys, segment, n_replicates * n_groups, mode, tolerance)[wanted_segment]
    # Half a step of 0.1 must admit the row half a step away; a limit of 0 means equal keys.
    close = distance <= np.where(limit > 0, limit * (1 + 1e-9) + slack, limit)
    cells = np.flatnonzero(close & (chosen >= 0))
    chosen = chosen[cells]
    first = np.searchsorted(code, code[chosen], side="left")
    count = np.searchsorted(code, code[chosen], side="right") - first
    start = np.repeat(first - np.concatenate([[0], np.cumsum(count)[:-1]]), count)
    matches = rows[start + np.arange(int(count.sum()))]
    return Pairs(np.repeat(cells, count), matches, once=False)


def _choose(
    code: Ints,
    keys: Floats,
    segment: Ints,
    wanted: Ints,
    wanted_segment: Ints,
    wanted_on: Floats,
    slack: Floats,
    mode: str,
) -> tuple[Ints, Floats]:
    """Index of the chosen simulated row (-1: none) and its distance along the axis.

    Distances that differ by rounding alone are equal: 0.5 and 0.6 lie equally far from 0.55.
    """
    best = np.full(len(wanted), -1, dtype=np.int64)
    distance = np.full(len(wanted), np.inf)
    candidates = []
    if mode != "forward":
        candidates.append(np.searchsorted(code, wanted, side="right") - 1)
    if mode != "backward":
        candidates.append(np.searchsorted(code, wanted, side="left"))
    for candidate in candidates:
        inside = (candidate >= 0) & (candidate < len(code))
        safe = np.where(inside, candidate, 0)
        inside &= segment[safe] == wanted_segment
        apart = np.where(inside, np.abs(keys[safe] - wanted_on), np.inf)
        better = apart < distance - slack
        best[better], distance[better] = safe[better], apart[better]
    return best, distance


def _rounding(axis: Floats, wanted_on: Floats) -> Floats:
    """How far rounding moves distances; whole numbers are subtracted without any."""
    if (axis == np.floor(axis)).all():
        return np.zeros(len(wanted_on))
    return 4 * np.finfo(np.float64).eps * np.abs(wanted_on)


def _limits(
    keys: Floats, segment: Ints, n_segments: int, mode: str, tolerance: float | None
) -> Floats:
    """Largest admitted distance per segment."""
    if tolerance is not None:
        return np.full(n_segments, float(tolerance))
    limit = np.zeros(n_segments)
    same = segment[1:] == segment[:-1]
    np.maximum.at(limit, segment[1:][same], np.diff(keys)[same])
    return limit / 2 if mode == "nearest" else limit


def column_names(names: str | Sequence[str], what: str) -> tuple[str, ...]:
    """One name or several, checked."""
    listed = (names,) if isinstance(names, str) else tuple(names)
    if not listed or not all(listed):
        raise InvalidValue(f"{what} must name at least one column, got {names!r}")
    if len(set(listed)) < len(listed):
        raise InvalidValue(f"{what} names a column twice: {', '.join(listed)}")
    return listed


def one_of(what: str, value: str, allowed: Sequence[str]) -> str:
    if value not in allowed:
        raise InvalidValue(
            f"{what} must be one of {', '.join(allowed)}; got {value!r}",
            hint=f"use {what}={allowed[0]!r}",
        )
    return value


def _checked_tolerance(tolerance: float | timedelta | None) -> float | timedelta | None:
    if tolerance is None:
        return None
    given: object = tolerance
    if isinstance(given, bool) or not isinstance(given, timedelta | Real):
        raise InvalidValue(
            f"tolerance must be a number, a timedelta or None, got {tolerance!r}",
            hint="write timedelta(days=1) for a day",
        )
    limit = tolerance.total_seconds() if isinstance(tolerance, timedelta) else float(tolerance)
    if not limit >= 0:
        raise InvalidValue(f"tolerance must be at least 0, got {tolerance!r}")
    return tolerance


def _checked_decimals(decimals: int) -> int:
    given: object = decimals
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given <= 15:
        raise InvalidValue(
            f"float_key_decimals must be a whole number from 0 to 15, got {decimals!r}"
        )
    return decimals
