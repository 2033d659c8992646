"""States of a job, and what is known of it at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from modelops_contracts.frozen import FrozenValue, read_only

__all__ = ["JobState", "JobStatus"]


class JobState(StrEnum):
    """Where a job is in its life."""

    PENDING = "pending"
    SUBMITTING = "submitting"
    QUEUED = "queued"
    RUNNING = "running"
    LOST = "lost"
    FINALIZING = "finalizing"
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def ended(self) -> bool:
        """True when no other state can follow on its own."""
        return self in _ENDED


_ENDED = frozenset({JobState.SUCCEEDED, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True)
class JobStatus(FrozenValue):
    """A job at one moment. Counts are of simulations for a study, of trials for a calibration."""

    job_id: str
    state: JobState
    kind: str = ""
    name: str = ""
    done: int = 0
    failed: int = 0
    total: int | None = None
    message: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", JobState(self.state))
        object.__setattr__(self, "detail", read_only(self.detail))
