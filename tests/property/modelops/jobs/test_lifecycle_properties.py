"""The table of transitions as a whole."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from modelops.jobs.lifecycle import (
    TRANSITIONS,
    Event,
    decide_verdict,
    rank,
    transition,
)
from modelops_contracts.errors import Conflict
from modelops_contracts.job_state import JobState

EVENTS = st.lists(st.sampled_from(Event), max_size=30)


def walk(events: list[Event], state: JobState = JobState.PENDING) -> list[JobState]:
    """States passed through when illegal events are refused."""
    path = [state]
    for event in events:
        try:
            path.append(transition(path[-1], event))
        except Conflict:
            continue
    return path


def test_the_table_is_total() -> None:
    assert set(TRANSITIONS) == {(state, event) for state in JobState for event in Event}


@given(st.sampled_from(JobState), st.sampled_from(Event))
def test_every_pair_gives_a_state_or_a_conflict(state: JobState, event: Event) -> None:
    try:
        assert transition(state, event) in JobState
    except Conflict:
        assert TRANSITIONS[state, event] is None


@given(st.sampled_from(JobState), st.sampled_from(Event))
def test_only_a_resume_leads_back(state: JobState, event: Event) -> None:
    after = TRANSITIONS[state, event]
    if after is not None and event is not Event.RESUME:
        assert rank(after) >= rank(state) or after is JobState.LOST


@given(EVENTS)
def test_an_ended_job_is_left_by_a_resume_alone(events: list[Event]) -> None:
    for state in walk(events):
        if state.ended:
            leaving = {event for event in Event if TRANSITIONS[state, event] is not None}
            assert leaving <= {Event.RESUME}


@given(EVENTS)
def test_every_job_can_still_end_and_be_cancelled(events: list[Event]) -> None:
    state = walk(events)[-1]
    if not state.ended:
        assert transition(state, Event.CANCEL) is JobState.CANCELLED
        assert transition(state, Event.FAIL) is JobState.FAILED


@given(EVENTS)
def test_success_is_reached_through_running_and_finalizing(events: list[Event]) -> None:
    path = walk(events)
    for before, after in pairwise(path):
        if after in {JobState.SUCCEEDED, JobState.PARTIAL}:
            assert before is JobState.FINALIZING
            assert JobState.RUNNING in path


@given(
    st.integers(0, 1000),
    st.integers(0, 1000),
    st.one_of(st.integers(0, 50).map(str), st.floats(0, 100).map(lambda share: f"{share}%")),
)
def test_a_verdict_never_hides_that_all_failed_nor_blames_a_clean_run(
    ok: int, failed: int, policy: str
) -> None:
    verdict = decide_verdict(ok=ok, failed=failed, policy=policy)
    if failed == 0:
        assert verdict is Event.SUCCEED
    if ok == 0 and failed > 0:
        assert verdict is Event.FAIL
    if policy in {"0", "0.0%"} and failed > 0:
        assert verdict is not Event.SUCCEED
