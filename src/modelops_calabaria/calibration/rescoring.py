"""Choosing among the best trials with fresh seeds, and confirming the choice with others.

The lowest of many noisy values is lower than it deserves. So the best trials are simulated again,
all with the same fresh seeds, and the lowest of these is the winner; the winner alone is simulated
once more with seeds that neither search nor selection has seen. Only that last value is reported.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from modelops_calabaria.calibration.desk import Desk, Purpose, Ticket, Trial
from modelops_calabaria.calibration.plan import CalibrationPlan
from modelops_calabaria.calibration.seeds import confirmation_seeds, selection_seeds
from modelops_calabaria.outcome.comparison import paired_difference
from modelops_calabaria.outcome.record import Candidate
from modelops_contracts.ports import Reporter
from modelops_contracts.types import Evaluation, UniqueParameterSet

__all__ = ["rescore"]

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
