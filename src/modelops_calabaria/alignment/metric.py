"""Scalars and short vectors: R0, peak day, attack rate by age."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import Any

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData
from modelops_calabaria.alignment.columns import observed_name, simulated_name
from modelops_calabaria.alignment.errors import (
    AlignmentError,
    MetricAlignmentError,
    ObservedDataError,
)
from modelops_calabaria.alignment.frames import as_frame, as_frames
from modelops_calabaria.alignment.join import FLOAT_KEY_DECIMALS, column_names, one_of
from modelops_calabaria.alignment.matching import (
    DUPLICATES,
    Pairs,
    Stacked,
    assemble,
    cell_pairs,
    common_keys,
    refuse_duplicates,
    stack,
)
from modelops_calabaria.constants import REPLICATE_COL, SEED_COL
from modelops_contracts.errors import InvalidValue, nearest

METRIC = "metric"
VALUE = "value"
OBSERVED_EXTRAS = ("sd", "weight")


@dataclass(frozen=True, slots=True)
class _Options:
    metrics: tuple[str, ...] | None
    metric_col: str
    value_col: str
    index_cols: tuple[str, ...]
    replicate_col: str | None
    layout: str
    missing: str
    duplicates: str
    scale: str | Mapping[str, float] | None
    rename: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, init=False)
class MetricAlignment:
    """Compares named scalars, or vectors over ``index_cols``, one value per metric and replicate.

    Observed: a long table (metric, value[, index][, sd, weight]), a wide one-row table, a
    mapping such as ``{"R0": 2.5}``, or a number when one metric is named. Simulated: one table
    per replicate or one table for all, long or wide; replicates of one table come from
    ``replicate_col``, else from a ``seed`` or ``__replicate`` column, else repeated rows are
    numbered in order.

    Result: columns metric, index columns, ``value__obs``, ``value__sim``, where given
    ``sd__obs`` and ``weight__obs``, and ``__replicate``. ``scale`` divides both sides (and sd)
    by a number per metric or by the size of the observed value; ``rename`` maps observed to
    simulated names. ``missing="nan"`` leaves an absent metric to the coverage policy of the
    target.
    """

    options: _Options

    def __init__(
        self,
        metric: str | Sequence[str] | None = None,
        *,
        metric_col: str = METRIC,
        value_col: str = VALUE,
        index_cols: Sequence[str] = (),
        replicate_col: str | None = None,
        layout: str = "auto",
        missing: str = "error",
        duplicates: str = "error",
        scale: str | Mapping[str, float] | None = None,
        rename: Mapping[str, str] | None = None,
    ) -> None:
        options = _Options(
            metrics=None if metric is None else column_names(metric, "metric"),
            metric_col=metric_col,
            value_col=value_col,
            index_cols=column_names(index_cols, "index_cols") if index_cols else (),
            replicate_col=replicate_col,
            layout=one_of("layout", layout, ("auto", "long", "wide")),
            missing=one_of("missing", missing, ("error", "nan")),
            duplicates=one_of("duplicates", duplicates, DUPLICATES),
            scale=_checked_scale(scale),
            rename=dict(rename or {}),
        )
        object.__setattr__(self, "options", options)

    @property
    def on(self) -> list[str]:
        return [METRIC, *self.options.index_cols]

    def observed_frame(self, data: object) -> pl.DataFrame:
        """Observed data as long table with columns metric, index columns, value[, sd][, weight]."""
        frame = _select_metrics(_observed_long(data, self.options), self.options)
        refuse_duplicates(frame, self.on)
        return frame

    def align(self, observed: object, simulated: object) -> AlignedData:
        frame = self.observed_frame(observed)
        if frame.get_column(VALUE).is_null().any() or frame.get_column(VALUE).is_nan().any():
            raise MetricAlignmentError(
                "the observed value of a metric is missing",
                hint="leave the metric out, or use a target, which leaves such rows out",
            )
        stacked = self._stack(simulated, frame)
        aligned = self._join(frame, stacked)
        _refuse_bad_values(aligned)
        return _scaled(aligned, self.options.scale)

    def _stack(self, simulated: object, observed: pl.DataFrame) -> Stacked:
        options = self.options
        frames, single = as_frames(simulated)
        if single:
            frames = _split_replicates(frames[0], options)
        names = observed.get_column(METRIC).unique(maintain_order=True).to_list()
        return _stack_long(frames, [options.rename.get(name, name) for name in names], options)

    def _join(self, frame: pl.DataFrame, stacked: Stacked) -> AlignedData:
        options = self.options
        renamed = frame.with_columns(pl.col(METRIC).replace(dict(options.rename)))
        left, right = common_keys(renamed, stacked, self.on, FLOAT_KEY_DECIMALS)
        left, right = _visible_nulls(left, right)
        pairs = cell_pairs(left, right, stacked)
        if options.missing == "error":
            _refuse_absent(renamed, stacked, pairs, self.on)
        try:
            return assemble(
                frame, stacked, pairs, on=self.on, duplicates=options.duplicates, single=False
            )
        except AlignmentError as error:
            raise MetricAlignmentError(
                error.problem, replicate=error.replicate, reason=error.reason, hint=error.hint
            ) from error


# -- observed side -------------------------------------------------------------------------------


def _observed_long(data: object, options: _Options) -> pl.DataFrame:
    if isinstance(data, Real):
        if options.metrics is None or len(options.metrics) != 1:
            raise ObservedDataError(
                "a single number needs exactly one metric name",
                hint='name it: MetricAlignment("R0"), or give {"R0": value}',
            )
        return pl.DataFrame({METRIC: list(options.metrics), VALUE: [float(data)]})
    if isinstance(data, Mapping) and all(_is_scalar(value) for value in data.values()):
        return _frame_of_mapping(data)
    frame = as_frame(data, what="observed data")
    if not frame.height:
        raise ObservedDataError("the observed data has no rows", hint="check the file or filter")
    if _is_long(frame, options, "the observed data"):
        return _observed_from_long(frame, options)
    return _observed_from_wide(frame, options)


def _is_scalar(value: object) -> bool:
    return isinstance(value, Real)


def _frame_of_mapping(data: Mapping[Any, Any]) -> pl.DataFrame:
    values = [float(value) for value in data.values()]
    return pl.DataFrame(
        {METRIC: [str(name) for name in data], VALUE: values},
        schema={METRIC: pl.String, VALUE: pl.Float64},
    )


def _is_long(frame: pl.DataFrame, options: _Options, what: str) -> bool:
    absent = [c for c in (options.metric_col, options.value_col) if c not in frame.columns]
    if options.layout == "wide" or (options.layout == "auto" and absent):
        return False
    if absent:
        raise MetricAlignmentError(
            f"{what}: no column {absent[0]!r}; found {', '.join(frame.columns)}",
            hint="set metric_col and value_col, or layout='wide'",
        )
    return True


def _observed_from_long(frame: pl.DataFrame, options: _Options) -> pl.DataFrame:
    _require_columns(frame, options.index_cols, "the observed data")
    if frame.get_column(options.metric_col).null_count():
        raise ObservedDataError(f"{options.metric_col!r} has missing names in the observed data")
    kept = [options.metric_col, *options.index_cols, options.value_col]
    extras = [name for name in OBSERVED_EXTRAS if name in frame.columns and name not in kept]
    long = frame.select(
        pl.col(options.metric_col).cast(pl.String).alias(METRIC),
        *options.index_cols,
        pl.col(options.value_col).alias(VALUE),
        *extras,
    )
    return _as_numbers(long, [VALUE, *extras])


def _observed_from_wide(frame: pl.DataFrame, options: _Options) -> pl.DataFrame:
    _require_columns(frame, options.index_cols, "the observed data")
    if frame.height != 1 and not options.index_cols:
        raise ObservedDataError(
            f"a wide table of observed metrics has one row, this one has {frame.height}",
            hint=f"give columns {options.metric_col!r} and {options.value_col!r}, or index_cols",
        )
    metrics = _metric_columns(frame, options)
    if not metrics:
        raise ObservedDataError(
            f"no numeric column among {', '.join(frame.columns)} in the observed data"
        )
    return _as_numbers(
        frame.unpivot(
            on=metrics, index=list(options.index_cols), variable_name=METRIC, value_name=VALUE
        ).select(METRIC, *options.index_cols, VALUE),
        [VALUE],
    )


def _metric_columns(frame: pl.DataFrame, options: _Options) -> list[str]:
    keys = {*options.index_cols, options.replicate_col, SEED_COL, REPLICATE_COL}
    return [c for c, dtype in frame.schema.items() if c not in keys and dtype.is_numeric()]


def _require_columns(frame: pl.DataFrame, names: Iterable[str], what: str) -> None:
    for name in names:
        if name not in frame.columns:
            raise MetricAlignmentError(
                f"{what}: no column {name!r}; found {', '.join(frame.columns)}",
                hint="check index_cols and replicate_col",
            )


def _as_numbers(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    for name in names:
        dtype = frame.schema[name]
        if not dtype.is_numeric() and dtype != pl.Null:
            raise MetricAlignmentError(
                f"column {name!r} of the observed metrics holds {dtype}, not numbers"
            )
    return frame.with_columns(pl.col(name).cast(pl.Float64) for name in names)


def _select_metrics(frame: pl.DataFrame, options: _Options) -> pl.DataFrame:
    if options.metrics is None:
        return frame
    found = frame.get_column(METRIC).unique(maintain_order=True).to_list()
    for name in options.metrics:
        if name not in found:
            close = nearest(name, found)
            raise MetricAlignmentError(
                f"metric {name!r} is not in the observed data; it has {', '.join(found)}",
                hint=f"did you mean {close[0]!r}?" if close else None,
            )
    return frame.filter(pl.col(METRIC).is_in(list(options.metrics)))


# -- simulated side ------------------------------------------------------------------------------


def _split_replicates(frame: pl.DataFrame, options: _Options) -> list[pl.DataFrame]:
    """One table of all replicates as a list of tables."""
    if not frame.height:
        return [frame]
    number = _replicate_numbers(frame, options)
    parts = frame.with_columns(number.alias(REPLICATE_COL)).partition_by(
        REPLICATE_COL, include_key=False, maintain_order=True, as_dict=True
    )
    return [parts[key] for key in sorted(parts)]


def _replicate_numbers(frame: pl.DataFrame, options: _Options) -> pl.Series:
    source = options.replicate_col
    if source is not None:
        _require_columns(frame, [source], "the simulated table")
    else:
        known = (SEED_COL, REPLICATE_COL)
        source = next((name for name in known if name in frame.columns), None)
    if source is not None:
        if frame.get_column(source).null_count():
            raise MetricAlignmentError(f"replicate column {source!r} has missing values")
        return frame.get_column(source).rank("dense").cast(pl.Int64)
    keys = list(options.index_cols)
    if _is_long(frame, options, "the simulated table"):
        keys = [options.metric_col, *keys]
    if not keys:
        return pl.Series(range(frame.height))
    _require_columns(frame, keys, "the simulated table")
    return frame.select(pl.int_range(pl.len()).over(keys)).to_series()


def _stack_long(
    frames: Sequence[pl.DataFrame], metrics: Sequence[str], options: _Options
) -> Stacked:
    """All replicates as one long table; long and wide tables may be mixed."""
    filled = [(r, frame) for r, frame in enumerate(frames) if frame.height]
    kinds = [(r, f, _is_long_at(f, options, r)) for r, f in filled]
    long = [(r, frame) for r, frame, is_long in kinds if is_long]
    wide = [(r, frame) for r, frame, is_long in kinds if not is_long]
    pieces: list[tuple[np.ndarray[Any, Any], dict[str, list[pl.Series]]]] = []
    if long:
        pieces.append(_long_piece(long, options))
    if wide:
        pieces += _wide_pieces(wide, metrics, options)
    names = [METRIC, *options.index_cols, VALUE]
    columns: dict[str, list[pl.Series]] = {name: [] for name in names if pieces}
    for _, piece in pieces:
        for name in names:
            columns[name] += piece[name]
    replicate = [numbers for numbers, _ in pieces]
    stacked = np.concatenate(replicate) if replicate else np.zeros(0, dtype=np.int64)
    return Stacked(stacked, len(frames), columns)


def _is_long_at(frame: pl.DataFrame, options: _Options, replicate: int) -> bool:
    try:
        return _is_long(frame, options, "the simulated table")
    except MetricAlignmentError as error:
        raise MetricAlignmentError(error.problem, replicate=replicate, hint=error.hint) from error


def _long_piece(
    frames: Sequence[tuple[int, pl.DataFrame]], options: _Options
) -> tuple[np.ndarray[Any, Any], dict[str, list[pl.Series]]]:
    names = [options.metric_col, *options.index_cols, options.value_col]
    stacked = _stack_some(frames, names)
    columns = {name: stacked.columns[name] for name in options.index_cols}
    columns[METRIC] = stacked.columns[options.metric_col]
    columns[VALUE] = [_checked(part, "value") for part in stacked.columns[options.value_col]]
    return stacked.replicate, columns


def _wide_pieces(
    frames: Sequence[tuple[int, pl.DataFrame]], metrics: Sequence[str], options: _Options
) -> list[tuple[np.ndarray[Any, Any], dict[str, list[pl.Series]]]]:
    pieces = []
    for metric in metrics:
        holders = [(r, frame) for r, frame in frames if metric in frame.columns]
        if not holders:
            continue
        stacked = _stack_some(holders, [*options.index_cols, metric])
        values = pl.concat([_checked(part, metric) for part in stacked.columns[metric]])
        columns = {name: stacked.columns[name] for name in options.index_cols}
        columns[METRIC] = [pl.Series(METRIC, [metric]).new_from_index(0, values.len())]
        columns[VALUE] = [values]
        pieces.append((stacked.replicate, columns))
    return pieces


def _stack_some(frames: Sequence[tuple[int, pl.DataFrame]], names: Sequence[str]) -> Stacked:
    """As ``stack`` for some of the replicates, only the columns named."""
    positions = np.array([r for r, _ in frames], dtype=np.int64)
    for r, frame in frames:
        for name in names:
            if name not in frame.columns:
                raise MetricAlignmentError(
                    f"no column {name!r}; found {', '.join(frame.columns)}", replicate=r
                )
    stacked = stack([frame.select(names) for _, frame in frames], names)
    return Stacked(positions[stacked.replicate], int(positions.max()) + 1, stacked.columns)


def _checked(part: pl.Series, name: str) -> pl.Series:
    if not part.dtype.is_numeric() and part.dtype != pl.Null:
        example = part.drop_nulls().head(1).to_list()
        raise MetricAlignmentError(f"{name!r} holds {part.dtype} such as {example}, not numbers")
    return part.cast(pl.Float64)


# -- joining -------------------------------------------------------------------------------------


def _visible_nulls(left: pl.DataFrame, right: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A missing index means "scalar" and equals a missing index; a join would never match it."""
    for name in left.columns:
        if left.get_column(name).null_count():
            spelled = pl.col(name).cast(pl.String).fill_null("\0")
            left, right = left.with_columns(spelled), right.with_columns(spelled)
    return left, right


