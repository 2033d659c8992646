"""What may happen to a job, and when it counts as a success. Pure.

Every (state, event) pair has an answer in ``TRANSITIONS``: the next state, or None when the event
cannot happen there.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from modelops_contracts.errors import Conflict
from modelops_contracts.job_state import JobState

__all__ = [
    "TRANSITIONS",
    "Event",
    "allowed_failures",
    "decide_verdict",
    "exit_code",
    "observe_state",
    "rank",
    "transition",
]


class Event(StrEnum):
    """What can happen to a job."""

    SUBMIT = "submit"
    ENQUEUE = "enqueue"
    START = "start"
    HEARTBEAT = "heartbeat"
    FINALIZE = "finalize"
    SUCCEED = "succeed"
    END_PARTIAL = "end-partial"
    FAIL = "fail"
    CANCEL = "cancel"
    LOSE = "lose"
    RESUME = "resume"


_S = JobState
_E = Event

_LEGAL: Mapping[JobState, Mapping[Event, JobState]] = {
    _S.PENDING: {_E.SUBMIT: _S.SUBMITTING, _E.FAIL: _S.FAILED, _E.CANCEL: _S.CANCELLED},
    _S.SUBMITTING: {
        _E.ENQUEUE: _S.QUEUED,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
        _E.LOSE: _S.LOST,
    },
    _S.QUEUED: {
        _E.START: _S.RUNNING,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
        _E.LOSE: _S.LOST,
    },
    _S.RUNNING: {
        _E.HEARTBEAT: _S.RUNNING,
        _E.FINALIZE: _S.FINALIZING,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
        _E.LOSE: _S.LOST,
    },
    _S.FINALIZING: {
        _E.HEARTBEAT: _S.FINALIZING,
        _E.SUCCEED: _S.SUCCEEDED,
        _E.END_PARTIAL: _S.PARTIAL,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
        _E.LOSE: _S.LOST,
    },
    _S.LOST: {
        _E.HEARTBEAT: _S.RUNNING,
        _E.LOSE: _S.LOST,
        _E.FAIL: _S.FAILED,
        _E.CANCEL: _S.CANCELLED,
        _E.RESUME: _S.QUEUED,
    },
    _S.PARTIAL: {_E.RESUME: _S.QUEUED},
    _S.FAILED: {_E.RESUME: _S.QUEUED},
    _S.CANCELLED: {_E.RESUME: _S.QUEUED},
    _S.SUCCEEDED: {_E.RESUME: _S.QUEUED},
}

#: (state, event) -> next state, or None; every pair is there.
TRANSITIONS: Mapping[tuple[JobState, Event], JobState | None] = MappingProxyType(
    {(state, event): _LEGAL[state].get(event) for state in JobState for event in Event}
)

_RANK = {
    _S.PENDING: 0,
    _S.SUBMITTING: 1,
    _S.QUEUED: 2,
    _S.RUNNING: 3,
    _S.LOST: 3,
    _S.FINALIZING: 4,
    _S.SUCCEEDED: 5,
    _S.PARTIAL: 5,
    _S.FAILED: 5,
    _S.CANCELLED: 5,
}


def transition(state: JobState, event: Event) -> JobState:
    """The state after ``event``. Raises Conflict when it cannot happen in ``state``."""
    after = TRANSITIONS[state, event]
    if after is None:
        raise Conflict(
            f"a job that is {state} cannot {event.value.replace('-', ' ')}", code="job.transition"
        )
    return after


def rank(state: JobState) -> int:
    """Place in a job's life. Only a resume leads to a lower rank, or a heartbeat out of lost."""
    return _RANK[state]


def observe_state(
    state: JobState,
    *,
    driver_alive: bool,
    silence: float,
    interval: float,
) -> JobState:
    """The state as it is seen from outside.

    A driver that is gone, or silent for more than three heartbeat intervals, makes a job
    ``lost``; a queued job gets that long to be picked up. ``silence`` and ``interval`` in seconds.
    """
    overdue = silence > 3 * interval
    gone = {
        _S.SUBMITTING: overdue and not driver_alive,
        _S.QUEUED: overdue and not driver_alive,
        _S.RUNNING: overdue or not driver_alive,
        _S.FINALIZING: overdue or not driver_alive,
    }.get(state, False)
    return transition(state, Event.LOSE) if gone else state


def allowed_failures(policy: str, total: int) -> float:
    """How many of ``total`` may fail: ``"3"`` or ``"10%"``."""
    return total * float(policy[:-1]) / 100 if policy.endswith("%") else float(policy)


def decide_verdict(*, ok: int, failed: int, policy: str) -> Event:
    """How a job ends: all failed is a failure, more failures than the policy allows is partial."""
    if failed and not ok:
        return Event.FAIL
    if failed > allowed_failures(policy, ok + failed):
        return Event.END_PARTIAL
    return Event.SUCCEED


def exit_code(state: JobState) -> int:
    """What a console returns after following a job to ``state``."""
    return 0 if state is JobState.SUCCEEDED else 1
