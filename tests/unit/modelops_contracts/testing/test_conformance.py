"""The conformance classes accept a right adapter, and notice a wrong one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, BinaryIO

import pytest

from modelops_contracts.errors import NotFound
from modelops_contracts.ports import ArtifactStore, Executor, JobBackend, Reporter
from modelops_contracts.testing import (
    ArtifactStoreConformance,
    ExecutorConformance,
    JobBackendConformance,
    MemoryArtifactStore,
    MemoryJobBackend,
    RecordingReporter,
)
from modelops_contracts.testing.artifact_store import digest_of
from modelops_contracts.testing.expect import expect


class TestMemoryArtifactStore(ArtifactStoreConformance):
    @pytest.fixture
    def store(self) -> ArtifactStore:
        return MemoryArtifactStore()

    def damage(self, store: ArtifactStore, digest: str) -> bool:
        assert isinstance(store, MemoryArtifactStore)
        for shelf in (store.blobs, store.manifests):
            if digest in shelf:
                shelf[digest] = shelf[digest] + b"!"
        return True


class Threads:
    """The smallest executor that does what the port says."""

    slots = 2

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.slots)

    def submit(self, call: Callable[..., Any], /, *args: Any) -> Future[Any]:
        return self._pool.submit(call, *args)

    def map_batches(
        self, call: Callable[[Any], Any], batches: Iterable[Any], *, in_flight: int | None = None
    ) -> Iterator[Any]:
        waiting: list[Future[Any]] = []
        try:
            for batch in batches:
                waiting.append(self.submit(call, batch))
                if len(waiting) >= (in_flight or 4):
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        finally:
            for future in waiting:
                future.cancel()

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


class TestThreads(ExecutorConformance):
    @pytest.fixture
    def executor(self) -> Iterator[Executor]:
        threads = Threads()
        yield threads
        threads.close()


class TestMemoryJobBackend(JobBackendConformance):
    @pytest.fixture
    def backend(self) -> JobBackend:
        return MemoryJobBackend()

    @pytest.fixture
    def quick_spec(self) -> dict[str, str]:
        return {"outcome": "succeeded"}

    @pytest.fixture
    def endless_spec(self) -> dict[str, str]:
        return {"outcome": "running"}

    @pytest.fixture
    def refused_spec(self) -> dict[str, str]:
        return {"outcome": "nonsense"}


class Trusting(MemoryArtifactStore):
    def put_blob(self, digest: str, source: BinaryIO) -> None:
        self.blobs[digest] = source.read()


def test_a_store_that_believes_any_digest_is_noticed() -> None:
    suite = ArtifactStoreConformance()
    with pytest.raises(AssertionError, match="nothing raised IntegrityError"):
        suite.test_a_blob_under_a_false_digest_is_not_stored(Trusting())


class Greedy(Threads):
    def map_batches(
        self, call: Callable[[Any], Any], batches: Iterable[Any], *, in_flight: int | None = None
    ) -> Iterator[Any]:
        return super().map_batches(call, batches, in_flight=500)


def test_an_executor_that_reads_too_far_ahead_is_noticed() -> None:
    greedy = Greedy()
    with pytest.raises(AssertionError):
        ExecutorConformance().test_a_map_reads_only_a_little_ahead(greedy)
    greedy.close()


class Forgetful(MemoryJobBackend):
    def cancel(self, job_id: str) -> None:
        """Knows every job, it says."""


def test_a_backend_that_cancels_the_unknown_is_noticed() -> None:
    with pytest.raises(AssertionError, match="nothing raised NotFound"):
        JobBackendConformance().test_an_empty_backend_knows_no_job(Forgetful())


def test_expect() -> None:
    with expect(NotFound, "part"):
        raise NotFound("a part of it")
    with pytest.raises(AssertionError, match="does not say"), expect(NotFound, "other"):
        raise NotFound("a part of it")
    with pytest.raises(KeyError), expect(ValueError):
        raise KeyError("x")


def test_a_recording_reporter_counts() -> None:
    recorder = RecordingReporter()
    reporter: Reporter = recorder
    reporter.start("work", 3)
    reporter.advance(2, failed=1)
    reporter.advance()
    reporter.finish("done")
    assert recorder.done == 3
    assert [name for name, _ in recorder.events] == ["start", "advance", "advance", "finish"]


def test_streams_are_closed() -> None:
    store = MemoryArtifactStore()
    store.put_blob(digest_of(b"x"), io.BytesIO(b"x"))
    with store.get_blob(digest_of(b"x")) as stream:
        assert stream.read() == b"x"
