"""The calls an executor runs: each finds the guest of the slot it runs in."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from modelops.engine.environments.supervised import SupervisedGuest
from modelops.engine.guest import Guest, Member
from modelops.engine.requests import EvaluationOutcome, EvaluationWork, SimOutcome, SimRequest
from modelops_contracts.evaluation import Evaluation

__all__ = ["SlotGuests"]


@dataclass(frozen=True, slots=True)
class _Slot:
    guest: Guest
    # Held while a call runs; a call may end the service it runs in.
    busy: threading.RLock = field(default_factory=threading.RLock)


class SlotGuests:
    """One guest per thread that calls, made by ``make(number)`` when it is first needed.

    Every call takes the event that stops it as its first argument.
    """

    def __init__(self, make: Callable[[int], Guest]) -> None:
        self._make = make
        self._mine = threading.local()
        self._all: list[_Slot] = []
        self._lock = threading.Lock()
        self._closed = False

    def run_batch(self, stop: threading.Event, requests: Sequence[SimRequest]) -> list[SimOutcome]:
        with self._guest(stop) as guest:
            return guest.run_batch(requests)

    def evaluate(
        self, stop: threading.Event, work: EvaluationWork, done: Sequence[SimOutcome] = ()
    ) -> EvaluationOutcome:
        """Simulate what neither ``work.stored`` nor ``done`` has, then score all replicates.

        When it is stopped, the reason of its evaluation is ``CANCELLED``; what was simulated until
        then is there. Stopped while scoring, it raises CancelledError.
        """
        with self._guest(stop) as guest:
            return _evaluate(guest, work, done)

    def describe(self, stop: threading.Event, kind: str, reference: str) -> dict[str, Any]:
        with self._guest(stop) as guest:
            return guest.describe(kind, reference)

    def predict(
        self,
        stop: threading.Event,
        targets: Sequence[str],
        members: Sequence[Member],
        entrypoint: str,
        seed: int,
    ) -> dict[str, bytes]:
        with self._guest(stop) as guest:
            return guest.predict(targets, members, entrypoint=entrypoint, seed=seed)

    def close(self) -> None:
        """End all guests, each when its call has ended; later calls raise CancelledError.

        The threads must still be there: the system kills a guest whose thread has ended, and what
        it had started in sessions of its own would go on.
        """
        with self._lock:
            self._closed = True
        for slot in self._all:
            with slot.busy:
                slot.guest.close()

    @contextmanager
    def _guest(self, stop: threading.Event) -> Iterator[Guest]:
        slot = self._slot()
        with slot.busy:
            if self._closed:
                raise CancelledError
            if isinstance(slot.guest, SupervisedGuest):
                slot.guest.interrupted = stop
            yield slot.guest

    def _slot(self) -> _Slot:
        slot: _Slot | None = getattr(self._mine, "slot", None)
        if slot is None:
            with self._lock:
                slot = _Slot(self._make(len(self._all)))
                self._all.append(slot)
            self._mine.slot = slot
        return slot


def _evaluate(guest: Guest, work: EvaluationWork, done: Sequence[SimOutcome]) -> EvaluationOutcome:
    have = {outcome.request.sim_key: outcome for outcome in done}
    missing = [sim for sim in work.missing() if sim.sim_key not in have]
    outcomes = [*done, *(guest.run_batch(missing) if missing else ())]
    if any(outcome.status == "cancelled" for outcome in outcomes):
        return EvaluationOutcome(_cancelled_evaluation(work), tuple(outcomes))
    have.update((outcome.request.sim_key, outcome) for outcome in outcomes)
    tables = [work.stored.get(sim.sim_key) or _tables(have[sim.sim_key]) for sim in work.sims]
    errors = [
        None if table is not None else _error(have[sim.sim_key])
        for table, sim in zip(tables, work.sims, strict=True)
    ]
    scored = guest.evaluate(work.request, tables, errors)
    return EvaluationOutcome(Evaluation.from_json(scored), tuple(outcomes))


def _cancelled_evaluation(work: EvaluationWork) -> Evaluation:
    param_id = work.request.task.params.param_id
    return Evaluation(param_id, work.request.seeds, math.inf, reason="CANCELLED")


def _tables(outcome: SimOutcome) -> Mapping[str, bytes] | None:
    return outcome.tables if outcome.ok else None


def _error(outcome: SimOutcome) -> dict[str, Any]:
    assert outcome.error is not None, f"{outcome.status} without an error"
    return {
        "error_type": outcome.error.error_type,
        "message": outcome.error.message,
        "retryable": outcome.error.retryable,
        "traceback": outcome.traceback,
    }
