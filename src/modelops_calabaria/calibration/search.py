"""The search: ask, evaluate, tell, until a stop rule holds.

In the ordered schedule, ask ``i`` comes after exactly the tells of asks ``0 .. i - B``, in ask
order, B being the number of evaluations in flight. The proposals are therefore a function of the
settings, the seed and B, however many workers there are and however fast each one is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from modelops_calabaria.calibration.desk import Desk, Ticket, Trial
from modelops_calabaria.calibration.plan import CalibrationPlan
from modelops_calabaria.calibration.seeds import search_seeds
from modelops_contracts.errors import SimulationFailed
from modelops_contracts.ports import Reporter
from modelops_contracts.types import Evaluation, TrialResult, TrialStatus, UniqueParameterSet

__all__ = ["FAULTS", "CalibrationHopeless", "SearchOutcome", "failure_message", "run_search"]

#: Reasons that are faults of the code or the set-up, not answers of the model.
FAULTS = frozenset({"SIM_FAILED", "TIMEOUT", "COVERAGE", "BAD_OUTPUT", "EVALUATION_FAILED"})
#: So many faults at the very start, and nothing else, end the run.
_HOPELESS_START = 10


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """All trials in ask order, and why there are no more."""

    trials: tuple[Trial, ...]
    stop_reason: str


class Proposer(Protocol):
    """What the loop needs of an engine."""

    def ask(self, n: int) -> list[UniqueParameterSet]: ...
    def tell(self, results: Iterable[TrialResult]) -> None: ...
    def finished(self) -> bool: ...


def run_search(
    plan: CalibrationPlan,
    engine: Proposer,
    desk: Desk,
    *,
    reporter: Reporter,
    clock: Callable[[], float],
) -> SearchOutcome:
    """Ask, evaluate and tell until a stop rule holds.

    Raises SimulationFailed when the first ten outcomes are all faults, Interrupted when a stop
    was asked for.
    """
    return _Search(plan, engine, desk, reporter, clock).run()


class _Search:
    """The state of one search. ``told`` of ``asked`` proposals have been answered to the engine."""

    def __init__(
        self,
        plan: CalibrationPlan,
        engine: Proposer,
        desk: Desk,
        reporter: Reporter,
        clock: Callable[[], float],
    ) -> None:
        self._plan, self._engine, self._desk = plan, engine, desk
        self._reporter, self._clock = reporter, clock
        self._begun = clock()
        self._proposals: list[UniqueParameterSet] = []
        self._reused: set[int] = set()
        self._arrived: dict[int, Trial] = {}
        self._trials: dict[int, Trial] = {}
        self._best = math.inf
        # Stop rules look at told trials only: which others have arrived depends on speed.
        self._best_told = math.inf
        self._best_anchor = math.inf
        self._since_better = 0
        self._distinct: set[str] = set()

    def run(self) -> SearchOutcome:
        self._reporter.start("search", self._plan.max_trials)
        reason = self._stop_rule()
        while reason is None:
            if not self._ask_one():
                if not self._outstanding():
                    reason = self._engine_reason()
                    break
                self._tell_next()
            reason = self._stop_rule()
        while self._outstanding():
            self._tell_next()
        self._reporter.finish(f"{len(self._trials)} trials, {reason}")
        ordered = tuple(self._trials[i] for i in sorted(self._trials))
        return SearchOutcome(ordered, reason)

    # ------------------------------------------------------------ asking

    def _outstanding(self) -> int:
        return len(self._proposals) - len(self._trials)

    def _ask_one(self) -> bool:
        if self._outstanding() >= self._plan.batch_size:
            return False
        proposals = self._engine.ask(1)
        if not proposals:
            return False
        number = len(self._proposals)
        params = self._plan.complete(proposals[0].params)
        self._desk.note_ask(number, params)
        self._proposals.append(proposals[0])
        seeds = search_seeds(
            params.param_id,
            base_seed=self._plan.seed,
            n=self._plan.n_replicates,
            crn=self._plan.crn,
        )
        ticket = Ticket(number, "search", params, seeds)
        if params.param_id in self._distinct:
            self._reused.add(number)
        self._distinct.add(params.param_id)
        self._desk.hand_in(ticket)
        return True

    # ------------------------------------------------------------ telling

    def _tell_next(self) -> None:
        """Answer the next proposal to the engine: in ask order, or as they come when async."""
        if self._plan.schedule == "async":
            trial = self._arrive()
        else:
            expected = len(self._trials)
            while expected not in self._arrived:
                self._arrive()
            trial = self._arrived[expected]
        del self._arrived[trial.number]
        self._trials[trial.number] = trial
        self._engine.tell([_trial_result(self._proposals[trial.number], trial)])
        self._count(trial)

    def _arrive(self) -> Trial:
        ticket, evaluation, seconds = self._desk.next_answer()
        number = ticket.trial
        trial = Trial(number, ticket.params, evaluation, seconds, number in self._reused)
        self._arrived[number] = trial
        self._best = min(self._best, trial.objective if trial.is_finite else math.inf)
        note = f"best {self._best:.6g}" if math.isfinite(self._best) else ""
        self._reporter.advance(1, failed=0 if trial.is_finite else 1, note=note)
        return trial

    def _count(self, trial: Trial) -> None:
        if not trial.is_finite:
            self._refuse_hopeless()
            return
        self._best_told = min(self._best_told, trial.objective)
        if trial.objective < self._best_anchor - self._plan.stop.min_delta:
            self._best_anchor = trial.objective
            self._since_better = 0
        else:
            self._since_better += 1

    def _refuse_hopeless(self) -> None:
        if len(self._trials) != _HOPELESS_START:
            return
        told = [self._trials[i] for i in sorted(self._trials)]
        if all(trial.evaluation.reason in FAULTS for trial in told):
            raise CalibrationHopeless(told)

    # ------------------------------------------------------------ stopping

    def _stop_rule(self) -> str | None:
        stop, asked = self._plan.stop, len(self._proposals)
        if asked >= self._plan.max_trials:
            return "max_trials" if asked >= stop.max_trials else "max_iterations"
        if stop.max_loss is not None and self._best_told < stop.max_loss:
            return "max_loss"
        if stop.patience is not None and self._since_better >= stop.patience:
            return "patience"
        if stop.max_seconds is not None and self._clock() - self._begun >= stop.max_seconds:
            return "max_seconds"
        size = self._plan.space.size
        if size is not None and len(self._distinct) >= size:
            return "space exhausted"
        return None

    def _engine_reason(self) -> str:
        if not self._engine.finished():
            raise AssertionError("the engine proposes nothing although every answer was told")
        why = getattr(self._engine, "why_finished", None)
        return str(why()) if callable(why) else "engine finished"


class CalibrationHopeless(SimulationFailed):
    """The first evaluations failed, all of them. ``trials`` holds what happened."""

    default_code = "calibration_hopeless"

    def __init__(self, trials: Sequence[Trial]) -> None:
        first = trials[0]
        super().__init__(
            f"the first {len(trials)} trials all failed; trial 0, {first.evaluation.reason}: "
            f"{failure_message(first.evaluation)}",
            remote_traceback=_failure_traceback(first.evaluation),
            hint=f"reproduce it with seed {first.evaluation.seeds[0]} and the parameters "
            f"{dict(first.params.params)}",
        )
        self.trials = tuple(trials)


def failure_message(evaluation: Evaluation) -> str:
    """What the first failed replicate said, else the flags of the evaluation."""
    if evaluation.failures:
        error = evaluation.failures[0].error
        return f"{error.error_type}: {error.message}"
    return "; ".join(evaluation.flags)


def _failure_traceback(evaluation: Evaluation) -> str:
    return evaluation.failures[0].traceback if evaluation.failures else ""


def _trial_result(proposal: UniqueParameterSet, trial: Trial) -> TrialResult:
    if trial.is_finite:
        return TrialResult(proposal.param_id, trial.objective)
    reason = trial.evaluation.reason or "INFEASIBLE"
    status = TrialStatus.TIMEOUT if reason == "TIMEOUT" else TrialStatus.FAILED
    return TrialResult(proposal.param_id, math.inf, {"reason": reason}, status)
