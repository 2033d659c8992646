"""The local backend keeps the promises of the port."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from modelops.jobs.backends.local import LocalJobBackend
from modelops_contracts.testing.job_backend import JobBackendConformance
from support.jobs import driver_command, make_job


class _FreshIds(Mapping[str, Any]):
    """A submission that carries a new id each time it is read, as two submissions would."""

    def __init__(self, part: str) -> None:
        self._part = part
        self._numbers = itertools.count(1)

    def __getitem__(self, key: str) -> Any:
        if key == "record":
            self._job = make_job(f"job-{next(self._numbers):08x}", part=self._part)
        return self._job[key]

    def __iter__(self) -> Any:
        return iter(("record", "documents"))

    def __len__(self) -> int:
        return 2


class TestLocalJobBackend(JobBackendConformance):
    @pytest.fixture
    def backend(self, tmp_path: Path) -> LocalJobBackend:
        environ = {**os.environ, "MODELOPS_HOME": str(tmp_path / "home")}
        return LocalJobBackend(tmp_path, environ=environ, command=driver_command())

    @pytest.fixture
    def quick_spec(self) -> Mapping[str, Any]:
        return _FreshIds("succeed")

    @pytest.fixture
    def endless_spec(self) -> Mapping[str, Any]:
        return _FreshIds("wait")

    @pytest.fixture
    def refused_spec(self) -> Mapping[str, Any]:
        return _FreshIds("refuse")
