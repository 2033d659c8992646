"""Observed data against the predictive ranges of the ensembles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from modelops_calabaria.diagnostics import charts
from modelops_calabaria.diagnostics.blocks import Block, Chart, Section, Table, Text
from modelops_calabaria.diagnostics.sections.wording import best_of, count, show
from modelops_calabaria.outcome.record import CalibrationRecord

if TYPE_CHECKING:
    import polars as pl

__all__ = ["data_sections"]


def data_sections(record: CalibrationRecord) -> Iterable[Section]:
    frames = [
        ("prior", charts.PRIOR, record.prior_fit),
        ("plausible set", charts.PLAUSIBLE, record.plausible_fit),
        ("winner", charts.WINNER, record.fit),
    ]
    present = [(name, colour, frame) for name, colour, frame in frames if frame is not None]
    notes = [Text(note, quiet=True) for note in record.notes]
    if not present:
        if notes:
            yield Section("Data against the ensembles", tuple(notes))
        return
    blocks: list[Block] = []
    for target in present[-1][2]["target"].unique(maintain_order=True).to_list():
        blocks.extend(_target_blocks(record, target, present))
    yield Section("Data against the ensembles", (*blocks, *notes))


def _target_blocks(
    record: CalibrationRecord, target: str, present: Sequence[tuple[str, str, pl.DataFrame]]
) -> Iterable[Block]:
    layers = [
        (name, colour, _of_target(frame, target))
        for name, colour, frame in present
        if target in frame["target"]
    ]
    rows = layers[-1][2]
    keys = _keys(rows)
    n_inside = int(rows["inside"].sum())
    caption = (
        f"{target}: {n_inside} of {rows.height} observations inside the 95 % predictive range of "
        f"the {layers[-1][0]}. Ranges include observation noise where the target has a noise "
        f"family. {_ensemble_text(record)}"
    )
    if len(keys) == 1 and _is_ordered(rows, keys[0]) and rows.height > 1:
        yield Chart(
            draw=partial(charts.series, key=keys[0], layers=layers, label=target),
            height=3.3,
            alt=f"Observed {target} along {keys[0]} over the predictive ranges of "
            f"{', '.join(name for name, _, _ in layers)}.",
            caption=caption,
        )
        return
    yield from _interval_blocks(target, layers, keys, caption)


def _interval_blocks(
    target: str, layers: Sequence[charts.Layer], keys: Sequence[str], caption: str
) -> Iterable[Block]:
    rows = layers[-1][2]
    most = 12
    if rows.height <= most:
        names = [_row_name(row, keys, target) for row in rows.iter_rows(named=True)]
        yield Chart(
            draw=partial(charts.intervals, names=names, layers=layers),
            height=0.5 + 0.72 * rows.height,
            alt=f"Observed values of {target} against predictive ranges: {', '.join(names)}.",
            caption=caption,
        )
        return
    outside = rows.filter(~rows["inside"])
    shown = outside.head(most) if outside.height else rows.head(most)
    yield Text(caption)
    yield Table(
        columns=("row", "observed", "2.5 %", "median", "97.5 %"),
        rows=tuple(
            (
                _row_name(row, keys, target),
                *(show(row[c]) for c in ("observed", "q025", "q500", "q975")),
            )
            for row in shown.iter_rows(named=True)
        ),
        widths=(3, 1, 1, 1, 1),
        numeric=frozenset({1, 2, 3, 4}),
        caption="Rows outside the range." if outside.height else "The first rows.",
    )


def _ensemble_text(record: CalibrationRecord) -> str:
    sizes = [f"plausible set: {count(len(record.plausible), 'parameter set')}"]
    best = best_of(record)
    if best:
        sizes.append(f"winner: {count(len(best.seeds), 'replicate')}")
    return f"({'; '.join(sizes)}.)"


def _of_target(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    rows = frame.filter(frame["target"] == target)
    return rows.select([c for c in rows.columns if rows[c].null_count() < rows.height])


def _keys(rows: pl.DataFrame) -> list[str]:
    values = {"target", "observed", "q025", "q500", "q975", "inside", "n_members"}
    return [c for c in rows.columns if c not in values]


def _is_ordered(rows: pl.DataFrame, key: str) -> bool:
    return rows.schema[key].is_numeric() or rows.schema[key].is_temporal()


def _row_name(row: Mapping[str, Any], keys: Sequence[str], target: str) -> str:
    return " · ".join(str(row[key]) for key in keys if row.get(key) is not None) or target
