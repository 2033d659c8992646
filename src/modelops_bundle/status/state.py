"""The value that says how a project stands; values alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from modelops_bundle.diff import FileChanges
from modelops_bundle.drift.changes import Change, Decision
from modelops_bundle.drift.staleness import Reason, State, is_structural
from modelops_bundle.findings import Finding
from modelops_contracts.places import Kind

Sync = Literal["in sync", "ahead", "behind", "diverged", "not pushed", "unknown"]


@dataclass(frozen=True, slots=True)
class EntryStatus:
    """How one model or target stands.

    `renamed_to` and `similarity` say what a lost entry became or may have become.
    """

    kind: Kind
    id: str
    state: State
    path: str
    entrypoint: str
    reasons: tuple[Reason, ...] = ()
    findings: tuple[Finding, ...] = ()
    outputs: tuple[str, ...] = ()
    weight: float | None = None
    labels: Mapping[str, str] | None = None
    digest: str | None = None
    renamed_to: str | None = None
    similarity: float | None = None

    @property
    def structural(self) -> bool:
        """True when this keeps the project from being pushed."""
        return is_structural(self.state)

    @property
    def note(self) -> str:
        """Why, in a few words; empty when nothing is to be said."""
        if self.renamed_to is not None:
            alike = f" (similarity {self.similarity:.2f})" if self.similarity != 1.0 else ""
            return f"{self.renamed_to}{alike}"
        if self.findings:
            return str(self.findings[0]).partition(": ")[2]
        return ", ".join(str(reason) for reason in self.reasons)

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "id": self.id, "state": self.state, "structural": self.structural, "note": self.note,
            "reasons": [reason.to_json() for reason in self.reasons],
            "path": self.path, "entrypoint": self.entrypoint, "outputs": list(self.outputs),
            "weight": self.weight, "labels": dict(self.labels or {}), "digest": self.digest,
            "renamed_to": self.renamed_to, "similarity": self.similarity,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class SetStatus:
    """One target set, with the weight that each member gets in it."""

    name: str
    targets: tuple[str, ...]
    weights: Mapping[str, float]

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {"name": self.name, "targets": list(self.targets), "weights": dict(self.weights)}


@dataclass(frozen=True, slots=True)
class ProjectStatus:
    """How a project stands, as far as its own directory knows (and its store, when given).

    `files` compares the tracked files with the last push of `tag`, or with nothing at all. With a
    store, `remote` is the manifest the tag is at there; `sync_problem` says why it is not known.
    """

    root: str
    repository: str
    tag: str
    environment: str | None
    models: tuple[EntryStatus, ...]
    targets: tuple[EntryStatus, ...]
    sets: tuple[SetStatus, ...]
    new: tuple[Change, ...]
    files: FileChanges
    tracked: int
    findings: tuple[Finding, ...]
    decisions: tuple[Decision, ...]
    sync: Sync
    last_push: str | None = None
    last_push_at: str | None = None
    sync_problem: str | None = None
    sync_exit_code: int = 0
    sync_hint: str | None = None
    remote: str | None = None

    @property
    def ready(self) -> bool:
        """True when a push would not be refused."""
        return not self.errors

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What a push would be refused for."""
        return tuple(item for item in self.findings if item.severity == "error")

    @property
    def exit_code(self) -> int:
        """What the console returns: 3 when push would stop, else 0."""
        return 0 if self.ready else 3

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        states = Counter(item.state for item in (*self.models, *self.targets))
        return {
            "bundle": {
                "root": self.root, "repository": self.repository, "tag": self.tag,
                "environment": self.environment, "baseline": self.last_push,
                "pushed_at": self.last_push_at,
            },
            "sync": f"{self.sync} ({self.sync_problem})" if self.sync_problem else self.sync,
            "remote": self.remote,
            "models": [item.to_json() for item in self.models],
            "targets": [item.to_json() for item in self.targets],
            "target_sets": [item.to_json() for item in self.sets],
            "new": [item.to_json() for item in self.new],
            "files": {**self.files.to_json(), "tracked": self.tracked},
            "findings": [item.to_json() for item in self.findings],
            "decisions": [item.to_json() for item in self.decisions],
            "summary": {"ready": self.ready, "states": dict(states)},
        }  # fmt: skip
