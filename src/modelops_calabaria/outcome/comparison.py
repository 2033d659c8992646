"""Comparing two parameter sets that were simulated with the same seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modelops_contracts.types import Evaluation, TargetScore

__all__ = ["paired_difference", "paired_target_difference"]


def paired_difference(a: Evaluation, b: Evaluation, policy: str) -> tuple[float, float]:
    """Objective of ``a`` minus that of ``b``, and its standard error.

    Over common replicates the error is a delete-one jackknife of the difference, which cancels
    what both share. Where per-replicate values do not determine the objective (``mean_signal``,
    losses of a mean), the two errors are added in squares, which errs on the large side.
    """
    difference = a.objective - b.objective if math.isfinite(a.objective) else math.inf
    if a.param_id == b.param_id:
        return 0.0, 0.0
    if not math.isfinite(difference):
        return math.inf, math.nan
    left, right = _leave_one_out(a, policy), _leave_one_out(b, policy)
    if left is None or right is None or a.seeds != b.seeds:
        return difference, math.hypot(a.objective_se, b.objective_se)
    deleted = [x - y for x, y in zip(left, right, strict=True)]
    return difference, _jackknife_se(deleted)


def _leave_one_out(evaluation: Evaluation, policy: str) -> list[float] | None:
    """The objective without each replicate in turn; None when it cannot be had from the scores."""
    values = _joint_per_replicate(evaluation)
    if values is None or len(values) < 2:
        return None
    objective, deleted = _objectives(values, evaluation.kind, policy)
    if not math.isclose(objective, evaluation.objective, rel_tol=1e-6, abs_tol=1e-9):
        return None
    return deleted


def _joint_per_replicate(evaluation: Evaluation) -> list[float] | None:
    """Weighted sum over targets, per replicate; None when a target has no such values."""
    n = len(evaluation.seeds)
    if not evaluation.scores or any(len(s.per_replicate) != n for s in evaluation.scores):
        return None
    if len({score.kind for score in evaluation.scores}) > 1:
        return None
    # A weight of 0 switches a target off, also one whose likelihood is zero.
    counting = [score for score in evaluation.scores if score.weight > 0]
    return [sum(score.weight * score.per_replicate[r] for score in counting) for r in range(n)]


def _objectives(values: Sequence[float], kind: str, policy: str) -> tuple[float, list[float]]:
    """(objective of all replicates, objectives with one left out)."""
    import numpy as np

    x = np.asarray(values, dtype=np.float64)
    if kind == "loglik" and policy == "logmeanexp":
        shift = x.max()
        if not np.isfinite(shift):
            return math.inf, []
        weights = np.exp(x - shift)
        # Subtracting the largest weight from the sum would cancel, so others are summed apart.
        others = np.array([np.delete(weights, i).sum() for i in _heavy(weights)])
        rest = weights.sum() - weights
        rest[_heavy(weights)] = others
        with np.errstate(divide="ignore"):
            deleted = -(shift + np.log(rest / (len(x) - 1)))
        return float(-(shift + np.log(weights.mean()))), deleted.tolist()
    sign = -1.0 if kind == "loglik" else 1.0
    mean = sign * x.mean()
    return float(mean), ((sign * x.sum() - sign * x) / (len(x) - 1)).tolist()


def _heavy(weights: Any) -> Any:
    import numpy as np

    return np.flatnonzero(weights > 0.5 * weights.sum())


def _jackknife_se(deleted: Sequence[float]) -> float:
    n = len(deleted)
    if not all(math.isfinite(value) for value in deleted):
        return math.nan
    mean = math.fsum(deleted) / n
    return math.sqrt((n - 1) / n * math.fsum((value - mean) ** 2 for value in deleted))


def paired_target_difference(
    a: Evaluation, b: Evaluation, target: str, policy: str
) -> tuple[float, float]:
    """:func:`paired_difference` as if ``target`` were the only one, with weight 1."""
    return paired_difference(_alone(a, target), _alone(b, target), policy)


def _alone(evaluation: Evaluation, target: str) -> Evaluation:
    score = next(s for s in evaluation.scores if s.target == target)
    objective = _signed(score)
    return replace(
        evaluation,
        objective=math.inf if math.isnan(objective) else objective,
        objective_se=math.nan,
        kind=score.kind,
        scores=(replace(score, weight=1.0),),
    )


def _signed(score: TargetScore) -> float:
    return -score.value if score.kind == "loglik" else score.value
