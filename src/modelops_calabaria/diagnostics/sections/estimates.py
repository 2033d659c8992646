"""The winner's parameters, and what else is plausible."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modelops_calabaria.diagnostics.blocks import Section, Table, Text
from modelops_calabaria.diagnostics.sections.wording import best_of, show
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

__all__ = ["estimate_sections"]


def estimate_sections(record: CalibrationRecord) -> Iterable[Section]:
    best = best_of(record)
    if best is None:
        return
    rows = [_estimate_row(record, best, spec) for spec in record.settings["parameters"]]
    fixed = [(name, show(value), "fixed", "") for name, value in record.settings["fixed"].items()]
    yield Section(
        "Estimates",
        (
            Table(
                columns=("parameter", "winner", "plausible set", "searched"),
                rows=(*rows, *fixed),
                widths=(2.0, 1.2, 2.0, 2.4),
                numeric=frozenset({1, 2, 3}),
            ),
            Text(_plausible_text(record), quiet=True),
        ),
    )


def _estimate_row(
    record: CalibrationRecord, best: Candidate, spec: Mapping[str, Any]
) -> tuple[str, ...]:
    name = spec["name"]
    values = [float(p[name]) for p in record.plausible]
    span = f"{show(min(values))} – {show(max(values))}" if len(values) > 1 else "one point"
    scale = spec.get("transform")
    note = f", {scale} scale" if isinstance(scale, str) and scale != "identity" else ""
    searched = f"{show(spec['lower'])} – {show(spec['upper'])}{note}"
    unit = f" [{spec['unit']}]" if spec.get("unit") else ""
    return f"{name}{unit}", show(best.params[name]), span, searched


def _plausible_text(record: CalibrationRecord) -> str:
    n = len(record.plausible)
    many = f"{n} parameter set{'s' if n != 1 else ''}"
    if record.settings["objective_kind"] != "loglik":
        return (
            f"Plausible set: {many} that cannot be told from the winner (paired difference below "
            "2 SE). It is a range of points that were looked at, not a posterior."
        )
    source = "trials" if record.settings["deterministic"] else "rescored candidates"
    return (
        f"Plausible set: {many} among the {source} whose log-likelihood lies within 1.92 (plus "
        "2 SE) of the winner's. It is the range of points that were looked at and that "
        "a likelihood-ratio test would not reject; it is not a posterior."
    )
