"""What each target contributes, and the candidates that were simulated again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import partial

from modelops_calabaria.diagnostics import charts
from modelops_calabaria.diagnostics.blocks import Block, Chart, Section, Table
from modelops_calabaria.diagnostics.sections.wording import best_of, show, with_se
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

__all__ = ["candidate_sections", "contribution_sections"]

_MOST_PARAMETERS = 5


def contribution_sections(record: CalibrationRecord) -> Iterable[Section]:
    best = best_of(record)
    if best is None or not best.scores:
        return
    scores = best.scores
    parts = [_part(score.kind, score.weight, score.value) for score in scores]
    kinds = {target["name"]: target for target in record.settings["targets"]}
    table = Table(
        columns=("target", "kind", "rows", "weight", "value", "part", "remarks"),
        rows=tuple(
            (
                score.target,
                str(kinds.get(score.target, {}).get("family") or score.kind),
                f"{score.n_observed}",
                f"{score.weight:g}",
                show(score.value),
                show(part),
                ", ".join(score.flags),
            )
            for score, part in zip(scores, parts, strict=True)
        ),
        widths=(2.0, 1.6, 0.7, 0.8, 1.2, 1.2, 1.5),
        numeric=frozenset({2, 3, 4, 5}),
        caption="Values of the confirmation. Likelihoods are joined within each replicate, so "
        "their parts need not add up to the objective.",
    )
    blocks: list[Block] = [table]
    if len(scores) > 1 and all(map(math.isfinite, parts)):
        names = [score.target for score in scores]
        objective = "negative log-likelihood" if best.evaluation.kind == "loglik" else "loss"
        blocks.append(
            Chart(
                draw=partial(charts.contributions, names=names, values=parts, objective=objective),
                height=0.8 + 0.34 * len(names),
                alt="Part of each target in the winner's objective: "
                + ", ".join(f"{n} {show(v)}" for n, v in zip(names, parts, strict=True)),
            )
        )
    yield Section("What each target contributes", tuple(blocks))


def _part(kind: str, weight: float, value: float) -> float:
    if weight == 0:
        return 0.0
    return weight * (-value if kind == "loglik" else value)


def candidate_sections(record: CalibrationRecord) -> Iterable[Section]:
    if not record.candidates:
        return
    every = [spec["name"] for spec in record.settings["parameters"]]
    free = every[:_MOST_PARAMETERS]
    others = f" All {len(every)} parameters: candidates.parquet." if free != every else ""
    rows = tuple(_candidate_row(c, free) for c in record.candidates)
    yield Section(
        "Candidates that were simulated again",
        (
            Table(
                columns=("trial", *free, "search", "selection", "vs. winner", "alike"),
                rows=rows,
                widths=(0.7, *(1.0 for _ in free), 1.1, 1.6, 1.6, 0.7),
                numeric=frozenset(range(len(free) + 4)),
                caption="All with the same fresh seeds; ± 1 SE. Alike: the paired difference to "
                f"the winner is below 2 SE.{others}",
            ),
        ),
    )


def _candidate_row(candidate: Candidate, free: Sequence[str]) -> tuple[str, ...]:
    return (
        str(candidate.trial),
        *(show(candidate.params[name]) for name in free),
        show(candidate.search.objective),
        with_se(candidate.selection.objective, candidate.selection.objective_se),
        with_se(candidate.difference, candidate.difference_se),
        "yes" if candidate.indistinguishable else "",
    )
