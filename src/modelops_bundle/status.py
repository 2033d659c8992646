"""One value that says how a project stands: entries, files, and the last push. No network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from modelops_bundle.baselines import Baseline, read_baseline, read_pushes
from modelops_bundle.candidates import lost_entry
from modelops_bundle.changes import Change, Decision
from modelops_bundle.checking import CheckedEntry
from modelops_bundle.codebase import Codebase, open_codebase
from modelops_bundle.diff import FileChanges, compare_files
from modelops_bundle.findings import Finding
from modelops_bundle.preflight import Preflight, run_preflight
from modelops_bundle.project import Project
from modelops_bundle.refreshing import RefreshOptions, plan_refresh
from modelops_bundle.registry import load_registry
from modelops_bundle.renames import Candidate, Match
from modelops_bundle.staleness import Reason, State, find_reasons, find_state, is_structural
from modelops_contracts.errors import NotFound
from modelops_contracts.ports import ArtifactStore
from modelops_contracts.registry import (
    REGISTRY_PATH,
    BundleRegistry,
    Entry,
    Kind,
    ModelEntry,
    TargetEntry,
)

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

    `files` compares the tracked files with the last push of `tag`, or with nothing at all.
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
            "sync": self.sync,
            "models": [item.to_json() for item in self.models],
            "targets": [item.to_json() for item in self.targets],
            "target_sets": [item.to_json() for item in self.sets],
            "new": [item.to_json() for item in self.new],
            "files": {**self.files.to_json(), "tracked": self.tracked},
            "findings": [item.to_json() for item in self.findings],
            "decisions": [item.to_json() for item in self.decisions],
            "summary": {"ready": self.ready, "states": dict(states)},
        }  # fmt: skip


def read_status(
    project: Project, *, tag: str | None = None, store: ArtifactStore | None = None,
    location: str | None = None,
) -> ProjectStatus:  # fmt: skip
    """Find out how a project stands; only caches of this project are written.

    `location` is the store's reference without a tag; with it the last push to it is the baseline
    (else the last push anywhere under that tag). With a `store`, the tag is looked up there too.
    """
    chosen = tag or project.default_tag
    codebase = open_codebase(project)
    registry = load_registry(project.root, cache=codebase.cache)
    preflight = run_preflight(project, codebase, registry)
    plan = plan_refresh(codebase, registry, RefreshOptions())
    reference = _reference(project, chosen, location)
    baseline = read_baseline(project, reference) if reference else None
    files = _file_changes(codebase, preflight, baseline)
    pushed = read_pushes(project).get(reference or "", {})
    successors = _successors(codebase, preflight, plan.changes, plan.decisions)
    entries = [_entry_status(item, successors, registry, codebase)
               for item in preflight.checked.entries]  # fmt: skip
    codebase.save()
    return ProjectStatus(
        root=str(project.root),
        repository=project.repository,
        tag=chosen,
        environment=project.environment_name,
        models=tuple(item for item in entries if item.kind == "model"),
        targets=tuple(item for item in entries if item.kind == "target"),
        sets=_sets(registry),
        new=tuple(change for change in plan.changes if change.action == "new"),
        files=files,
        tracked=len(preflight.tracked),
        findings=_with_commands(preflight.findings, plan.decisions),
        decisions=plan.decisions,
        sync=_sync(baseline, files, store, chosen),
        last_push=baseline.manifest if baseline is not None else None,
        last_push_at=pushed.get("pushed_at"),
    )


def _reference(project: Project, tag: str, location: str | None) -> str | None:
    if location is not None:
        return f"{location}:{tag}"
    known = [name for name in read_pushes(project) if name.endswith(f":{tag}")]
    return known[-1] if known else None


def _file_changes(
    codebase: Codebase, preflight: Preflight, baseline: Baseline | None
) -> FileChanges:
    rows = codebase.files.rows(preflight.tracked)
    now = {path: (row.sha256, row.mode) for path, row in rows.items() if row is not None}
    before = dict(baseline.files) if baseline is not None else {}
    # Recording digests rewrites the registry at every push; what it says is shown by entry.
    for state in (now, before):
        state.pop(REGISTRY_PATH, None)
    return compare_files(before, now)


def _sync(
    baseline: Baseline | None, files: FileChanges, store: ArtifactStore | None, tag: str
) -> Sync:
    remote = _remote(store, tag) if store is not None else None
    if store is not None and remote is None:
        return "not pushed"
    if baseline is None:
        return "unknown" if remote is not None else "not pushed"
    if remote is not None and remote != baseline.manifest:
        return "diverged" if len(files) else "behind"
    return "ahead" if len(files) else "in sync"


def _remote(store: ArtifactStore, tag: str) -> str | None:
    try:
        return store.resolve(tag)
    except NotFound:
        return None


def _sets(registry: BundleRegistry) -> tuple[SetStatus, ...]:
    found = []
    for name, group in registry.target_sets.items():
        own = {key: registry.targets[key].weight for key in group.targets if key in
               registry.targets}  # fmt: skip
        found.append(SetStatus(name, tuple(group.targets), {**own, **group.weights}))
    return tuple(found)


def _entry_status(
    item: CheckedEntry,
    successors: Mapping[tuple[Kind, str], tuple[Match, str]],
    registry: BundleRegistry,
    codebase: Codebase,
) -> EntryStatus:
    entry = item.entry
    match, new_name = successors.get((item.kind, item.id), (None, None))
    reasons = _reasons(item, registry, codebase)
    return EntryStatus(
        kind=item.kind,
        id=item.id,
        state=find_state(item.findings, reasons, match),
        path=entry.path.as_posix(),
        entrypoint=entry.entrypoint,
        reasons=reasons,
        findings=item.findings,
        outputs=tuple(entry.outputs) if isinstance(entry, ModelEntry) else (entry.model_output,),
        weight=entry.weight if isinstance(entry, TargetEntry) else None,
        labels=dict(entry.labels),
        digest=entry.digest,
        renamed_to=new_name,
        similarity=match.similarity if match is not None else None,
    )


def _reasons(
    item: CheckedEntry, registry: BundleRegistry, codebase: Codebase
) -> tuple[Reason, ...]:
    if item.record is None:
        return ()
    recorded = registry.environment.digest if registry.environment is not None else None
    current: Entry = item.record.entry
    return find_reasons(item.entry, current, recorded, codebase.environment.record.digest)


def _successors(
    codebase: Codebase,
    preflight: Preflight,
    changes: tuple[Change, ...],
    decisions: tuple[Decision, ...],
) -> dict[tuple[Kind, str], tuple[Match, str]]:
    found: dict[tuple[Kind, str], tuple[Match, str]] = {}
    by_key = preflight.checked.by_key
    for change in changes:
        key = (change.kind, change.old_id or "")
        if change.action in {"renamed", "moved"} and key in by_key:
            candidate = Candidate(change.path, change.symbol, None)
            name = change.id if change.action == "renamed" else change.path
            lost = lost_entry(codebase, *key, by_key[key].entry)
            found[key] = (Match(lost, candidate, certain=True), name)
    for item in decisions:
        key = (item.kind, item.old_id)
        if key in by_key:
            candidate = Candidate(item.new_path, item.new_symbol, None)
            lost = lost_entry(codebase, *key, by_key[key].entry)
            match = Match(lost, candidate, certain=False, similarity=item.similarity)
            found[key] = (match, item.new_symbol)
    return found


def _with_commands(
    findings: tuple[Finding, ...], decisions: tuple[Decision, ...]
) -> tuple[Finding, ...]:
    commands = {item.old_id: item.command for item in decisions}
    return tuple(
        Finding(
            str(item), code=item.code, severity=item.severity, kind=item.kind, id=item.id,
            path=item.path, line=item.line, fix="decide", hint=commands[item.id],
        )
        if item.id in commands and item.fix == "refresh"
        else item
        for item in findings
    )  # fmt: skip
