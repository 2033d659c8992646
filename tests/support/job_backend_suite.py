"""What every JobBackend promises. An adapter's test inherits the class and gives a ``backend``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modelops_contracts.errors import NotFound, Unavailable
from modelops_contracts.job_state import JobState
from modelops_contracts.ports import JobBackend

Submission = Callable[..., dict[str, Any]]


class JobBackendSuite:
    """Fixtures to give: ``backend``, and ``make_submission(job_id, part)``.

    Parts: succeed, fail, wait (until cancelled), refuse (the driver does not come up).
    """

    def test_it_is_a_job_backend(self, backend: JobBackend) -> None:
        assert isinstance(backend, JobBackend)

    def test_after_submit_every_method_knows_the_job(
        self, backend: JobBackend, make_submission: Submission
    ) -> None:
        job_id = backend.submit(make_submission("job-aaaa0001", "succeed"))
        assert backend.status(job_id).job_id == job_id
        assert [status.job_id for status in backend.list()] == [job_id]
        assert backend.attach(job_id).state is JobState.SUCCEEDED
        assert backend.status(job_id).state is JobState.SUCCEEDED
        assert any("playing succeed" in line for line in backend.logs(job_id))

    def test_a_failing_submit_leaves_nothing(
        self, backend: JobBackend, make_submission: Submission
    ) -> None:
        with pytest.raises(Unavailable):
            backend.submit(make_submission("job-aaaa0001", "refuse"))
        assert list(backend.list()) == []
        with pytest.raises(NotFound):
            backend.status("job-aaaa0001")

    def test_cancel_ends_a_running_job_and_is_harmless_twice(
        self, backend: JobBackend, make_submission: Submission
    ) -> None:
        job_id = backend.submit(make_submission("job-aaaa0001", "wait"))
        backend.cancel(job_id)
        assert backend.attach(job_id).state is JobState.CANCELLED
        backend.cancel(job_id)
        assert backend.status(job_id).state is JobState.CANCELLED

    def test_following_the_logs_ends_with_the_job(
        self, backend: JobBackend, make_submission: Submission
    ) -> None:
        job_id = backend.submit(make_submission("job-aaaa0001", "fail"))
        assert any("playing fail" in line for line in backend.logs(job_id, follow=True))
        assert backend.attach(job_id).state is JobState.FAILED

    def test_newest_first(self, backend: JobBackend, make_submission: Submission) -> None:
        for number in (1, 2, 3):
            backend.attach(backend.submit(make_submission(f"job-aaaa000{number}", "succeed")))
        assert [status.job_id[-1] for status in backend.list()] == ["3", "2", "1"]

    @pytest.mark.parametrize("call", ["status", "cancel", "attach", "logs"])
    def test_an_unknown_job_is_not_found(self, backend: JobBackend, call: str) -> None:
        with pytest.raises(NotFound):
            getattr(backend, call)("job-ffffffff")
