"""Both executors keep the contract of the port."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelops.engine.executors.inline import InlineExecutor
from modelops.engine.executors.process_pool import ProcessPool
from modelops_contracts.ports import Executor
from modelops_contracts.testing.executor import ExecutorConformance


class TestInline(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        executor = InlineExecutor()
        yield executor
        executor.close()


class TestProcessPool(ExecutorConformance):
    @pytest.fixture(params=[1, 2, 4])
    def executor(self, request: pytest.FixtureRequest) -> Iterator[Executor]:
        executor = ProcessPool(request.param)
        yield executor
        executor.close()


class TestDebuggingInline:
    def test_the_exception_is_raised_where_it_happened(self) -> None:
        with pytest.raises(ZeroDivisionError):
            InlineExecutor(debug=True).submit(lambda: 1 // 0)

    def test_an_interrupt_is_nobodys_result(self) -> None:
        def interrupt() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            InlineExecutor().submit(interrupt)
