"""The charts of a report. Each function fills a canvas; colours mean the same on every page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelops_calabaria.diagnostics.blocks import Canvas
from modelops_calabaria.diagnostics.lettering import fitted
from modelops_calabaria.diagnostics.views import Column, TrialView, robust_limits
from modelops_calabaria.outcome.record import Candidate

if TYPE_CHECKING:
    import polars as pl
    from matplotlib.axes import Axes

__all__ = [
    "ACCENT",
    "DATA",
    "PLAUSIBLE",
    "PRIOR",
    "WINNER",
    "contributions",
    "intervals",
    "pair_panels",
    "parameter_panels",
    "parameter_rows",
    "search_history",
    "series",
]

INK = "#1f2933"
QUIET = "#7b8794"
GRID = "#e4e7eb"
ACCENT = "#2f6fab"
TRIAL = "#8fb3d4"
WINNER = "#d9480f"
PLAUSIBLE = "#2b8a82"
PRIOR = "#b8c0c8"
DATA = "#101820"
FAILED = "#a61e4d"

#: Above this number of marks, a chart's marks are one picture instead of many shapes.
_RASTER_ABOVE = 400
_MOST_PAIR_POINTS = 2000
_SMALL = 7.5
_NORMAL = 8.5


def _style(axes: Axes, *, grid: str = "both") -> None:
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(QUIET)
        axes.spines[side].set_linewidth(0.7)
    axes.tick_params(colors=INK, labelsize=_SMALL, width=0.7, length=3, which="major")
    axes.tick_params(width=0.4, length=1.5, which="minor", labelsize=0)
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis=grid, color=GRID, linewidth=0.7)  # type: ignore[arg-type]


def _labels(axes: Axes, x: str, y: str, *, size: float = _NORMAL) -> None:
    axes.set_xlabel(x, fontsize=size, color=INK, labelpad=3)
    axes.set_ylabel(y, fontsize=size, color=INK, labelpad=4)


def _legend(axes: Axes, *, columns: int = 3) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        fontsize=_SMALL,
        frameon=False,
        borderaxespad=0.2,
        handlelength=1.6,
        columnspacing=1.4,
        labelcolor=INK,
    )


# ---------------------------------------------------------------- search history


def search_history(canvas: Canvas, view: TrialView, candidates: Sequence[Candidate]) -> None:
    """Objective by trial, with the rescored values where their trials stand."""
    import numpy as np

    axes = canvas.axes(0.75, 0.5, canvas.width - 0.95, canvas.height - 1.0)
    _style(axes)
    rescored = [x for c in candidates for x in (c.selection.objective, c.objective)]
    low, high = robust_limits([*view.loss[np.isfinite(view.loss)], *rescored], 0.65)
    axes.set_ylim(low, high)
    _trial_marks(axes, view, high)
    _running_best(axes, view)
    if candidates:
        _rescored_marks(axes, candidates)
    axes.set_xlim(-0.02 * len(view.loss) - 0.5, 1.02 * len(view.loss))
    _labels(axes, "trial (in the order asked)", view.objective)
    _legend(axes)


def _trial_marks(axes: Axes, view: TrialView, high: float) -> None:
    import numpy as np

    raster = len(view.loss) > _RASTER_ABOVE
    seen = np.isfinite(view.loss) & (view.loss <= high)
    above = np.isfinite(view.loss) & (view.loss > high)
    failed = ~np.isfinite(view.loss)
    axes.scatter(view.number[seen], view.loss[seen], s=13, color=TRIAL, linewidths=0,
                 label="trial, search value", rasterized=raster, zorder=2)  # fmt: skip
    top = axes.get_ylim()[1]
    for mask, marker, color, label in (
        (above, "^", TRIAL, "above the picture"),
        (failed, "x", FAILED, "failed"),
    ):
        if mask.any():
            axes.scatter(view.number[mask], np.full(mask.sum(), top), s=13, marker=marker,
                         color=color, linewidths=0.9 if marker == "x" else 0, label=label,
                         clip_on=False, rasterized=raster, zorder=3)  # fmt: skip


def _running_best(axes: Axes, view: TrialView) -> None:
    import numpy as np

    if view.n_finite:
        best = np.fmin.accumulate(view.loss)
        axes.plot(view.number, best, color=ACCENT, linewidth=1.1, drawstyle="steps-post",
                  label="lowest so far (optimistic under noise)", zorder=4)  # fmt: skip


def _rescored_marks(axes: Axes, candidates: Sequence[Candidate]) -> None:
    chosen = [c for c in candidates if math.isfinite(c.selection.objective)]
    axes.errorbar(
        [c.trial for c in chosen],
        [c.selection.objective for c in chosen],
        yerr=[_error(c.selection.objective_se) for c in chosen],
        fmt="o", markersize=4.5, markerfacecolor="white", markeredgecolor=PLAUSIBLE,
        ecolor=PLAUSIBLE, elinewidth=0.9, markeredgewidth=1.1,
        label="simulated again with fresh seeds, ± 2 SE", zorder=5,
    )  # fmt: skip
    best = candidates[0]
    if math.isfinite(best.objective):
        axes.errorbar(
            [best.trial], [best.objective], yerr=[_error(best.objective_se)], fmt="D",
            markersize=6, color=WINNER, ecolor=WINNER, elinewidth=1.4, capsize=3,
            label="winner, confirmed ± 2 SE", zorder=6,
        )  # fmt: skip


def _error(se: float) -> float:
    return 0.0 if math.isnan(se) else 2.0 * se


# ---------------------------------------------------------------- parameters

_PANEL_HEIGHT = 2.05


def parameter_rows(n: int) -> float:
    """Height in inches that ``n`` parameter panels need."""
    return 0.15 + _PANEL_HEIGHT * math.ceil(n / 3)


def parameter_panels(
    canvas: Canvas, view: TrialView, best: Candidate | None, columns: Sequence[Column]
) -> None:
    """Objective against each parameter; the band is the confirmed value ± 2 SE."""
    import numpy as np

    n_columns = min(3, len(columns))
    width = canvas.width / n_columns
    extra = [best.objective] if best else []
    limits = robust_limits([*view.loss[np.isfinite(view.loss)], *extra], 0.65)
    for i, column in enumerate(columns):
        row, place = divmod(i, n_columns)
        left = place * width + 0.62
        bottom = canvas.height - (row + 1) * _PANEL_HEIGHT + 0.45
        axes = canvas.axes(left, bottom, width - 0.78, _PANEL_HEIGHT - 0.6)
        _parameter_panel(axes, view, column, best, limits)
        label = fitted(column.label, width - 0.12, _SMALL)
        _labels(axes, label, view.objective if place == 0 else "", size=_SMALL)


def _parameter_panel(
    axes: Axes,
    view: TrialView,
    column: Column,
    best: Candidate | None,
    limits: tuple[float, float],
) -> None:
    import numpy as np

    _style(axes)
    raster = len(view.loss) > _RASTER_ABOVE
    seen = np.isfinite(view.loss) & (view.loss <= limits[1])
    axes.scatter(column.values[seen], view.loss[seen], s=9, linewidths=0, c=view.number[seen],
                 cmap="cividis_r", vmin=-0.25 * len(view.number), vmax=len(view.number),
                 rasterized=raster, zorder=2)  # fmt: skip
    axes.set_ylim(*limits)
    _scale_x(axes, column)
    if best and math.isfinite(best.objective):
        half = _error(best.objective_se)
        axes.axhspan(best.objective - half, best.objective + half, color=WINNER, alpha=0.18,
                     linewidth=0, zorder=1)  # fmt: skip
        axes.axhline(best.objective, color=WINNER, linewidth=0.8, zorder=3)
        axes.plot([best.params[column.name]], [best.objective], marker="D", markersize=5,
                  color=WINNER, zorder=4)  # fmt: skip


def _scale_x(axes: Axes, column: Column, *, sparse: bool = False) -> None:
    if column.is_log:
        axes.set_xscale("log")
    axes.set_xlim(*_padded(column))
    _ticks(axes.xaxis, column, sparse)


def _scale_y(axes: Axes, column: Column, *, sparse: bool = False) -> None:
    if column.is_log:
        axes.set_yscale("log")
    axes.set_ylim(*_padded(column))
    _ticks(axes.yaxis, column, sparse)


def _padded(column: Column) -> tuple[float, float]:
    """The range of a parameter with some air around it."""
    pad = 0.03
    if column.is_log:
        factor = (column.upper / column.lower) ** pad
        return column.lower / factor, column.upper * factor
    span = (column.upper - column.lower) or 1.0
    return column.lower - pad * span, column.upper + pad * span


def _ticks(axis: Any, column: Column, sparse: bool) -> None:
    """Plain numbers; ``sparse`` for panels that have room for three."""
    from matplotlib.ticker import MaxNLocator

    if column.is_log:
        _plain_log_ticks(axis, column, 0.5 if sparse else 1.0)
    elif sparse:
        axis.set_major_locator(MaxNLocator(3))


def _plain_log_ticks(axis: Any, column: Column, room: float) -> None:
    """Two or three marks per decade within short ranges, one within long ones, as plain numbers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    decades = math.log10(column.upper / column.lower) / room
    steps = (1.0, 2.0, 5.0) if decades <= 1.4 else (1.0, 3.0) if decades <= 3.0 else (1.0,)
    axis.set_major_locator(LogLocator(10.0, subs=steps, numticks=round(9 * room)))
    axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
    axis.set_minor_formatter(NullFormatter())


