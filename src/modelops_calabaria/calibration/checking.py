"""One parameter set, run as a real run would run it: where it is, and what its scores say. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_contracts.types import Evaluation

__all__ = ["ANSWERS", "CHECK_REPLICATES", "Span", "check_point", "judge_check"]

#: Replicates of a check: one cannot show whether replicates differ.
CHECK_REPLICATES = 2

#: Objectives of a model and targets that work: infinite at this point, not broken.
ANSWERS = frozenset({"ZERO_LIKELIHOOD", "INFEASIBLE"})


@dataclass(frozen=True, slots=True)
class Span:
    """Where a parameter may lie. ``default`` None: the model declares none."""

    name: str
    lower: float
    upper: float
    kind: str = "float"
    default: float | None = None

    def centre(self) -> float:
        """The default where it lies inside, else the middle; of whole numbers the lower one."""
        if self.default is not None and self.lower <= self.default <= self.upper:
            return self.default
        if self.kind == "int":
            return (int(self.lower) + int(self.upper)) // 2
        return self.lower + (self.upper - self.lower) / 2


def check_point(spans: Iterable[Span], fixed: Mapping[str, Any]) -> dict[str, Any]:
    """Values of all parameters: fixed, else as :meth:`Span.centre` says."""
    return {**{span.name: span.centre() for span in spans}, **fixed}


def judge_check(
    first: Evaluation, again: Evaluation | None, *, deterministic: bool
) -> list[Finding]:
    """What two evaluations of one parameter set with the same seeds say.

    ``again`` None: the second one was not made. ``deterministic`` is what the model declares.
    """
    unsteady = _of_repetition(first, again) or _of_replicates(first, deterministic)
    return [*_of_score(first), *unsteady]


def _of_score(evaluation: Evaluation) -> list[Finding]:
    if evaluation.reason is None:
        return []
    failure = evaluation.failures[0] if evaluation.failures else None
    text = "no finite objective at this point; others may have one"
    if failure is not None:
        text = f"{failure.error.error_type}: {failure.error.message}"
    answered = evaluation.reason in ANSWERS
    return [
        Finding(
            evaluation.reason,
            WARN if answered else FAIL,
            text,
            "simulation",
            action="" if failure is None else f"reproduce it with seed {failure.seed}",
        )
    ]


def _of_repetition(first: Evaluation, again: Evaluation | None) -> list[Finding]:
    if again is None or first.objective == again.objective:
        return []
    return [
        _not_reproducible(
            f"the same seeds gave {first.objective:.9g} and then {again.objective:.9g}",
            "use only the seed that run_sim is given as a source of randomness",
        )
    ]


def _of_replicates(first: Evaluation, deterministic: bool) -> list[Finding]:
    apart = {len(set(score.per_replicate)) for score in first.scores}
    if not deterministic or max(apart, default=1) <= 1:
        return []
    return [
        _not_reproducible(
            "the model declares itself deterministic, but two seeds gave different results",
            "remove DETERMINISTIC from the model, or its randomness",
        )
    ]


def _not_reproducible(message: str, action: str) -> Finding:
    return Finding("NOT_REPRODUCIBLE", FAIL, message, "model", action=action)
