"""Trials without a finite objective."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from modelops_calabaria.diagnostics.blocks import Section, Table, Text
from modelops_calabaria.diagnostics.sections.wording import sentence

if TYPE_CHECKING:
    import polars as pl

__all__ = ["failure_sections"]

_MOST_FAILURES = 12


def failure_sections(trials: pl.DataFrame) -> Iterable[Section]:
    failed = [row for row in trials.iter_rows(named=True) if not _is_number(row["loss"])]
    if not failed:
        yield Section("Failures", (Text("No trial failed.", quiet=True),))
        return
    counts = Counter(_reason(row) for row in failed)
    summary = ", ".join(f"{reason} {n}" for reason, n in counts.most_common())
    shown = failed[:_MOST_FAILURES]
    rows = tuple(
        (
            str(row.get("trial", "")),
            _reason(row),
            sentence(str(row.get("message") or "")),
            "" if row.get("seed0") is None else str(row["seed0"]),
        )
        for row in shown
    )
    more = f" The first {len(shown)} are listed." if len(failed) > len(shown) else ""
    yield Section(
        "Failures",
        (
            Text(f"{len(failed)} of {trials.height} trials have no finite objective: "
                 f"{summary}.{more}"),
            Table(
                columns=("trial", "reason", "first message", "seed"),
                rows=rows,
                widths=(0.6, 1.5, 4.5, 1.2),
                numeric=frozenset({0, 3}),
            ),
        ),
    )  # fmt: skip


def _reason(row: Mapping[str, Any]) -> str:
    given = row.get("reason")
    if given:
        return str(given)
    loss = row["loss"]
    return "no value" if loss is None else f"loss {loss}"


def _is_number(value: Any) -> bool:
    try:
        return value is not None and math.isfinite(float(value))
    except (TypeError, ValueError):
        return False
