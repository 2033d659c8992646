"""Scalars and short vectors: R0, peak day, attack rate by age."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.columns import observed_name, simulated_name
from modelops_calabaria.alignment.errors import (
    AlignmentError,
    MetricAlignmentError,
    ObservedDataError,
)
from modelops_calabaria.alignment.frames import as_frames
from modelops_calabaria.alignment.join import FLOAT_KEY_DECIMALS, column_names, one_of
from modelops_calabaria.alignment.layout import assemble
from modelops_calabaria.alignment.matching import (
    DUPLICATES,
    Pairs,
    Stacked,
    cell_pairs,
    common_keys,
    refuse_duplicates,
)
from modelops_calabaria.alignment.metric_tables import (
    METRIC,
    VALUE,
    MetricOptions,
    metrics_written,
    read_observed_metrics,
    select_metrics,
    split_replicates,
    stack_metrics,
)
from modelops_contracts.errors import InvalidValue, nearest


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

    options: MetricOptions

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
        options = MetricOptions(
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
        frame = select_metrics(read_observed_metrics(data, self.options), self.options)
        refuse_duplicates(frame, self.on)
        return frame

    def align(self, observed: object, simulated: object) -> AlignedData:
        frame = self.observed_frame(observed)
        if frame.get_column(VALUE).is_null().any() or frame.get_column(VALUE).is_nan().any():
            raise MetricAlignmentError(
                "the observed value of a metric is missing",
                hint="leave the metric out, or use a target, which leaves such rows out",
            )
        frames = self._replicates(simulated)
        aligned = self._join(frame, frames)
        _refuse_bad_values(aligned)
        return _scaled(aligned, self.row_scale(frame))

    def row_scale(self, observed: pl.DataFrame) -> Floats | None:
        """What both sides of every observed row are divided by; None where nothing is scaled."""
        scale = self.options.scale
        if scale is None:
            return None
        if isinstance(scale, Mapping):
            return _scale_by_metric(observed.get_column(METRIC), scale)
        return _observed_size(observed.get_column(VALUE))

    def _replicates(self, simulated: object) -> Sequence[pl.DataFrame]:
        frames, single = as_frames(simulated)
        return split_replicates(frames[0], self.options) if single else frames

    def _stack(self, frames: Sequence[pl.DataFrame], observed: pl.DataFrame) -> Stacked:
        options = self.options
        names = observed.get_column(METRIC).unique(maintain_order=True).to_list()
        return stack_metrics(frames, [options.rename.get(name, name) for name in names], options)

    def _join(self, frame: pl.DataFrame, frames: Sequence[pl.DataFrame]) -> AlignedData:
        options = self.options
        stacked = self._stack(frames, frame)
        renamed = frame.with_columns(pl.col(METRIC).replace(dict(options.rename)))
        left, right = common_keys(renamed, stacked, self.on, FLOAT_KEY_DECIMALS)
        left, right = _visible_nulls(left, right)
        pairs = cell_pairs(left, right, stacked)
        if options.missing == "error":
            _refuse_absent(renamed, frames, pairs, options)
        try:
            return assemble(
                frame, stacked, pairs, on=self.on, duplicates=options.duplicates, single=False
            )
        except AlignmentError as error:
            raise MetricAlignmentError(
                error.problem, replicate=error.replicate, reason=error.reason, hint=error.hint
            ) from error


# -- joining -------------------------------------------------------------------------------------


def _visible_nulls(left: pl.DataFrame, right: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """A missing index means "scalar" and equals a missing index; a join would never match it."""
    for name in left.columns:
        if left.get_column(name).null_count():
            spelled = pl.col(name).cast(pl.String).fill_null("\0")
            left, right = left.with_columns(spelled), right.with_columns(spelled)
    return left, right


def _refuse_absent(
    observed: pl.DataFrame, frames: Sequence[pl.DataFrame], pairs: Pairs, options: MetricOptions
) -> None:
    n, on = observed.height, [METRIC, *options.index_cols]
    cells = pairs.expanded(n, len(frames)).cell
    counts = np.bincount(cells, minlength=n * len(frames))
    gaps = np.flatnonzero(counts == 0)
    if not len(gaps):
        return
    replicate, row = divmod(int(gaps[0]), n)
    key = observed.select(on).row(row)
    there = metrics_written(frames[replicate], options)
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


def _scaled(aligned: AlignedData, row_scale: Floats | None) -> AlignedData:
    if row_scale is None:
        return aligned
    by = pl.Series(np.tile(row_scale, aligned.n_replicates))
    sides = [observed_name(VALUE), simulated_name(VALUE), observed_name("sd")]
    present = [name for name in sides if name in aligned.data.columns]
    return replace(
        aligned,
        data=aligned.data.with_columns(
            (aligned.data.get_column(name) / by).alias(name) for name in present
        ),
    )


def _scale_by_metric(names: pl.Series, scale: Mapping[str, float]) -> Floats:
    for name in names.unique(maintain_order=True).to_list():
        if name not in scale:
            raise ObservedDataError(
                f"scale has no entry for metric {name!r}; it has {', '.join(scale)}"
            )
    return np.array([scale[name] for name in names.to_list()], dtype=np.float64)


def _observed_size(values: pl.Series) -> Floats:
    size: Floats = np.abs(values.to_numpy())
    if (size == 0).any():
        raise ObservedDataError(
            'scale="observed" divides by an observed value of 0',
            hint="give scale={metric: number}",
        )
    return size


def _checked_scale(scale: str | Mapping[str, float] | None) -> str | Mapping[str, float] | None:
    if isinstance(scale, Mapping):
        given: Mapping[str, object] = scale
        for name, value in given.items():
            if not (isinstance(value, Real) and 0 < float(value) < np.inf):
                raise InvalidValue(f"scale of metric {name!r} must be a positive number: {value!r}")
        return dict(scale)
    if scale not in {None, "observed"}:
        raise InvalidValue(f"scale must be None, 'observed' or a mapping, got {scale!r}")
    return scale
