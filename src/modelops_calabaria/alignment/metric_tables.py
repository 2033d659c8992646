"""Reading metrics: tables in any layout become long tables of metric, index columns and value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import polars as pl

from modelops_calabaria.alignment.errors import MetricAlignmentError, ObservedDataError
from modelops_calabaria.alignment.frames import as_frame
from modelops_calabaria.alignment.matching import Stacked, stack
from modelops_calabaria.constants import REPLICATE_COL, SEED_COL
from modelops_contracts.errors import nearest

METRIC = "metric"
VALUE = "value"
OBSERVED_EXTRAS = ("sd", "weight")


@dataclass(frozen=True, slots=True)
class MetricOptions:
    """What a MetricAlignment was told; see there."""

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


# -- observed side -------------------------------------------------------------------------------


def read_observed_metrics(data: object, options: MetricOptions) -> pl.DataFrame:
    """Observed metrics of a number, a mapping, or a long or wide table, as a long table."""
    if isinstance(data, Real):
        if options.metrics is None or len(options.metrics) != 1:
            raise ObservedDataError(
                "a single number needs exactly one metric name",
                hint='name it: MetricAlignment("R0"), or give {"R0": value}',
            )
        return pl.DataFrame({METRIC: list(options.metrics), VALUE: [float(data)]})
    if isinstance(data, Mapping) and data and all(map(_is_scalar, data.values())):
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


def _is_long(frame: pl.DataFrame, options: MetricOptions, what: str) -> bool:
    absent = [c for c in (options.metric_col, options.value_col) if c not in frame.columns]
    if options.layout == "wide" or (options.layout == "auto" and absent):
        return False
    if absent:
        raise MetricAlignmentError(
            f"{what}: no column {absent[0]!r}; found {', '.join(frame.columns)}",
            hint="set metric_col and value_col, or layout='wide'",
        )
    return True


def _observed_from_long(frame: pl.DataFrame, options: MetricOptions) -> pl.DataFrame:
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


def _observed_from_wide(frame: pl.DataFrame, options: MetricOptions) -> pl.DataFrame:
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


def _metric_columns(frame: pl.DataFrame, options: MetricOptions) -> list[str]:
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


def select_metrics(frame: pl.DataFrame, options: MetricOptions) -> pl.DataFrame:
    """Only the metrics the alignment names; raises when one of them was not observed."""
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


def split_replicates(frame: pl.DataFrame, options: MetricOptions) -> list[pl.DataFrame]:
    """One table of all replicates as a list of tables."""
    if not frame.height:
        return [frame]
    number = _replicate_numbers(frame, options)
    parts = frame.with_columns(number.alias(REPLICATE_COL)).partition_by(
        REPLICATE_COL, include_key=False, maintain_order=True, as_dict=True
    )
    return [parts[key] for key in sorted(parts)]


def _replicate_numbers(frame: pl.DataFrame, options: MetricOptions) -> pl.Series:
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


def metrics_written(frame: pl.DataFrame, options: MetricOptions) -> list[str]:
    """All names that one simulated table holds, in either layout, observed or not."""
    if not frame.height:
        return []
    if not _is_long(frame, options, "the simulated table"):
        return _metric_columns(frame, options)
    names = frame.get_column(options.metric_col).cast(pl.String)
    return [str(name) for name in names.unique(maintain_order=True).to_list()]


def stack_metrics(
    frames: Sequence[pl.DataFrame], metrics: Sequence[str], options: MetricOptions
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


def _is_long_at(frame: pl.DataFrame, options: MetricOptions, replicate: int) -> bool:
    try:
        return _is_long(frame, options, "the simulated table")
    except MetricAlignmentError as error:
        raise MetricAlignmentError(error.problem, replicate=replicate, hint=error.hint) from error


def _long_piece(
    frames: Sequence[tuple[int, pl.DataFrame]], options: MetricOptions
) -> tuple[np.ndarray[Any, Any], dict[str, list[pl.Series]]]:
    names = [options.metric_col, *options.index_cols, options.value_col]
    stacked = _stack_some(frames, names)
    columns = {name: stacked.columns[name] for name in options.index_cols}
    columns[METRIC] = stacked.columns[options.metric_col]
    columns[VALUE] = [_checked(part, "value") for part in stacked.columns[options.value_col]]
    return stacked.replicate, columns


def _wide_pieces(
    frames: Sequence[tuple[int, pl.DataFrame]], metrics: Sequence[str], options: MetricOptions
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
