"""Predictive ranges: what the model and its observation noise say one should have observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Bools, Floats
from modelops_calabaria.alignment.columns import observed_name, simulated_name
from modelops_calabaria.alignment.coverage import compared_columns
from modelops_calabaria.alignment.errors import ScoringError
from modelops_calabaria.alignment.strategy import align_compared
from modelops_calabaria.evaluation.families.base import Family
from modelops_calabaria.evaluation.quantities import bind_params, param_names
from modelops_contracts.errors import InvalidValue

QUANTILES = (0.025, 0.5, 0.975)
_NEEDED = ("alignment", "evaluator", "observed", "table")
Member = tuple[Mapping[str, Any], Mapping[str, pl.DataFrame]]


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Draws (members, rows) of one observed column; NaN where a member has none."""

    column: str
    values: Floats


def predictable(targets: Sequence[Any]) -> list[Any]:
    """The targets for which ranges can be drawn: those that keep observed rows to align with.

    Raises InvalidValue when there is none: a target of one's own may say no more than a loss.
    """
    kept = [target for target in targets if all(hasattr(target, name) for name in _NEEDED)]
    if not kept:
        raise InvalidValue("no target keeps observed rows that ranges could be drawn for")
    return kept


def predictive_ensemble(
    target: Any,
    members: Sequence[Member],
    *,
    seed: int,
    quantiles: Sequence[float] = QUANTILES,
) -> pl.DataFrame:
    """Quantiles of predicted observations, one row per observed row of ``target``.

    ``members`` are (parameters, outputs of one replicate). For a likelihood family one
    observation is drawn per member and row; for losses the simulated values themselves are
    taken. Columns: the target's keys, ``observed``, one per quantile (``q025``, ``q500``,
    ``q975``), ``inside`` (observed within the outermost quantiles) and ``n_members``, the
    members that have a value for the row: a member that wrote none, or no valid one, is left
    out there and nowhere silently. Raises AlignmentError when no member can be aligned at all.
    """
    levels = _checked_quantiles(quantiles)
    if not members:
        raise InvalidValue("a predictive ensemble needs at least one member")
    aligned, usable = _align(target, members)
    drawn = _draw(target, aligned, _matched(aligned), [members[r][0] for r in usable], seed)
    row_scale = getattr(target.alignment, "row_scale", None)
    unit = None if row_scale is None else row_scale(target.observed)
    return _table(aligned, drawn, levels, 1.0 if unit is None else unit)


def _checked_quantiles(quantiles: Sequence[float]) -> list[float]:
    levels = sorted(float(q) for q in quantiles)
    if not levels or levels[0] < 0 or levels[-1] > 1 or len(set(levels)) < len(levels):
        raise InvalidValue(f"quantiles must be distinct numbers within 0..1, got {quantiles!r}")
    return levels


def _align(target: Any, members: Sequence[Member]) -> tuple[AlignedData, list[int]]:
    """Members in one join, and which they are: those that cannot be aligned at all are left out.

    Gaps of the others stay gaps, whatever the coverage policy.
    """
    tables = [target.table(outputs, r) for r, (_, outputs) in enumerate(members)]
    everyone = list(range(len(members)))
    try:
        return _align_tables(target, tables), everyone
    except ScoringError as error:
        usable = [r for r in everyone if _can_align(target, tables[r])]
        if not usable:
            raise target.located(error, None) from error
        return _align_tables(target, [tables[r] for r in usable]), usable


def _align_tables(target: Any, tables: Sequence[pl.DataFrame]) -> AlignedData:
    columns = target.evaluator.simulated_columns
    return align_compared(target.alignment, target.observed, list(tables), columns).canonical()


def _can_align(target: Any, table: pl.DataFrame) -> bool:
    try:
        _align_tables(target, [table])
    except ScoringError:
        return False
    return True


def _matched(aligned: AlignedData) -> Bools:
    if aligned.matched is None:
        return np.ones(aligned.grid_shape(), dtype=np.bool_)
    return aligned.matched