def _refuse_absent(
    observed: pl.DataFrame, stacked: Stacked, pairs: Pairs, on: Sequence[str]
) -> None:
    n = observed.height
    counts = np.bincount(pairs.cell, minlength=n * stacked.n_replicates)
    gaps = np.flatnonzero(counts == 0)
    if not len(gaps):
        return
    replicate, row = divmod(int(gaps[0]), n)
    key = observed.select(on).row(row)
    there = _metrics_of(stacked, replicate)
    close = nearest(str(key[0]), there)
    index = ", ".join(f"{name}={value}" for name, value in zip(on[1:], key[1:], strict=True))
    raise MetricAlignmentError(
        f"metric {key[0]!r}{f' at {index}' if index else ''} is missing "
        f"({len(gaps)} values missing in all); metrics there: {', '.join(there) or 'none'}",
        replicate=replicate,
        hint=f"did you mean {close[0]!r}? rename={{observed: simulated}} maps names"
        if close and close[0] != key[0]
        else f"let the model write {key[0]!r}, or set missing='nan' and a coverage policy",
    )


def _metrics_of(stacked: Stacked, replicate: int) -> list[str]:
    if not stacked.height:
        return []
    names = pl.concat([part.cast(pl.String) for part in stacked.columns[METRIC]])
    here = names.filter(pl.Series(stacked.replicate == replicate))
    return [str(name) for name in here.unique(maintain_order=True).to_list()]


