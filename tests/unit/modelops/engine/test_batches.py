"""Batch sizes follow measured time; batches hold only what may share a message."""

from __future__ import annotations

from dataclasses import replace

from modelops.engine.batches import Batches, BatchSizer
from modelops.engine.requests import SimRequest
from support.outcomes import failed, ok, sim_request


def outcomes(seconds: float, n: int, table: bytes = b""):
    return [replace(ok(sim_request(i), out=table), wall=seconds) for i in range(n)]


def test_the_first_batch_is_one_simulation() -> None:
    assert BatchSizer().size == 1


def test_sizes_reach_half_a_second_of_work() -> None:
    sizer = BatchSizer()
    sizes = []
    for _ in range(6):
        sizer.learn(outcomes(0.01, sizer.size))
        sizes.append(sizer.size)
    assert sizes[0] == 8
    assert 45 <= sizes[-1] <= 50


def test_a_slow_first_call_is_forgotten() -> None:
    sizer = BatchSizer()
    sizer.learn(outcomes(2.0, 1))
    for _ in range(12):
        sizer.learn(outcomes(0.001, sizer.size))
    assert sizer.size >= 250


def test_slow_simulations_go_alone() -> None:
    sizer = BatchSizer()
    for _ in range(5):
        sizer.learn(outcomes(30.0, 1))
    assert sizer.size == 1


def test_large_tables_limit_the_batch() -> None:
    sizer = BatchSizer()
    for _ in range(5):
        sizer.learn(outcomes(1e-6, 4, bytes(8 << 20)))
    assert sizer.size == 8


def test_a_batch_of_deaths_makes_the_next_one_smaller() -> None:
    sizer = BatchSizer()
    for _ in range(3):
        sizer.learn(outcomes(0.01, sizer.size))
    before = sizer.size
    sizer.learn([failed(sim_request(), "crashed")])
    assert sizer.size == before // 2


def cut(batches: Batches, size: int) -> list[list[SimRequest]]:
    result = []
    while batch := batches.take(size):
        result.append(batch)
    return result


def test_nothing_is_lost_or_repeated() -> None:
    requests = [sim_request(i) for i in range(23)]
    for source in (requests, iter(requests), (r for r in requests)):
        taken = cut(Batches(source, slots=2), 5)
        assert [r for batch in taken for r in batch] == requests
        assert max(len(batch) for batch in taken) == 5


def test_a_known_end_is_shared_out() -> None:
    batches = cut(Batches([sim_request(i) for i in range(100)], slots=2), 40)
    assert [len(batch) for batch in batches][:2] == [25, 19]
    assert len(batches[-1]) <= 5


def test_different_kinds_are_not_mixed() -> None:
    def other(request: SimRequest, **changes: object) -> SimRequest:
        return replace(request, task=replace(request.task, **changes))

    base = [sim_request(i) for i in range(4)]
    requests = [
        base[0],
        other(base[1], config={"x": 1}),
        other(base[2], outputs=("a",)),
        other(base[3], entrypoint="models.m.Sir/lockdown"),
        base[0],
    ]
    assert [len(batch) for batch in cut(Batches(iter(requests), slots=1), 10)] == [1] * 5


def test_a_stream_is_read_no_further_than_needed() -> None:
    read = []

    def stream():
        for i in range(1000):
            read.append(i)
            yield sim_request(i)

    batches = Batches(stream(), slots=1)
    batches.take(3)
    assert len(read) == 3
