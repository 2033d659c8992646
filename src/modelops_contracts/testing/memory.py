"""Small adapters for tests: they keep everything in memory."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, BinaryIO

from modelops_contracts.errors import Conflict, IntegrityError, InvalidInput, NotFound
from modelops_contracts.expected import ANYTHING, Expected
from modelops_contracts.job_state import JobState, JobStatus

__all__ = ["MemoryArtifactStore", "MemoryJobBackend", "RecordingReporter"]


class MemoryArtifactStore:
    """An ArtifactStore that forgets everything at the end."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self._tags: dict[str, str] = {}

    def resolve(self, reference: str) -> str:
        digest = self._tags.get(reference, reference)
        if digest not in self.manifests:
            raise NotFound(f"no manifest {reference}")
        return digest

    def get_manifest(self, digest: str) -> bytes:
        if digest not in self.manifests:
            raise NotFound(f"no manifest {digest}")
        return _verified(digest, self.manifests[digest])

    def put_manifest(
        self,
        data: bytes,
        *,
        media_type: str,
        tag: str | None = None,
        expected: str | Expected | None = ANYTHING,
    ) -> str:
        content = json.loads(data)
        for part in (content["config"], *content["layers"]):
            if part["digest"] not in self.blobs:
                raise NotFound(f"no blob {part['digest']}")
        found = self._tags.get(tag or "")
        if expected is not ANYTHING and found != expected:
            raise Conflict(f"{tag} is at {found}, not at {expected}", code="tag_moved")
        digest = _digest(data)
        self.manifests[digest] = data
        if tag is not None:
            self._tags[tag] = digest
        return digest

    def has_blob(self, digest: str) -> bool:
        return digest in self.blobs

    def get_blob(self, digest: str) -> BinaryIO:
        if digest not in self.blobs:
            raise NotFound(f"no blob {digest}")
        return io.BytesIO(_verified(digest, self.blobs[digest]))

    def put_blob(self, digest: str, source: BinaryIO) -> None:
        self.blobs[digest] = _verified(digest, source.read())

    def tags(self) -> Mapping[str, str]:
        return dict(self._tags)


def _digest(data: bytes) -> str:
    return f"sha256:{sha256(data).hexdigest()}"


def _verified(digest: str, data: bytes) -> bytes:
    if _digest(data) != digest:
        raise IntegrityError(f"the bytes are not those of {digest}")
    return data


class MemoryJobBackend:
    """A JobBackend whose jobs do nothing.

    A spec is ``{"outcome": state}``; with ``"running"`` the job runs until it is cancelled.
    """

    def __init__(self) -> None:
        self._jobs: dict[str, JobStatus] = {}

    def submit(self, spec: Mapping[str, Any]) -> str:
        try:
            state = JobState(spec["outcome"])
        except (KeyError, ValueError):
            raise InvalidInput(f"no outcome in {dict(spec)}") from None
        job_id = f"job-{len(self._jobs):08x}"
        self._jobs[job_id] = JobStatus(job_id, state)
        return job_id

    def status(self, job_id: str) -> JobStatus:
        if job_id not in self._jobs:
            raise NotFound(f"no job {job_id}")
        return self._jobs[job_id]

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        status = self.attach(job_id) if follow else self.status(job_id)
        return iter([f"{status.job_id} {status.state}"])

    def cancel(self, job_id: str) -> None:
        status = self.status(job_id)
        if not status.state.ended:
            self._jobs[job_id] = replace(status, state=JobState.CANCELLED)

    def list(self) -> Sequence[JobStatus]:
        return tuple(reversed(self._jobs.values()))

    def attach(self, job_id: str) -> JobStatus:
        status = self.status(job_id)
        assert status.state.ended, "a job in memory never ends by itself"
        return status


@dataclass
class RecordingReporter:
    """A Reporter that remembers: ``events`` holds (method, arguments) in order."""

    events: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    on_event: Callable[[str], None] | None = None

    def start(self, what: str, total: int | None) -> None:
        self._record("start", what, total)

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        self._record("advance", n, failed, note)

    def note(self, text: str) -> None:
        self._record("note", text)

    def warn(self, text: str) -> None:
        self._record("warn", text)

    def finish(self, summary: str = "") -> None:
        self._record("finish", summary)

    @property
    def done(self) -> int:
        """Units reported as finished."""
        return sum(arguments[0] for name, arguments in self.events if name == "advance")

    def _record(self, name: str, *arguments: Any) -> None:
        self.events.append((name, arguments))
        if self.on_event is not None:
            self.on_event(name)