def _refuse_bad_values(aligned: AlignedData) -> None:
    matched = aligned.matched
    if matched is None or simulated_name(VALUE) not in aligned.data.columns:
        return
    values = aligned.grid(simulated_name(VALUE)).astype(np.float64, copy=False)
    bad = np.argwhere(matched & ~np.isfinite(values))
    if not len(bad):
        return
    replicate, row = (int(i) for i in bad[0])
    raise MetricAlignmentError(
        f"the value at {aligned.describe_key(row)} is "
        f"{'NaN or null' if np.isnan(values[replicate, row]) else values[replicate, row]}",
        replicate=replicate,
        hint="run the model with this seed and look at that metric",
    )


def _scaled(aligned: AlignedData, scale: str | Mapping[str, float] | None) -> AlignedData:
    if scale is None:
        return aligned
    names = aligned.data.get_column(METRIC)
    if isinstance(scale, Mapping):
        for name in names.unique(maintain_order=True).to_list():
            if name not in scale:
                raise ObservedDataError(
                    f"scale has no entry for metric {name!r}; it has {', '.join(scale)}"
                )
        by = names.replace_strict(dict(scale), return_dtype=pl.Float64)
    else:
        by = aligned.get_obs_col(VALUE).abs()
        if (by == 0).any():
            raise ObservedDataError(
                'scale="observed" divides by an observed value of 0',
                hint="give scale={metric: number}",
            )
    sides = [observed_name(VALUE), simulated_name(VALUE), observed_name("sd")]
    present = [name for name in sides if name in aligned.data.columns]
    return replace(
        aligned,
        data=aligned.data.with_columns(
            (aligned.data.get_column(name) / by).alias(name) for name in present
        ),
    )


def _checked_scale(scale: str | Mapping[str, float] | None) -> str | Mapping[str, float] | None:
    if isinstance(scale, Mapping):
        for name, value in scale.items():
            if not (np.isfinite(value) and value > 0):
                raise InvalidValue(f"scale of metric {name!r} must be a positive number: {value}")
        return dict(scale)
    if scale not in {None, "observed"}:
        raise InvalidValue(f"scale must be None, 'observed' or a mapping, got {scale!r}")
    return scale
