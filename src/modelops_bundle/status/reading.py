"""How a project stands: asked often, so the answer is remembered while nothing changed."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from modelops_bundle.project.baselines import Baseline, baseline_path, read_baseline, read_pushes
from modelops_bundle.project.project import Project
from modelops_bundle.recovery.interruption import find_interruption
from modelops_bundle.status.memo import recall, remember
from modelops_bundle.status.state import EntryStatus, ProjectStatus, SetStatus, Sync
from modelops_bundle.status.status_memo import decode_status, encode_status
from modelops_bundle.status.syncing import SyncState, find_sync

if TYPE_CHECKING:
    from modelops_bundle.diff import FileChanges
    from modelops_contracts.ports import ArtifactStore

__all__ = ["EntryStatus", "ProjectStatus", "SetStatus", "Sync", "read_status"]


def read_status(
    project: Project,
    *,
    tag: str | None = None,
    store: ArtifactStore | None = None,
    location: str | None = None,
) -> ProjectStatus:
    """Find out how a project stands; only caches of this project are written.

    `location` is the store's reference without a tag; with it the last push to it is the baseline
    (else the last push anywhere under that tag). With a `store`, the tag is looked up there too.
    """
    chosen = tag or project.default_tag
    pushes = read_pushes(project)
    reference = _reference(list(pushes), chosen, location)
    status = _status_of(project, chosen, reference)
    sync = SyncState(status.sync)
    if store is not None:
        sync = find_sync(project, store, chosen, _baseline_of(project, reference))
    interruption = find_interruption(project)  # never remembered: it comes and goes by itself
    return replace(
        status,
        findings=(*([interruption] if interruption is not None else []), *status.findings),
        sync=sync.word,
        sync_problem=sync.problem,
        sync_exit_code=sync.exit_code,
        sync_hint=sync.hint,
        remote=sync.manifest,
        last_push_at=pushes.get(reference or "", {}).get("pushed_at"),
    )


def _status_of(project: Project, tag: str, reference: str | None) -> ProjectStatus:
    """Return what the project itself says; no store is asked."""
    question = [tag, reference or ""]
    known = recall(project, "status", question, decode_status)
    if known is not None:
        return known
    from modelops_bundle.status.inspection import inspect_project

    started = time.time_ns()
    baseline = _baseline_of(project, reference)
    found = inspect_project(project, tag=tag, baseline=baseline)
    status = replace(
        found.status,
        sync=_remembered_sync(baseline, found.status.files),
        last_push=baseline.manifest if baseline is not None else None,
    )
    own = [baseline_path(project, reference)] if reference else []
    remember(
        project, "status", question, encode_status(status), findings=status.findings,
        evidence=found.evidence, also=own, started_ns=started,
    )  # fmt: skip
    return status


def _baseline_of(project: Project, reference: str | None) -> Baseline | None:
    return read_baseline(project, reference) if reference else None


def _remembered_sync(baseline: Baseline | None, files: FileChanges) -> Sync:
    if baseline is None:
        return "not pushed"
    return "ahead" if len(files) else "in sync"


def _reference(pushed: list[str], tag: str, location: str | None) -> str | None:
    if location is not None:
        return f"{location}:{tag}"
    known = [name for name in pushed if name.endswith(f":{tag}")]
    return known[-1] if known else None