# ---------------------------------------------------------------- pairs


def pair_panels(
    canvas: Canvas, view: TrialView, best: Candidate | None, columns: Sequence[Column]
) -> None:
    """Every pair of ``columns``, coloured by objective; the best points lie on top."""
    import numpy as np

    n = len(columns) - 1
    left, bottom, right, top = 0.85, 0.6, 0.1, 0.1
    size_x = (canvas.width - left - right) / n
    size_y = (canvas.height - bottom - top) / n
    finite = np.flatnonzero(np.isfinite(view.loss))
    order = finite[np.argsort(-view.loss[finite], kind="stable")][-_MOST_PAIR_POINTS:]
    low, high = robust_limits(list(view.loss[finite]), 0.6)
    picture = None
    for row in range(n):
        for place in range(row + 1):
            axes = canvas.axes(
                left + place * size_x, bottom + (n - 1 - row) * size_y, size_x - 0.12, size_y - 0.12
            )
            x, y = columns[place], columns[row + 1]
            picture = _pair(axes, view, order, (x, y), best, (low, high))
            below = _pair_label(x, size_x) if row == n - 1 else ""
            beside = _pair_label(y, size_y) if place == 0 else ""
            _labels(axes, below, beside, size=_SMALL)
            axes.tick_params(labelbottom=row == n - 1, labelleft=place == 0)
    if picture is not None:
        _colour_bar(canvas, picture, view.objective, n, (size_x, size_y))


