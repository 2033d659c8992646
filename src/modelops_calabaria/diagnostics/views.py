"""Trials as charts want them: arrays, with failed ones as NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelops_calabaria.diagnostics.gates.parameters import search_space
from modelops_calabaria.outcome.record import CalibrationRecord
from modelops_calabaria.search_space import Axis

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    Floats = npt.NDArray[np.float64]

#: Penalties as large as a number can be stand in some tables; an axis has no room beyond them.
_LARGEST = 1e300

__all__ = ["Column", "TrialView", "identifiability", "view_record", "view_table"]


@dataclass(frozen=True, slots=True)
class Column:
    """One varied parameter. ``units`` are positions in [0, 1] of its range, in its own scale."""

    name: str
    label: str
    values: Floats
    units: Floats
    lower: float
    upper: float
    is_log: bool


@dataclass(frozen=True, slots=True)
class TrialView:
    """``loss`` is NaN for failed trials; ``number`` is the position in ask order."""

    number: Floats
    loss: Floats
    columns: tuple[Column, ...]
    constant: Mapping[str, float]
    objective: str
    #: Parameters without any number in the table.
    unread: tuple[str, ...] = ()

    @property
    def n_finite(self) -> int:
        import numpy as np

        return int(np.isfinite(self.loss).sum())

    @property
    def best(self) -> int | None:
        """Index of the lowest loss, None when all failed."""
        import numpy as np

        return int(np.nanargmin(self.loss)) if self.n_finite else None


def view_record(record: CalibrationRecord) -> TrialView:
    """The trials of a calibration, in the coordinates of its search."""
    axes = search_space(record).axes
    trials = record.trials
    is_loglik = record.settings["objective_kind"] == "loglik"
    return TrialView(
        number=trials["trial"].cast(float).to_numpy(),
        loss=_losses(trials["loss"]),
        columns=tuple(_axis_column(axis, trials[f"param_{axis.name}"]) for axis in axes),
        constant=dict(record.settings["fixed"]),
        objective="negative log-likelihood" if is_loglik else "loss",
    )


def view_table(table: pl.DataFrame) -> TrialView:
    """Any table with ``loss`` and ``param_*`` columns; scales are guessed from the values."""
    import numpy as np

    names = [c.removeprefix("param_") for c in table.columns if c.startswith("param_")]
    values = {name: _floats(table[f"param_{name}"]) for name in names}
    known = {name: np.unique(values[name][np.isfinite(values[name])]) for name in names}
    varied = [name for name in names if len(known[name]) > 1]
    return TrialView(
        number=np.arange(table.height, dtype=float),
        loss=_losses(table["loss"]),
        columns=tuple(_plain_column(name, values[name]) for name in varied),
        constant={name: float(known[name][0]) for name in names if len(known[name]) == 1},
        objective="loss",
        unread=tuple(name for name in names if not len(known[name])),
    )


def identifiability(view: TrialView) -> list[float]:
    """Per column, 1 minus the relative width of the best tenth of the trials (at least 5).

    1 means that good trials agree on the value, 0 that they are spread like all others.
    """
    import numpy as np

    order = np.argsort(np.where(np.isfinite(view.loss), view.loss, np.inf), kind="stable")
    top = order[: min(view.n_finite, max(5, view.n_finite // 10))]
    return [_narrowness(column.units[top]) for column in view.columns]


def _narrowness(units: Floats) -> float:
    import numpy as np

    known = units[np.isfinite(units)]
    if len(known) < 2:
        return 0.0
    low, high = np.quantile(known, [0.1, 0.9])
    return float(np.clip(1.0 - (high - low) / 0.8, 0.0, 1.0))


def _axis_column(axis: Axis, series: pl.Series) -> Column:
    import numpy as np

    values = _floats(series)
    unit = f" [{axis.spec.unit}]" if axis.spec.unit else ""
    return Column(
        name=axis.name,
        label=f"{axis.name}{unit}",
        values=values,
        units=np.array([axis.to_unit(float(value)) for value in values]),
        lower=float(axis.spec.lower),
        upper=float(axis.spec.upper),
        is_log=axis.is_log,
    )


def _plain_column(name: str, values: Floats) -> Column:
    import numpy as np

    known = values[np.isfinite(values)]
    lower, upper = float(known.min()), float(known.max())
    is_log = lower > 0 and upper / lower > 100
    scaled = np.log(values) if is_log else values
    low, high = (math.log(lower), math.log(upper)) if is_log else (lower, upper)
    return Column(name, name, values, (scaled - low) / (high - low), lower, upper, is_log)


def _losses(series: pl.Series) -> Floats:
    import numpy as np

    values = _floats(series)
    return np.where(np.isfinite(values), values, np.nan)


def _floats(series: pl.Series) -> Floats:
    import numpy as np
    import polars as pl

    numbers = series.cast(pl.Float64, strict=False).fill_null(float("nan"))
    values = np.array(numbers.to_list(), dtype=np.float64)
    return np.where(np.isinf(values), values, np.clip(values, -_LARGEST, _LARGEST))


def robust_limits(values: Sequence[float], share: float = 0.85) -> tuple[float, float]:
    """Axis limits from the lowest value to the given quantile, with some air around both."""
    import numpy as np

    known = np.asarray([v for v in values if math.isfinite(v)], dtype=float)
    if not len(known):
        return 0.0, 1.0
    low, high = float(known.min()), float(np.quantile(known, share))
    span = (high - low) or abs(low) or 1.0
    return low - 0.08 * span, high + 0.08 * span


def as_floats(values: Sequence[Any]) -> Floats:
    """Array of floats; what is no number becomes NaN."""
    import polars as pl

    return _floats(pl.Series(values, strict=False))
