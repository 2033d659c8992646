"""Choosing among the best trials with fresh seeds, and confirming the choice with others.

The lowest of many noisy values is lower than it deserves. So the best trials are simulated again, all
with the same fresh seeds, and the lowest of these is the winner; the winner alone is simulated once
more with seeds that neither search nor selection has seen. Only that last value is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from modelops_calabaria.calibration.desk import Desk, Purpose, Ticket, Trial
from modelops_calabaria.calibration.plan import CalibrationPlan
from modelops_calabaria.calibration.record import Candidate
from modelops_calabaria.calibration.seeds import confirmation_seeds, selection_seeds
from modelops_contracts.ports import Reporter
from modelops_contracts.types import Evaluation, UniqueParameterSet

__all__ = ["paired_difference", "rescore"]

#: Candidates closer to the winner than this many standard errors cannot be told from it.
INDISTINGUISHABLE_SE = 2.0


def rescore(
    plan: CalibrationPlan, trials: Sequence[Trial], desk: Desk, reporter: Reporter
) -> list[Candidate]:
    """Candidates, the winner first and confirmed, then by selection objective.

    ``trials`` must hold at least one with a finite objective.
    """
    chosen = _best_distinct(trials, plan.rescore.top_k)
    reporter.start("rescoring", len(chosen) + 1)
    used = {seed for trial in chosen for seed in trial.evaluation.seeds}
    seeds = selection_seeds(base_seed=plan.seed, n=plan.rescore.n_replicates, used=used)
    selected = _evaluate_all(
        plan, "select", [(t.number, t.params) for t in chosen], seeds, desk, reporter
    )
    pairs = sorted(
        zip(chosen, selected, strict=True),
        key=lambda p: (p[1].objective, p[0].objective, p[0].number),
    )
    winner, winner_selection = pairs[0]
    fresh = confirmation_seeds(
        base_seed=plan.seed, n=plan.rescore.confirm, used=used.union(winner_selection.seeds)
    )
    confirmed = _evaluate_all(
        plan, "confirm", [(winner.number, winner.params)], fresh, desk, reporter
    )[0]
    candidates = [_candidate(plan, t, s, winner_selection) for t, s in pairs]
    candidates[0] = replace(candidates[0], confirmation=confirmed)
    reporter.finish(f"confirmed {confirmed.objective:.6g}")
    return candidates


def _best_distinct(trials: Sequence[Trial], k: int) -> list[Trial]:
    distinct: dict[str, Trial] = {}
    for trial in sorted(trials, key=lambda t: (t.objective, t.number)):
        if trial.is_finite:
            distinct.setdefault(trial.params.param_id, trial)
    return list(distinct.values())[:k]


def _evaluate_all(
    plan: CalibrationPlan,
    purpose: Purpose,
    wanted: Sequence[tuple[int, UniqueParameterSet]],
    seeds: tuple[int, ...],
    desk: Desk,
    reporter: Reporter,
) -> list[Evaluation]:
    """Evaluations in the order of ``wanted``, at most a batch of them in flight."""
    waiting = [Ticket(trial, purpose, params, seeds) for trial, params in wanted]
    answers: dict[int, Evaluation] = {}
    in_flight = 0
    while len(answers) < len(wanted):
        while waiting and in_flight < plan.batch_size:
            desk.hand_in(waiting.pop(0))
            in_flight += 1
        ticket, evaluation, _ = desk.next_answer()
        answers[ticket.trial] = evaluation
        in_flight -= 1
        reporter.advance(1, failed=0 if evaluation.reason is None else 1)
    return [answers[trial] for trial, _ in wanted]


def _candidate(
    plan: CalibrationPlan, trial: Trial, selection: Evaluation, winner: Evaluation
) -> Candidate:
    difference, se = paired_difference(selection, winner, plan.replicates)
    allowed = INDISTINGUISHABLE_SE * se if math.isfinite(se) else 0.0
    params = dict(trial.params.params)
    return Candidate(
        trial=trial.number,
        param_id=trial.params.param_id,
        params=params,
        calibrated={name: params[name] for name in plan.space.names},
        search=trial.evaluation,
        selection=selection,
        difference=difference,
        difference_se=se,
        # Of a deterministic model only an equal objective is indistinguishable.
        indistinguishable=math.isfinite(difference) and difference <= allowed,
    )


# ---------------------------------------------------------------- paired differences


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
