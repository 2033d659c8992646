"""The history of the search, and the parameters against the objective."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from modelops_calabaria.diagnostics import charts
from modelops_calabaria.diagnostics.blocks import Block, Chart, Section, Text
from modelops_calabaria.diagnostics.sections.wording import best_of, with_se
from modelops_calabaria.diagnostics.views import Column, TrialView, identifiability
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

__all__ = ["parameter_sections", "search_section"]

_MOST_PAIRED = 6
_MOST_PANELS = 12


def search_section(record: CalibrationRecord, view: TrialView) -> Section:
    candidates = record.candidates
    best = best_of(record)
    result = (
        f" The winner is trial {best.trial}, confirmed at "
        f"{with_se(best.objective, best.objective_se)}."
        if best
        else ""
    )
    chart = Chart(
        draw=partial(charts.search_history, view=view, candidates=candidates),
        height=3.5,
        alt=f"Objective of {len(view.loss)} trials in the order asked; {len(candidates)} were "
        f"simulated again with fresh seeds.{result}",
        caption=_search_caption(record),
    )
    return Section("Search history", (chart,))


def _search_caption(record: CalibrationRecord) -> str:
    if record.settings["deterministic"]:
        return "The model is deterministic: simulating it again confirms the value, exactly."
    return (
        "Search values are noisy, and the lowest of them are too good. Only the confirmed value "
        "is the result."
    )


def parameter_sections(
    view: TrialView, best: Candidate | None, threshold: float
) -> Iterable[Section]:
    if not view.n_finite:
        return
    if view.columns:
        blocks = tuple(_panels(view, best, view.columns))
        yield Section("Each parameter against the objective", blocks)
    paired = _most_identifiable(view, threshold)
    yield Section("Pairs of parameters", tuple(_pairs(view, best, paired, threshold)))


def _most_identifiable(view: TrialView, threshold: float) -> list[Column]:
    """At most six columns of at least this identifiability, in the order of the model."""
    scores = identifiability(view)
    eligible = [i for i, score in enumerate(scores) if score >= threshold]
    chosen = sorted(eligible, key=lambda i: -scores[i])[:_MOST_PAIRED]
    return [view.columns[i] for i in sorted(chosen)]


def _panels(view: TrialView, best: Candidate | None, columns: Sequence[Column]) -> Iterable[Block]:
    for start in range(0, len(columns), _MOST_PANELS):
        chosen = columns[start : start + _MOST_PANELS]
        names = ", ".join(column.name for column in chosen)
        band = "; the band is the confirmed value ± 2 SE" if best else ""
        yield Chart(
            draw=partial(charts.parameter_panels, view=view, best=best, columns=chosen),
            height=charts.parameter_rows(len(chosen)),
            alt=f"{view.objective} against {names}, a dot per trial.",
            caption=f"A dot per trial, later ones darker{band}. The lower edge of such a cloud is "
            "optimistic under noise; it is no profile likelihood.",
        )


def _pairs(
    view: TrialView, best: Candidate | None, columns: Sequence[Column], threshold: float
) -> Iterable[Block]:
    if len(columns) < 2:
        limit = f" of identifiability {threshold:g} or more" if threshold else ""
        yield Text(f"Fewer than two varied parameters{limit}: there are no pairs.", quiet=True)
        return
    names = ", ".join(column.name for column in columns)
    n = len(columns) - 1
    yield Chart(
        draw=partial(charts.pair_panels, view=view, best=best, columns=columns),
        height=min(7.4, 0.6 + 1.9 * n) if n > 1 else 3.6,
        alt=f"Scatter of every pair of {names}, coloured by {view.objective}.",
        caption="The most identifiable parameters (good trials agree on them), darkest where the "
        f"objective is lowest{'; the diamond is the winner' if best else ''}.",
    )
