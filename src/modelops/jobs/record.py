"""What is known of a job, as it stands in its state.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from modelops_contracts.errors import IntegrityError
from modelops_contracts.job_state import JobState, JobStatus

__all__ = [
    "HEARTBEAT_SECONDS",
    "SILENCE_SECONDS",
    "STATE_SCHEMA",
    "JobRecord",
    "Progress",
    "timestamp",
]

STATE_SCHEMA = "mops.job/1"
HEARTBEAT_SECONDS = 5.0
#: A job that was not heard of for so long is lost.
SILENCE_SECONDS = 3 * HEARTBEAT_SECONDS


def timestamp(moment: datetime | None = None) -> str:
    """ISO 8601 UTC with milliseconds."""
    return (moment or datetime.now(UTC)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    ``total``, ``done`` and ``failed`` count simulations of a study, trials of a calibration;
    ``done`` includes what failed and what was there already. ``reused`` and ``simulated`` count
    simulations of either: stored by another job before, and run by this one since it was last
    started. ``rate`` is per second, ``eta`` in seconds, ``best`` the lowest objective so far
    (during a search: optimistic).
    """

    total: int = 0
    done: int = 0
    failed: int = 0
    reused: int = 0
    simulated: int = 0
    rate: float | None = None
    eta: float | None = None
    best: float | None = None


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One job. Times are ISO 8601 UTC; ``bundle`` is the manifest digest it runs."""

    job_id: str
    kind: str
    name: str
    state: JobState
    created: str
    updated: str
    bundle: str = ""
    environment: str = "local"
    model: str = ""
    targets: tuple[str, ...] = ()
    parameter_sets: int = 0
    replicates: int = 0
    tags: Mapping[str, str] = field(default_factory=dict)
    started: str = ""
    ended: str = ""
    heartbeat: str = ""
    pid: int = 0
    progress: Progress = Progress()
    message: str = ""
    error: Mapping[str, Any] | None = None

    def to_json(self) -> dict[str, Any]:
        data = asdict(self)
        return {"schema": STATE_SCHEMA, **data, "targets": list(self.targets)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> JobRecord:
        """Raises IntegrityError for another schema or missing fields; newer fields are ignored."""
        if data.get("schema") != STATE_SCHEMA:
            raise IntegrityError(
                f"job state of schema {data.get('schema')!r}; this version reads {STATE_SCHEMA}",
                hint="use the version of ModelOps that wrote it, or a newer one",
            )
        known = {item.name for item in fields(cls)}
        values = {key: value for key, value in data.items() if key in known}
        progress = {item.name for item in fields(Progress)}
        try:
            values["state"] = JobState(values["state"])
            values["targets"] = tuple(values.get("targets", ()))
            values["progress"] = Progress(
                **{k: v for k, v in values.get("progress", {}).items() if k in progress}
            )
            return cls(**values)
        except (KeyError, TypeError, ValueError) as error:
            raise IntegrityError(f"job state is damaged: {error}") from error

    def to_text(self) -> str:
        return json.dumps(self.to_json(), indent=2)

    def to_status(self) -> JobStatus:
        """The value of the JobBackend port."""
        return JobStatus(
            job_id=self.job_id,
            state=self.state,
            kind=self.kind,
            name=self.name,
            done=self.progress.done,
            failed=self.progress.failed,
            total=self.progress.total,
            message=self.message,
            detail=self.to_json(),
        )

    def with_state(self, state: JobState, message: str = "") -> JobRecord:
        return replace(self, state=state, updated=timestamp(), message=message or self.message)


def silence_of(record: JobRecord, now: datetime) -> float:
    """Seconds since the job was last heard of."""
    last = max(record.updated, record.heartbeat)
    return (now - datetime.fromisoformat(last)).total_seconds()
