"""Verdicts, and how a job is seen from outside."""

from __future__ import annotations

import pytest

from modelops.jobs.lifecycle import (
    Event,
    allowed_failures,
    decide_verdict,
    exit_code,
    observe_state,
    transition,
)
from modelops_contracts.errors import Conflict
from modelops_contracts.job_state import JobState


@pytest.mark.parametrize(
    ("ok", "failed", "policy", "verdict"),
    [
        (10, 0, "0", Event.SUCCEED),
        (9, 1, "0", Event.END_PARTIAL),
        (9, 1, "1", Event.SUCCEED),
        (9, 1, "10%", Event.SUCCEED),
        (9, 1, "9%", Event.END_PARTIAL),
        (0, 10, "100%", Event.FAIL),
        (0, 1, "5", Event.FAIL),
        (0, 0, "0", Event.SUCCEED),
    ],
)
def test_verdicts(ok: int, failed: int, policy: str, verdict: Event) -> None:
    assert decide_verdict(ok=ok, failed=failed, policy=policy) is verdict


def test_a_share_of_nothing_is_nothing() -> None:
    assert allowed_failures("50%", 0) == 0


@pytest.mark.parametrize(
    ("state", "alive", "silence", "seen"),
    [
        (JobState.RUNNING, True, 1.0, JobState.RUNNING),
        (JobState.RUNNING, False, 1.0, JobState.LOST),
        (JobState.RUNNING, True, 15.1, JobState.LOST),
        (JobState.FINALIZING, False, 1.0, JobState.LOST),
        (JobState.QUEUED, False, 1.0, JobState.QUEUED),
        (JobState.QUEUED, False, 15.1, JobState.LOST),
        (JobState.QUEUED, True, 99.0, JobState.QUEUED),
        (JobState.SUCCEEDED, False, 1e9, JobState.SUCCEEDED),
        (JobState.CANCELLED, False, 1e9, JobState.CANCELLED),
    ],
)
def test_a_driver_that_is_gone_or_silent_is_lost(
    state: JobState, alive: bool, silence: float, seen: JobState
) -> None:
    assert observe_state(state, driver_alive=alive, silence=silence, interval=5.0) is seen


def test_an_illegal_step_says_what_cannot_happen() -> None:
    with pytest.raises(Conflict, match="succeeded cannot start"):
        transition(JobState.SUCCEEDED, Event.START)


def test_exit_codes() -> None:
    assert [state for state in JobState if exit_code(state) == 0] == [JobState.SUCCEEDED]
