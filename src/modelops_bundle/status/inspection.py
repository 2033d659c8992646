"""How a project stands, found out by reading it; see `modelops_bundle.status.reading`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from modelops_bundle.code.codebase import Codebase, Evidence, open_codebase
from modelops_bundle.code.imports import find_chain
from modelops_bundle.diff import FileChanges, compare_files
from modelops_bundle.drift.candidates import lost_entry
from modelops_bundle.drift.changes import Change, Decision
from modelops_bundle.drift.checked import CheckedEntry
from modelops_bundle.drift.refreshing import RefreshOptions, name_commands, plan_refresh
from modelops_bundle.drift.renames import Candidate, Match
from modelops_bundle.drift.staleness import Reason, find_reasons, find_state
from modelops_bundle.preflight import Preflight, run_preflight
from modelops_bundle.project.baselines import Baseline
from modelops_bundle.project.project import Project
from modelops_bundle.registry import load_registry
from modelops_bundle.status.state import EntryStatus, ProjectStatus, SetStatus
from modelops_contracts.places import REGISTRY_PATH, Kind
from modelops_contracts.registry import BundleRegistry, Entry, ModelEntry, TargetEntry


@dataclass(frozen=True, slots=True)
class Inspection:
    """A status, and everything on disk that it was read from."""

    status: ProjectStatus
    evidence: Evidence


def inspect_project(project: Project, *, tag: str, baseline: Baseline | None) -> Inspection:
    """Read the whole project; `sync` and the last push are left for the caller to fill in."""
    codebase = open_codebase(project)
    registry = load_registry(project.root, cache=codebase.cache)
    preflight = run_preflight(project, codebase, registry)
    plan = plan_refresh(codebase, registry, RefreshOptions())
    likely = (*plan.decisions, *plan.guesses)
    successors = _successors(codebase, preflight, plan.changes, likely)
    entries = [
        _entry_status(item, successors, registry, codebase) for item in preflight.checked.entries
    ]
    status = ProjectStatus(
        root=str(project.root),
        repository=project.repository,
        tag=tag,
        environment=project.environment_name,
        models=tuple(item for item in entries if item.kind == "model"),
        targets=tuple(item for item in entries if item.kind == "target"),
        sets=_sets(registry),
        new=tuple(change for change in plan.changes if change.action == "new"),
        files=_file_changes(codebase, preflight, baseline),
        tracked=len(preflight.tracked),
        findings=name_commands(preflight.findings, likely),
        decisions=plan.decisions,
        sync="unknown",
    )
    evidence = codebase.evidence(preflight.tracked)
    codebase.save()
    return Inspection(status, evidence)


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
    found = find_reasons(item.entry, current, recorded, codebase.environment.record.digest)
    start = item.entry.path.as_posix()
    return tuple(
        replace(reason, chain=find_chain(codebase, start, reason.path))
        if reason.component == "code"
        else reason
        for reason in found
    )


def _new_name(change: Change) -> str:
    """Return the new id, or the new symbol of an entry whose id was chosen and stays."""
    return change.symbol if change.id == change.old_id else change.id


def _successors(
    codebase: Codebase,
    preflight: Preflight,
    changes: tuple[Change, ...],
    decisions: tuple[Decision, ...],
) -> dict[tuple[Kind, str], tuple[Match, str]]:
    found: dict[tuple[Kind, str], tuple[Match, str]] = {}
    by_key = preflight.checked.by_key
    for change in changes:
        if change.kind == "set":
            continue
        key = (change.kind, change.old_id or "")
        if change.action in {"renamed", "moved"} and key in by_key:
            candidate = Candidate(change.path, change.symbol, None)
            name = change.path if change.action == "moved" else _new_name(change)
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
