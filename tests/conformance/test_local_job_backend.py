"""The local backend keeps the promises of the port."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from modelops.jobs.backends.local import LocalJobBackend
from support.job_backend_suite import JobBackendSuite
from support.jobs import driver_command, make_job


class TestLocalJobBackend(JobBackendSuite):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> LocalJobBackend:
        environ = {**os.environ, "MODELOPS_HOME": str(tmp_path / "home")}
        return LocalJobBackend(tmp_path, environ=environ, command=driver_command())

    @pytest.fixture
    def make_submission(self) -> Any:
        return lambda job_id, part: make_job(job_id, part=part)
