"""What every Executor does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from modelops_contracts.ports import Executor
from modelops_contracts.testing.expect import expect

__all__ = ["ExecutorConformance"]


def double(x: int) -> int:
    return 2 * x


def add(x: int, y: int) -> int:
    return x + y


def refuse(x: int) -> int:
    raise LookupError(f"no place for {x}")


def refuse_seven(x: int) -> int:
    return refuse(x) if x == 7 else x


class ExecutorConformance:
    """Inherit and define a fixture ``executor``; the fixture closes it afterwards."""

    def test_slots(self, executor: Executor) -> None:
        assert executor.slots >= 1

    def test_results(self, executor: Executor) -> None:
        futures = [executor.submit(add, i, 10) for i in range(20)]
        assert [future.result(timeout=60) for future in futures] == list(range(10, 30))
        assert all(future.done() for future in futures)
        assert futures[0].exception() is None

    def test_an_exception_keeps_type_and_message(self, executor: Executor) -> None:
        future = executor.submit(refuse, 3)
        with expect(LookupError, "no place for 3"):
            future.result(timeout=60)
        assert isinstance(future.exception(timeout=60), LookupError)
        assert executor.submit(double, 2).result(timeout=60) == 4

    def test_results_of_a_map_keep_their_order(self, executor: Executor) -> None:
        assert list(executor.map_batches(double, range(50))) == [2 * i for i in range(50)]
        assert list(executor.map_batches(double, [])) == []

    def test_a_map_reads_only_a_little_ahead(self, executor: Executor) -> None:
        taken: list[int] = []

        def endless() -> Iterator[int]:
            for number in count():
                taken.append(number)
                yield number

        results = executor.map_batches(double, endless(), in_flight=4)
        assert list(islice(results, 5)) == [0, 2, 4, 6, 8]
        assert len(taken) <= 5 + 4

    def test_the_first_exception_ends_a_map(self, executor: Executor) -> None:
        seen: list[int] = []
        with expect(LookupError, "no place for 7"):
            for result in executor.map_batches(refuse_seven, range(1000), in_flight=2):
                seen.append(result)  # noqa: PERF402  (the partial result is what is looked at)
        assert seen == list(range(7))

    def test_closing_is_final_and_may_be_repeated(self, executor: Executor) -> None:
        executor.close()
        executor.close()
        with expect(RuntimeError):
            executor.submit(double, 1)
