"""The sections of any table of trials, none of which was confirmed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from modelops_calabaria.diagnostics import charts
from modelops_calabaria.diagnostics.blocks import (
    Banner,
    Block,
    Chart,
    Section,
    Table,
    Text,
    Tile,
    Tiles,
)
from modelops_calabaria.diagnostics.sections.wording import show
from modelops_calabaria.diagnostics.views import TrialView
from modelops_calabaria.outcome.findings import FAIL, PASS, WARN

__all__ = ["table_overview", "table_search"]


def table_overview(view: TrialView, n_failed: int) -> Iterable[Block]:
    share = n_failed / len(view.loss)
    if not view.n_finite:
        yield Banner(FAIL, "No row has a finite loss; this is a report of the failures.")
    elif n_failed:
        yield Banner(FAIL if share > 0.2 else WARN, f"{n_failed} rows have no finite loss.")
    else:
        yield Banner(PASS, "Every row has a finite loss.")
    yield Tiles(
        (
            Tile("rows", f"{len(view.loss):,}"),
            Tile("failed", f"{n_failed:,}", f"{100 * share:.0f} %"),
            *_best_tile(view),
        )
    )
    yield from _best_table(view)
    if view.constant:
        constant = ", ".join(f"{k} = {show(v)}" for k, v in view.constant.items())
        yield Text(f"Constant in this table: {constant}.", quiet=True)
    if view.unread:
        yield Text(f"Not shown, for want of numbers: {', '.join(view.unread)}.", quiet=True)


def _best_tile(view: TrialView) -> Iterable[Tile]:
    if view.best is not None:
        yield Tile("lowest loss", show(view.loss[view.best]), f"row {view.best}, not confirmed")


def _best_table(view: TrialView) -> Iterable[Block]:
    if view.best is None or not view.columns:
        return
    yield Table(
        columns=("parameter", "in the row with the lowest loss", "range in this table"),
        rows=tuple(
            (c.name, show(c.values[view.best]), f"{show(c.lower)} – {show(c.upper)}")
            for c in view.columns
        ),
        widths=(1.5, 2, 2),
        numeric=frozenset({1}),
    )
    yield Text(
        "The lowest of many noisy values is optimistic. Nothing in this table was simulated again "
        "with fresh seeds, so its lowest loss is no result.",
        quiet=True,
    )


def table_search(view: TrialView) -> Iterable[Section]:
    chart = Chart(
        draw=partial(charts.search_history, view=view, candidates=()),
        height=3.3,
        alt=f"Loss of {len(view.loss)} rows in the order of the table.",
    )
    yield Section("Losses in the order of the table", (chart,))
