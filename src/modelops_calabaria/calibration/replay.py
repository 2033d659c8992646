"""An engine that proposes what an earlier search proposed: its trials get new scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from modelops_contracts.types import TrialResult, UniqueParameterSet

__all__ = ["ReplayEngine", "recorded_trials"]


class ReplayEngine:
    """The Proposer of a search that is over. What it is told changes nothing."""

    def __init__(self, points: Sequence[Mapping[str, Any]]) -> None:
        self._points = list(points)
        self._next = 0

    def ask(self, n: int) -> list[UniqueParameterSet]:
        part = self._points[self._next : self._next + n]
        self._next += len(part)
        return [UniqueParameterSet.from_dict(point) for point in part]

    def tell(self, results: Iterable[TrialResult]) -> None:
        """Nothing follows from an answer here."""

    def finished(self) -> bool:
        return self._next >= len(self._points)

    def why_finished(self) -> str:
        return "every trial was scored again"


def recorded_trials(records: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Parameters of the trials that a journal has asked for and got an answer to, in ask order."""
    asked: dict[int, tuple[str, dict[str, Any]]] = {}
    answered: set[str] = set()
    for record in records:
        if record.get("event") == "ask":
            asked[record["trial"]] = (record["param_id"], dict(record["params"]))
        elif record.get("event") == "outcome" and record["purpose"] == "search":
            evaluation = record["evaluation"]
            if evaluation["reason"] != "CANCELLED":
                answered.add(evaluation["param_id"])
    in_order = [asked[number] for number in sorted(asked)]
    return [params for param_id, params in in_order if param_id in answered]