def _pair_label(column: Column, room: float) -> str:
    """With the unit where there is room; it stands at the panels of single parameters anyhow."""
    lines = 3
    whole = fitted(column.label, room - 0.08, _SMALL, lines=lines)
    return whole if "…" not in whole else fitted(column.name, room - 0.08, _SMALL, lines=lines)


def _pair(
    axes: Axes,
    view: TrialView,
    order: Any,
    pair: tuple[Column, Column],
    best: Candidate | None,
    limits: tuple[float, float],
) -> Any:
    _style(axes)
    x, y = pair
    picture = axes.scatter(x.values[order], y.values[order], c=view.loss[order], s=11,
                           cmap="viridis", vmin=limits[0], vmax=limits[1], linewidths=0,
                           rasterized=len(order) > _RASTER_ABOVE // 2, zorder=2)  # fmt: skip
    _scale_x(axes, x, sparse=True)
    _scale_y(axes, y, sparse=True)
    if best:
        axes.plot([best.params[x.name]], [best.params[y.name]], marker="D", markersize=6,
                  color=WINNER, markeredgecolor="white", markeredgewidth=0.8, zorder=4)  # fmt: skip
    return picture


def _colour_bar(
    canvas: Canvas, picture: Any, label: str, n: int, size: tuple[float, float]
) -> None:
    """In the empty upper triangle; beside the panel when there is only one."""
    if n > 1:
        axes = canvas.axes(canvas.width - 0.15 - min(2.4, size[0]), canvas.height - 0.42,
                           min(2.4, size[0]), 0.11)  # fmt: skip
    else:
        axes = canvas.axes(canvas.width - 2.6, canvas.height - 0.32, 2.4, 0.09)
    bar = canvas.figure.colorbar(picture, cax=axes, orientation="horizontal", extend="max")
    bar.outline.set_visible(False)
    axes.tick_params(labelsize=_SMALL, colors=INK, length=2)
    axes.set_title(label, fontsize=_SMALL, color=INK, pad=3)


# ---------------------------------------------------------------- data

Layer = tuple[str, str, "pl.DataFrame"]


def series(canvas: Canvas, key: str, layers: Sequence[Layer], label: str) -> None:
    """Observations along a key, over the predictive ranges of the ensembles."""
    axes = canvas.axes(0.75, 0.5, canvas.width - 0.95, canvas.height - 1.0)
    _style(axes)
    top = _top_of(layers)
    for name, colour, rows in layers:
        ordered = rows.sort(key)
        x = ordered[key].to_numpy()
        axes.fill_between(x, ordered["q025"].to_numpy(), ordered["q975"].to_numpy(), color=colour,
                          alpha=0.28, linewidth=0, label=f"{name}, 95 %", zorder=2)  # fmt: skip
        axes.plot(x, ordered["q500"].to_numpy(), color=colour, linewidth=1.3, zorder=3)
    data = layers[-1][2].sort(key)
    axes.plot(data[key].to_numpy(), data["observed"].to_numpy(), "o", markersize=4, color=DATA,
              label="observed", zorder=5)  # fmt: skip
    if top is not None:
        axes.set_ylim(*top)
    _labels(axes, key, fitted(label, canvas.height - 0.6, _NORMAL))
    _legend(axes, columns=4)


def _top_of(layers: Sequence[Layer]) -> tuple[float, float] | None:
    """Limits that show the data and the narrow ranges; a wide prior may leave the picture."""
    narrow = [rows for _, _, rows in layers[1:]] or [layers[0][2]]
    values = [
        float(x)
        for rows in narrow
        for c in ("observed", "q025", "q975")
        for x in rows[c].to_list()
        if x is not None and math.isfinite(x)
    ]
    if not values:
        return None
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    return low - 0.06 * span, high + 0.35 * span


def intervals(canvas: Canvas, names: Sequence[str], layers: Sequence[Layer]) -> None:
    """Scalars: one row each on its own scale, observed value against the ensembles' ranges."""
    height = canvas.height - 0.45
    row = height / len(names)
    for i, name in enumerate(names):
        bottom = canvas.height - 0.4 - (i + 1) * row
        axes = canvas.axes(1.55, bottom + 0.24, canvas.width - 1.75, row - 0.3)
        _interval(axes, i, layers)
        lines = fitted(name, 1.45, _NORMAL, lines=3)
        axes.set_ylabel(lines, rotation=0, ha="right", va="center", fontsize=_NORMAL, color=INK)
        if i == 0:
            _legend(axes, columns=4)


def _interval(axes: Axes, i: int, layers: Sequence[Layer]) -> None:
    _style(axes, grid="x")
    axes.spines["left"].set_visible(False)
    n = len(layers)
    for j, (label, colour, rows) in enumerate(layers):
        line = rows.row(i, named=True)
        if line["q500"] is None:  # no member of this ensemble has a value here
            continue
        y = n - 1 - j
        axes.plot([line["q025"], line["q975"]], [y, y], color=colour, linewidth=4.5, alpha=0.45,
                  solid_capstyle="butt", label=f"{label}, 95 %", zorder=2)  # fmt: skip
        axes.plot([line["q500"]], [y], "|", color=colour, markersize=9, markeredgewidth=2)
    observed = layers[-1][2].row(i, named=True)["observed"]
    axes.axvline(observed, color=DATA, linewidth=1.3, label="observed", zorder=3)
    axes.set_yticks([])
    axes.set_ylim(-0.7, n - 0.3)
    axes.margins(x=0.06)


# ---------------------------------------------------------------- contributions


def contributions(
    canvas: Canvas, names: Sequence[str], values: Sequence[float], objective: str
) -> None:
    """Each target's weighted part of the winner's objective."""
    axes = canvas.axes(1.9, 0.5, canvas.width - 2.6, canvas.height - 0.6)
    _style(axes, grid="x")
    places = list(range(len(names)))[::-1]
    axes.barh(places, values, color=ACCENT, height=0.6, zorder=2)
    for place, value in zip(places, values, strict=True):
        axes.annotate(f"{value:.4g}", (value, place), xytext=(4 if value >= 0 else -4, 0),
                      textcoords="offset points", va="center",
                      ha="left" if value >= 0 else "right", fontsize=_SMALL, color=INK)  # fmt: skip
    axes.set_yticks(places, [fitted(name, 1.8, _SMALL) for name in names], fontsize=_SMALL)
    axes.margins(x=0.15)
    axes.axvline(0, color=QUIET, linewidth=0.8)
    _labels(axes, f"part of the {objective} (weight × value)", "")
