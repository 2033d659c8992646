"""Why simulations failed and rows have no score, in one line each.

Thousands of failures mostly have one cause. The message of a job names the commonest, so that
nobody has to open a table to learn what happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from modelops_contracts.evaluation import Evaluation

__all__ = ["PASSING_REASONS", "SCORING_FAULTS", "Cause", "causes_of_scores", "name_causes"]

#: Reasons that another attempt may not meet again: such a score is never reused.
PASSING_REASONS = frozenset({"SIM_FAILED", "TIMEOUT", "CANCELLED", "EVALUATION_FAILED"})

#: A row that ran and could not be scored. A likelihood of zero is a score.
SCORING_FAULTS = frozenset({"COVERAGE", "BAD_OUTPUT", "EVALUATION_FAILED"})

_WIDTH = 300  # characters of an author's message that one line has room for


@dataclass(frozen=True, slots=True)
class Cause:
    """One failure: ``kind`` is the type of an error, or the reason code of a row."""

    kind: str
    message: str
    traceback: str = ""


def name_causes(causes: Iterable[Cause]) -> str:
    """`ValueError: what it said`; with several kinds, how many there are of each, most first.

    The message is that of the first failure of its kind. Empty without causes.
    """
    kinds: dict[str, list[Cause]] = {}
    for cause in causes:
        kinds.setdefault(cause.kind, []).append(cause)
    ranked = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    if len(ranked) == 1:
        return _say(*ranked[0])
    return ", ".join(f"{len(found)} {_say(kind, found)}" for kind, found in ranked)


def causes_of_scores(evaluations: Iterable[Evaluation]) -> list[Cause]:
    """Of every row without a finite objective: its reason code and the first error behind it."""
    return [
        Cause(one.reason, one.failures[0].error.message if one.failures else "")
        for one in evaluations
        if one.reason
    ]


def _say(kind: str, found: list[Cause]) -> str:
    message = " ".join(found[0].message.split())
    if len(message) > _WIDTH:
        message = f"{message[:_WIDTH].rstrip()} ..."
    name = kind.rpartition(".")[2]
    return f"{name}: {message}" if message else name
