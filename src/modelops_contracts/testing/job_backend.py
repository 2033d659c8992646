"""What every JobBackend does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from modelops_contracts.errors import ModelOpsError, NotFound
from modelops_contracts.job_state import JobState
from modelops_contracts.ports import JobBackend
from modelops_contracts.testing.expect import expect

__all__ = ["JobBackendConformance"]


class JobBackendConformance:
    """Inherit and define the fixtures ``backend``, ``quick_spec`` (a job that soon succeeds),
    ``endless_spec`` (one that runs until it is cancelled) and ``refused_spec`` (one that submit
    must refuse)."""

    def test_an_empty_backend_knows_no_job(self, backend: JobBackend) -> None:
        assert list(backend.list()) == []
        calls: list[Callable[[str], object]] = [
            backend.status,
            backend.cancel,
            backend.attach,
            lambda job_id: list(backend.logs(job_id)),
        ]
        for call in calls:
            with expect(NotFound):
                call("job-00000000")

    def test_a_submitted_job_is_known_at_once(
        self, backend: JobBackend, quick_spec: Mapping[str, Any]
    ) -> None:
        job_id = backend.submit(quick_spec)
        assert backend.status(job_id).job_id == job_id
        assert [status.job_id for status in backend.list()] == [job_id]
        backend.attach(job_id)

    def test_attaching_waits_for_the_end(
        self, backend: JobBackend, quick_spec: Mapping[str, Any]
    ) -> None:
        job_id = backend.submit(quick_spec)
        assert backend.attach(job_id).state is JobState.SUCCEEDED
        assert backend.status(job_id).state is JobState.SUCCEEDED
        assert backend.attach(job_id).state is JobState.SUCCEEDED

    def test_jobs_are_listed_newest_first(
        self, backend: JobBackend, quick_spec: Mapping[str, Any]
    ) -> None:
        submitted = []
        for _ in range(3):
            submitted.append(backend.submit(quick_spec))
            backend.attach(submitted[-1])
        assert len(set(submitted)) == 3
        assert [status.job_id for status in backend.list()] == submitted[::-1]

    def test_a_refused_job_leaves_nothing(
        self, backend: JobBackend, refused_spec: Mapping[str, Any]
    ) -> None:
        with expect(ModelOpsError):
            backend.submit(refused_spec)
        assert list(backend.list()) == []

    def test_cancelling_ends_a_job(
        self, backend: JobBackend, endless_spec: Mapping[str, Any]
    ) -> None:
        job_id = backend.submit(endless_spec)
        backend.cancel(job_id)
        assert backend.attach(job_id).state is JobState.CANCELLED

    def test_cancelling_what_has_ended_does_nothing(
        self, backend: JobBackend, quick_spec: Mapping[str, Any]
    ) -> None:
        job_id = backend.submit(quick_spec)
        backend.attach(job_id)
        backend.cancel(job_id)
        assert backend.status(job_id).state is JobState.SUCCEEDED

    def test_following_the_log_ends_with_the_job(
        self, backend: JobBackend, quick_spec: Mapping[str, Any]
    ) -> None:
        job_id = backend.submit(quick_spec)
        followed = list(backend.logs(job_id, follow=True))
        assert backend.status(job_id).state.ended
        assert followed == list(backend.logs(job_id))
