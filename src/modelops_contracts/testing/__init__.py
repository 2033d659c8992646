"""Conformance: what every adapter of a port must do, as test classes to inherit.

    class TestMyStore(ArtifactStoreConformance):
        @pytest.fixture
        def store(self, tmp_path):
            return MyStore(tmp_path)

The classes need pytest only as the runner that finds them. MemoryArtifactStore, MemoryJobBackend
and RecordingReporter are small adapters for tests of code that uses the ports.
"""

from __future__ import annotations

from modelops_contracts.testing.artifact_store import ArtifactStoreConformance
from modelops_contracts.testing.executor import ExecutorConformance
from modelops_contracts.testing.job_backend import JobBackendConformance
from modelops_contracts.testing.memory import (
    MemoryArtifactStore,
    MemoryJobBackend,
    RecordingReporter,
)

__all__ = [
    "ArtifactStoreConformance",
    "ExecutorConformance",
    "JobBackendConformance",
    "MemoryArtifactStore",
    "MemoryJobBackend",
    "RecordingReporter",
]
