"""Where the winner lies among the parameters, and how much else is as good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelops_calabaria.outcome.findings import WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.search_space import SearchSpace

__all__ = ["at_bound", "flat", "multimodal", "search_space"]


def search_space(record: CalibrationRecord) -> SearchSpace:
    """The free parameters of a record with their bounds and transforms."""
    return SearchSpace.of([ParameterSpec.from_dict(p) for p in record.settings["parameters"]])


def at_bound(record: CalibrationRecord) -> Iterator[Finding]:
    if not record.candidates:
        return
    for axis in search_space(record).axes:
        value = record.best.params[axis.name]
        u = axis.to_unit(value)
        low = u < 0.01 or value == axis.spec.lower
        if low or u > 0.99 or value == axis.spec.upper:
            bound = axis.spec.lower if low else axis.spec.upper
            yield Finding(
                "AT_BOUND",
                WARN,
                f"{axis.name} = {value:.6g} sits at its {'lower' if low else 'upper'} bound "
                f"{bound:.6g}",
                subject=axis.name,
                value=u,
                threshold=0.01 if low else 0.99,
                action="widen the bound, or say why it is one",
            )


def flat(record: CalibrationRecord) -> Iterator[Finding]:
    points = _equally_good(record)
    if len(points) < 2:
        return
    for i, axis in enumerate(search_space(record).axes):
        span = max(p[i] for p in points) - min(p[i] for p in points)
        if span > 0.5:
            yield Finding(
                "FLAT",
                WARN,
                f"{axis.name} is hardly determined: equally good candidates span "
                f"{100 * span:.0f} % of its range",
                subject=axis.name,
                value=span,
                threshold=0.5,
                action="fix it, or add data that inform it",
            )


def multimodal(record: CalibrationRecord) -> Iterator[Finding]:
    clusters = [c for c in _clusters(_equally_good(record), 0.25) if len(c) > 1]
    if len(clusters) > 1:
        yield Finding(
            "MULTIMODAL",
            WARN,
            f"equally good candidates form {len(clusters)} groups more than a quarter of the "
            "range apart",
            subject="search",
            value=len(clusters),
            threshold=1,
            action="report all groups; add data that tell them apart",
        )


def _equally_good(record: CalibrationRecord) -> list[list[float]]:
    """Unit positions of what cannot be told from the winner, the winner included."""
    if not record.candidates:
        return []
    space = search_space(record)
    if record.settings["deterministic"]:
        return [space.to_unit(values) for values in record.plausible]
    return [space.to_unit(c.params) for c in (record.best, *record.indistinguishable)]


def _clusters(points: Sequence[Sequence[float]], gap: float) -> list[list[int]]:
    """Single linkage: points closer than ``gap`` in every coordinate are of one cluster."""
    unseen = set(range(len(points)))
    clusters: list[list[int]] = []
    while unseen:
        members = [unseen.pop()]
        for i in members:
            near = [j for j in unseen if _distance(points[i], points[j]) <= gap]
            unseen.difference_update(near)
            members.extend(near)
        clusters.append(members)
    return clusters


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))
