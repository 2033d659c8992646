"""The coverage policy: what an observed row without a simulated partner means.

A score never stands on fewer rows than were observed: the parameter set fails, the replicate counts
as impossible, or the simulated value is taken as zero, and the account says which.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import SHOWN_KEYS, AlignedData, Bools, Coverage
from modelops_calabaria.alignment.columns import simulated_name
from modelops_calabaria.alignment.errors import AlignmentError, BadOutputError
from modelops_calabaria.constants import SUFFIX_OBS, SUFFIX_SIM
from modelops_contracts.errors import nearest

POLICIES: tuple[str, ...] = ("error", "worst", "zero")


@dataclass(frozen=True, slots=True)
class Covered:
    """Aligned data that is complete for every replicate in ``scorable``.

    ``scorable`` (R,) is False for replicates that the policy "worst" counts as impossible; their
    rows still hold gaps.
    """

    aligned: AlignedData
    scorable: Bools


def compared_columns(aligned: AlignedData, declared: Sequence[str] | None) -> list[str]:
    """Simulated columns that enter the score: those declared, else those both sides have."""
    if declared is not None:
        return list(declared)
    names = set(aligned.data.columns)
    return [
        name.removesuffix(SUFFIX_SIM)
        for name in aligned.data.columns
        if name.endswith(SUFFIX_SIM) and name.removesuffix(SUFFIX_SIM) + SUFFIX_OBS in names
    ]


def apply_coverage(
    aligned: AlignedData,
    policy: str,
    declared: Sequence[str] | None,
    *,
    n_missing_obs: int = 0,
) -> Covered:
    """Check that every observed row has a finite simulated value, or act as ``policy`` says.

    Raises AlignmentError (COVERAGE) under "error", BadOutputError under every policy when the model
    wrote NaN, null, infinity or text itself.
    """
    columns = _with_columns(aligned, declared)
    aligned = columns.aligned
    matched = _matched(aligned, columns.names)
    for name in columns.names:
        _refuse_bad_values(aligned, name, matched)
    coverage = _account(aligned, matched, n_missing_obs)
    complete: Bools = np.asarray(matched.all(axis=1))
    if complete.all():
        return Covered(replace(aligned, coverage=coverage), complete)
    if policy == "error":
        raise _uncovered(aligned, matched)
    if policy == "zero":
        filled = _fill_zero(aligned, matched, coverage, columns.names)
        return Covered(filled, np.ones(len(complete), dtype=np.bool_))
    return Covered(replace(aligned, coverage=coverage), complete)


@dataclass(frozen=True, slots=True)
class _Compared:
    aligned: AlignedData
    names: list[str]


def _with_columns(aligned: AlignedData, declared: Sequence[str] | None) -> _Compared:
    """The compared columns, added as gaps where every simulated table was empty."""
    names = compared_columns(aligned, declared)
    present = aligned.data.columns
    absent = [name for name in names if simulated_name(name) not in present]
    if not absent:
        return _Compared(aligned, names)
    if any(column.endswith(SUFFIX_SIM) for column in present):
        found = [c.removesuffix(SUFFIX_SIM) for c in present if c.endswith(SUFFIX_SIM)]
        close = nearest(absent[0], found)
        raise AlignmentError(
            f"column {absent[0]!r} is missing; the simulated table has "
            f"{', '.join([*aligned.on_cols, *found])}",
            replicate=0,
            reason="BAD_OUTPUT",
            hint=f"did you mean {close[0]!r}?" if close else f"let the model write {absent[0]!r}",
        )
    empty = [pl.lit(None, dtype=pl.Float64).alias(simulated_name(name)) for name in absent]
    return _Compared(replace(aligned, data=aligned.data.with_columns(empty)), names)


def _matched(aligned: AlignedData, names: Sequence[str]) -> Bools:
    if aligned.matched is not None:
        return aligned.matched
    # Tables made by other strategies: no partner means null in every compared column.
    partner = np.zeros(aligned.grid_shape(), dtype=np.bool_)
    for name in names:
        present = aligned.data.get_column(simulated_name(name)).is_not_null()
        helper = replace(aligned, data=aligned.data.with_columns(present.alias("__present")))
        partner |= helper.grid("__present").astype(np.bool_)
    return partner if names else np.ones(aligned.grid_shape(), dtype=np.bool_)


def _refuse_bad_values(aligned: AlignedData, name: str, matched: Bools) -> None:
    column = aligned.data.get_column(simulated_name(name))
    if not (column.dtype.is_numeric() or column.dtype in {pl.Boolean, pl.Null}):
        raise BadOutputError(f"column {name!r} holds {column.dtype} where numbers are compared")
    values = aligned.grid(simulated_name(name)).astype(np.float64, copy=False)
    bad = matched & ~np.isfinite(values)
    if not bad.any():
        return
    replicate, row = (int(i) for i in np.argwhere(bad)[0])
    value = values[replicate, row]
    shown = "NaN or null" if np.isnan(value) else str(value)
    raise BadOutputError(
        f"the model wrote {shown} in column {name!r} at {aligned.describe_key(row)} "
        f"({int(bad.sum())} such values in {int(bad.any(axis=1).sum())} replicates)",
        replicate=replicate,
        hint="run the model with this seed and look at that row",
    )


def _account(aligned: AlignedData, matched: Bools, n_missing_obs: int) -> Coverage:
    if aligned.coverage is not None:
        return replace(aligned.coverage, n_missing_obs=n_missing_obs)
    r, n = matched.shape
    return Coverage(
        n_observed=n,
        n_replicates=r,
        matched=tuple(int(count) for count in matched.sum(axis=1)),
        n_missing_obs=n_missing_obs,
    )


def _uncovered(aligned: AlignedData, matched: Bools) -> AlignmentError:
    short = np.flatnonzero(~matched.all(axis=1))
    replicate = int(short[0])
    rows = np.flatnonzero(~matched[replicate])
    keys = "; ".join(aligned.describe_key(int(row)) for row in rows[:SHOWN_KEYS])
    return AlignmentError(
        f"{len(rows)} of {matched.shape[1]} observed rows have no simulated partner: {keys}"
        f"{' ...' if len(rows) > SHOWN_KEYS else ''} "
        f"({len(short)} of {matched.shape[0]} replicates are short)",
        replicate=replicate,
        hint="filter the observed rows in the target, or simulate longer; "
        'coverage="worst" or "zero" gives runs that end early a meaning',
    )


def _fill_zero(
    aligned: AlignedData, matched: Bools, coverage: Coverage, names: Sequence[str]
) -> AlignedData:
    filled = aligned
    for name in names:
        values = aligned.grid(simulated_name(name)).astype(np.float64)
        filled = filled.with_column(simulated_name(name), np.where(matched, values, 0.0))
    return replace(filled, coverage=replace(coverage, n_imputed=int((~matched).sum())))