def _draw(
    target: Any,
    aligned: AlignedData,
    matched: Bools,
    params: Sequence[Mapping[str, Any]],
    seed: int,
) -> _Drawn:
    family = getattr(target.evaluator, "loglik_fn", None)
    declared = target.evaluator.simulated_columns
    columns = compared_columns(aligned, declared)
    column = columns[0]
    if not isinstance(family, Family):
        return _Drawn(column, _values(aligned, column))
    usable = matched & np.isfinite([_values(aligned, name) for name in columns]).all(axis=0)
    drawn = _draw_members(family, aligned, usable, columns, params, seed)
    return _Drawn(family.observed_columns[0], drawn)


def _values(aligned: AlignedData, column: str) -> Floats:
    name = simulated_name(column)
    if name not in aligned.data.columns:
        return np.full(aligned.grid_shape(), np.nan)
    return np.asarray(aligned.grid(name), dtype=np.float64)


def _draw_members(
    family: Family,
    aligned: AlignedData,
    usable: Bools,
    columns: Sequence[str],
    params: Sequence[Mapping[str, Any]],
    seed: int,
) -> Floats:
    if usable.all() and not param_names(family):
        try:
            return family.draw(aligned, np.random.default_rng([seed, 0]))
        except ScoringError:
            pass  # some member is outside the family's domain: find out which, one by one
    drawn = np.full(usable.shape, np.nan)
    for r, values in enumerate(params):
        # Rows are chosen before drawing, so that a gap does not hide the rest of the member.
        rows = np.flatnonzero(usable[r])
        if len(rows):
            rng = np.random.default_rng([seed, 1, r])
            part = _rows(aligned.take_replicates([r]), rows)
            drawn[r, rows] = _draw_one(family, part, values, rng)
    return drawn


def _rows(aligned: AlignedData, rows: np.ndarray[Any, np.dtype[np.intp]]) -> AlignedData:
    """One replicate, only some of its rows."""
    matched = None if aligned.matched is None else aligned.matched[:, rows]
    return replace(aligned, data=aligned.data[rows], shape=(1, len(rows)), matched=matched)


def _draw_one(
    family: Family, aligned: AlignedData, params: Mapping[str, Any], rng: np.random.Generator
) -> Floats:
    try:
        drawn: Floats = bind_params(family, params).draw(aligned, rng)[0]
    except ScoringError:
        return np.full(aligned.grid_shape()[1], np.nan)
    return drawn


def _table(
    aligned: AlignedData, drawn: _Drawn, levels: Sequence[float], unit: float | Floats
) -> pl.DataFrame:
    """Ranges in the units of the data: ``unit`` undoes the scaling of the alignment."""
    present = np.isfinite(drawn.values)
    n_members = present.sum(axis=0)
    observed = _observed(aligned, drawn.column) * unit
    columns = [*aligned.observed_keys(), pl.Series("observed", observed)]
    ranges = _quantiles(np.where(present, drawn.values * unit, np.nan), n_members > 0, levels)
    for level, values in zip(levels, ranges, strict=True):
        columns.append(pl.Series(quantile_name(level), values).fill_nan(None))
    inside = (ranges[0] <= observed) & (observed <= ranges[-1])
    columns.append(pl.Series("inside", inside))
    columns.append(pl.Series("n_members", n_members.astype(np.int64)))
    return pl.DataFrame(columns)


def _observed(aligned: AlignedData, column: str) -> Floats:
    if observed_name(column) in aligned.data.columns:
        return aligned.observed(column)
    return np.full(aligned.grid_shape()[1], np.nan)


def _quantiles(values: Floats, some: Bools, levels: Sequence[float]) -> Floats:
    """(levels, rows); NaN for rows without any value."""
    result = np.full((len(levels), np.shape(values)[1]), np.nan)
    if some.any():
        result[:, some] = np.nanquantile(values[:, some], levels, axis=0)
    return result


def quantile_name(level: float) -> str:
    """``q025`` for 0.025, ``q500`` for 0.5; more digits only where three are not enough."""
    text = f"{level:.10f}".split(".")[1].rstrip("0").ljust(3, "0")
    return "q1000" if level == 1 else f"q{text}"
