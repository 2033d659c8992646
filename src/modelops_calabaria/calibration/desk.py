"""Where evaluations are handed in and answers come out.

The desk stands between the search and whoever simulates: it writes every question and every answer
to the journal before anything follows from it, and it never has the same evaluation made twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from modelops_calabaria.calibration.fingerprint import check_fingerprint
from modelops_calabaria.calibration.journal import Journal
from modelops_contracts.errors import IntegrityError, Interrupted
from modelops_contracts.types import Evaluation, UniqueParameterSet

__all__ = ["Desk", "EvaluationProvider", "Purpose", "Ticket", "Trial", "open_desk"]

Purpose = Literal["search", "select", "confirm"]

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
                f"{params.param_id[:12]} now: another version of the engine, or of its library, "
                "wrote this journal",
                hint="start a new calibration, in a job or a journal folder of its own; "
                '"warm_start": <a finished result> asks the candidates of that result first',
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

    def give_up(self) -> None:
        """Cancel what is in flight; its answers are not wanted any more."""
        self._provider.cancel_all()
        self._waiting.clear()

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
