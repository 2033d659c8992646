"""Cutting and sizing lose nothing, for any stream of requests and any times."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from modelops.engine.batches import Batches, BatchSizer
from support.outcomes import ok, sim_request

POOL = [sim_request(i) for i in range(6)]
KINDS = [
    replace(request, task=replace(request.task, config={"kind": i % 2}))
    for i, request in enumerate(POOL)
]


@given(
    st.lists(st.sampled_from(KINDS)),
    st.lists(st.integers(1, 50), min_size=1),
    st.integers(1, 8),
    st.booleans(),
)
def test_batches_are_a_partition(requests, sizes, slots, as_iterator) -> None:
    batches = Batches(iter(requests) if as_iterator else requests, slots=slots)
    taken = []
    turn = 0
    while batch := batches.take(sizes[turn % len(sizes)]):
        assert len(batch) <= sizes[turn % len(sizes)]
        assert len({str(request.task.config) for request in batch}) == 1
        taken.extend(batch)
        turn += 1
    assert taken == requests


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=30))
def test_sizes_stay_sane(times) -> None:
    sizer = BatchSizer()
    for seconds in times:
        before = sizer.size
        sizer.learn([replace(ok(POOL[0]), wall=seconds)])
        assert 1 <= sizer.size <= 8 * before
