"""The ask/tell loop: pure, without threads, files or a clock of its own.

A provider starts evaluations and hands back outcomes in any order. In the ordered schedule, ask
``i`` comes after exactly the tells of asks ``0 .. i - B``, in ask order, B being the number of
evaluations in flight. The proposals are therefore a function of the settings, the seed and B,
however many workers there are and however fast each one is. The journal is written before anything
takes effect; a run that finds earlier records asks its engine the same questions, takes the answers
from there, and goes on where they end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from modelops_calabaria.calibration.journal import Journal
from modelops_calabaria.calibration.plan import CalibrationPlan, check_fingerprint
from modelops_calabaria.calibration.seeds import search_seeds
from modelops_contracts.errors import IntegrityError, Interrupted, SimulationFailed
from modelops_contracts.ports import Reporter
from modelops_contracts.types import (
    Evaluation,
    TrialResult,
    TrialStatus,
    UniqueParameterSet,
)

__all__ = [
    "FAULTS",
    "Desk",
    "EvaluationProvider",
    "Purpose",
    "SearchOutcome",
    "Ticket",
    "Trial",
    "open_desk",
    "run_search",
]

Purpose = Literal["search", "select", "confirm"]

#: Reasons that are faults of the code or the set-up, not answers of the model.
FAULTS = frozenset({"SIM_FAILED", "TIMEOUT", "COVERAGE", "BAD_OUTPUT", "EVALUATION_FAILED"})
#: So many faults at the very start, and nothing else, end the run.
_HOPELESS_START = 10

JOURNAL_VERSION = 1


@dataclass(frozen=True, slots=True)
class Ticket:
    """One evaluation to be made: a complete parameter set and the seeds of its replicates."""

    trial: int
    purpose: Purpose
    params: UniqueParameterSet
    seeds: tuple[int, ...]


class EvaluationProvider(Protocol):
    """Simulates and scores parameter sets; the loop never waits anywhere else."""

    def start(self, ticket: Ticket) -> None:
        """Begin an evaluation and return at once (an in-process provider may keep it waiting)."""
        ...

    def next_outcome(self) -> tuple[Ticket, Evaluation]:
        """Block until any started evaluation is finished. Failures are data in the Evaluation."""
        ...

    def cancel_all(self) -> None:
        """Give up everything that was started and not handed back."""
        ...

    def predict(
        self,
        label: str,
        draws: Sequence[tuple[UniqueParameterSet, tuple[int, ...]]],
        *,
        seed: int,
    ) -> Mapping[str, bytes]:
        """Predictive ranges of an ensemble per target name, as Arrow IPC tables with the target's
        keys, observed, q025, q500, q975 and inside."""
        ...


@dataclass(frozen=True, slots=True)
class Trial:
    """An answered proposal. ``seconds`` is the time from start to answer."""

    number: int
    params: UniqueParameterSet
    evaluation: Evaluation
    seconds: float
    reused: bool

    @property
    def objective(self) -> float:
        value = float(self.evaluation.objective)
        return math.inf if math.isnan(value) else value

    @property
    def is_finite(self) -> bool:
        return self.evaluation.reason is None and math.isfinite(self.objective)


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """All trials in ask order, and why there are no more."""

    trials: tuple[Trial, ...]
    stop_reason: str


# ---------------------------------------------------------------- the evaluation desk

_Key = tuple[str, tuple[int, ...]]


@dataclass(slots=True)
class _Known:
    evaluation: Evaluation
    seconds: float
    position: int


class Desk:
    """Where evaluations are handed in and answers come out, whoever knows them already.

    An evaluation is named by its parameter set and seeds. One that was made before, in this run or
    an earlier one, is not made again; one that is under way is waited for.
    """

    def __init__(
        self,
        provider: EvaluationProvider,
        journal: Journal,
        *,
        clock: Callable[[], float],
        should_stop: Callable[[], bool],
        records: Iterable[Mapping[str, Any]] = (),
    ) -> None:
        self._provider, self._journal = provider, journal
        self._clock, self._should_stop = clock, should_stop
        self._known: dict[_Key, _Known] = {}
        self._asked: dict[int, str] = {}
        self._waiting: dict[_Key, list[Ticket]] = {}
        self._ready: list[Ticket] = []
        self._started: dict[_Key, float] = {}
        self._used: set[_Key] = set()
        for position, record in enumerate(records):
            self._read(record, position)

    @property
    def n_simulations(self) -> int:
        """Simulations behind the answers given so far, each counted once."""
        return sum(len(seeds) for _, seeds in self._used)

    def note_ask(self, trial: int, params: UniqueParameterSet) -> None:
        """Write a proposal down, or check it against what was written when it was first made."""
        before = self._asked.get(trial)
        if before is None:
            record = {"event": "ask", "trial": trial, "param_id": params.param_id}
            self._journal.append({**record, "params": dict(params.params)})
        elif before != params.param_id:
            raise IntegrityError(
                f"trial {trial} was {before[:12]} when this calibration was begun and is "
                f"{params.param_id[:12]} now",
                hint="the journal was made by another version of an engine; start a new calibration",
            )

    def hand_in(self, ticket: Ticket) -> None:
        """Have a ticket answered, at the latest by the provider."""
        key = (ticket.params.param_id, ticket.seeds)
        self._used.add(key)
        if key in self._known:
            self._ready.append(ticket)
            # Answers of an earlier run come in the order in which they came then.
            self._ready.sort(key=self._position)
        elif key in self._waiting:
            self._waiting[key].append(ticket)
        else:
            self._waiting[key] = [ticket]
            self._started[key] = self._clock()
            self._provider.start(ticket)

    def next_answer(self) -> tuple[Ticket, Evaluation, float]:
        """(ticket, evaluation, seconds) of any ticket handed in; blocks when none is ready.

        Raises Interrupted, with everything in flight cancelled, when a stop was asked for.
        """
        while not self._ready:
            self._stop_when_asked()
            self._receive()
        ticket = self._ready.pop(0)
        known = self._known[ticket.params.param_id, ticket.seeds]
        return ticket, known.evaluation, known.seconds

    def is_known(self, ticket: Ticket) -> bool:
        """True when nothing needs to be simulated to answer this ticket."""
        key = (ticket.params.param_id, ticket.seeds)
        return key in self._known or key in self._waiting

    def _position(self, ticket: Ticket) -> int:
        return self._known[ticket.params.param_id, ticket.seeds].position

    def _stop_when_asked(self) -> None:
        if self._should_stop():
            self._provider.cancel_all()
            raise Interrupted(
                "calibration stopped; every finished evaluation is kept",
                hint="start it again with the same settings to continue",
            )

    def _receive(self) -> None:
        ticket, evaluation = self._provider.next_outcome()
        key = (ticket.params.param_id, ticket.seeds)
        seconds = self._clock() - self._started.pop(key)
        self._journal.append(
            {
                "event": "outcome",
                "trial": ticket.trial,
                "purpose": ticket.purpose,
                "seconds": round(seconds, 6),
                "evaluation": evaluation.to_json(),
            }
        )
        self._remember(evaluation, key, seconds)
        self._ready.extend(self._waiting.pop(key))

    def _remember(self, evaluation: Evaluation, key: _Key, seconds: float) -> None:
        self._known[key] = _Known(evaluation, seconds, len(self._known))

    def _read(self, record: Mapping[str, Any], position: int) -> None:
        if record.get("event") == "ask":
            self._asked[record["trial"]] = record["param_id"]
        elif record.get("event") == "outcome":
            evaluation = Evaluation.from_json(record["evaluation"])
            key = (evaluation.param_id, tuple(evaluation.seeds))
            if evaluation.reason != "CANCELLED":  # a cancelled one is run again
                self._known.setdefault(key, _Known(evaluation, float(record["seconds"]), position))


def open_desk(
    provider: EvaluationProvider,
    journal: Journal,
    *,
    fingerprint: Mapping[str, Any],
    clock: Callable[[], float],
    should_stop: Callable[[], bool],
) -> Desk:
    """A desk that knows what the journal holds. Writes the journal's first record when it is new.

    Raises Conflict when the journal was begun with settings that give other objectives.
    """
    records = list(journal.records())
    first = next((r for r in records if r.get("event") == "begin"), None)
    if first is None:
        begin = {"event": "begin", "version": JOURNAL_VERSION, "fingerprint": dict(fingerprint)}
        journal.append(begin)
    else:
        check_fingerprint(first["fingerprint"], fingerprint)
    return Desk(provider, journal, clock=clock, should_stop=should_stop, records=records)


# ---------------------------------------------------------------- the search


class SearchEngine(Protocol):
    """What the loop needs of an engine."""

    def ask(self, n: int) -> list[UniqueParameterSet]: ...
    def tell(self, results: Iterable[TrialResult]) -> None: ...
    def finished(self) -> bool: ...


def run_search(
    plan: CalibrationPlan,
    engine: SearchEngine,
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
        engine: SearchEngine,
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
