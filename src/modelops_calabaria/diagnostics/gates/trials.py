"""Trials that failed, and trials under which the data were impossible."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate
from modelops_contracts.types import Evaluation

__all__ = ["failed_trials", "zero_likelihood"]


_FAULTS = frozenset({"SIM_FAILED", "TIMEOUT", "COVERAGE", "BAD_OUTPUT", "EVALUATION_FAILED"})
_NO_LIKELIHOOD = frozenset({"ZERO_LIKELIHOOD", "INFEASIBLE"})


def failed_trials(record: CalibrationRecord) -> Iterator[Finding]:
    if record.candidates and record.best.evaluation.reason in _FAULTS:
        yield _failed_winner(record.best.evaluation)
    rows = _rows_with(record, _FAULTS)
    if not rows:
        return
    share = len(rows) / record.trials.height
    first = rows[0]
    yield Finding(
        "FAILED_TRIALS",
        FAIL if share > 0.2 else WARN,
        f"{len(rows)} of {record.trials.height} trials failed; the first, trial {first['trial']}: "
        f"{first['reason']} {first['message'] or ''}".rstrip(),
        subject="trials",
        value=share,
        threshold=0.2 if share > 0.2 else 0.0,
        action=f"reproduce it with seed {first['seed0']} and the parameters of trial "
        f"{first['trial']}",
    )


def _failed_winner(again: Evaluation) -> Finding:
    """The winner was found in the search and could not be scored with fresh seeds."""
    first = again.failures[0] if again.failures else None
    said = "" if first is None else f": {first.error.error_type}: {first.error.message}"
    return Finding(
        "FAILED_TRIALS",
        FAIL,
        f"the winner failed when it was simulated again, {again.reason}{said}",
        subject="winner",
        action="there is no confirmed value; reproduce it with the winner's parameters"
        + ("" if first is None else f" and seed {first.seed}"),
    )


def zero_likelihood(record: CalibrationRecord) -> Iterator[Finding]:
    n = len(_rows_with(record, _NO_LIKELIHOOD))
    share = n / record.trials.height if record.trials.height else 0.0
    winner = bool(record.candidates) and _is_impossible(record.best)
    if share <= 0.2 and not winner:
        return
    where = "the winner itself" if winner else f"{n} of {record.trials.height} trials"
    yield Finding(
        "ZERO_LIKELIHOOD",
        FAIL if winner or share > 0.5 else WARN,
        f"the data were impossible under {where}: no replicate could have produced them",
        subject="winner" if winner else "trials",
        value=share,
        threshold=0.5 if share > 0.5 else 0.2,
        action="use more replicates, an over-dispersed family or a floor, or tighter bounds",
    )


def _is_impossible(winner: Candidate) -> bool:
    """Scored, and without any likelihood; a winner that failed is another matter."""
    return not math.isfinite(winner.objective) and winner.evaluation.reason not in _FAULTS


def _rows_with(record: CalibrationRecord, reasons: Iterable[str]) -> list[dict[str, Any]]:
    wanted = set(reasons)
    columns = record.trials.select("trial", "reason", "message", "seed0")
    return [row for row in columns.iter_rows(named=True) if row["reason"] in wanted]
