"""A push that found nothing to send, remembered while neither project nor store has changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelops_bundle.findings import finding_from_json
from modelops_bundle.project.baselines import base_registry_path, baseline_path
from modelops_bundle.project.project import Project
from modelops_bundle.recovery.interruption import find_interruption
from modelops_bundle.status.memo import recall, remember
from modelops_bundle.transfer.push_summary import PushResult, PushSummary
from modelops_contracts.errors import NotFound

if TYPE_CHECKING:
    from modelops_bundle.code.codebase import Evidence
    from modelops_bundle.oci.store import BundleStore
    from modelops_bundle.transfer.push_plan import PushPlan


@dataclass(frozen=True, slots=True)
class _Known:
    manifest: str
    layers: tuple[str, ...]
    summary: PushSummary


def recall_push(project: Project, store: BundleStore, tag: str) -> PushResult | None:
    """Return what the same push found before; None unless project and store are as they were."""
    if find_interruption(project) is not None:
        return None
    reference = f"{store.location}:{tag}"
    known = recall(project, "push", [reference], lambda data: _decode(data, reference))
    if known is None or store.find(tag) != known.manifest or not _is_whole(store, known):
        return None
    return PushResult(known.summary, known.manifest, pushed=False)


def remember_push(plan: PushPlan, evidence: Evidence, started_ns: int) -> None:
    """Write down that a plan found everything up to date, and what it was read from.

    `started_ns` is when reading began. Nothing is kept of a push that something was wrong with.
    """
    assert plan.remote is not None
    if any(item.severity == "error" for item in plan.findings):
        return
    answer = {
        "manifest": plan.remote,
        "layers": list(plan.remote_layers),
        "content": plan.content,
        "total_files": len(plan.rows),
        "reused_layers": len(plan.buckets),
        "findings": [item.to_json() for item in plan.findings],
    }
    root = plan.project.root
    agreed = base_registry_path(plan.project).relative_to(root).as_posix()
    remember(
        plan.project, "push", [plan.reference], answer, findings=plan.findings, evidence=evidence,
        also=[baseline_path(plan.project, plan.reference), agreed], started_ns=started_ns,
    )  # fmt: skip


def _is_whole(store: BundleStore, known: _Known) -> bool:
    try:
        store.get_manifest(known.manifest)
    except NotFound:
        return False
    return all(store.has_blob(digest) for digest in known.layers)


def _decode(data: Mapping[str, Any], reference: str) -> _Known:
    summary = PushSummary(
        reference=reference,
        content=data["content"],
        up_to_date=True,
        total_files=data["total_files"],
        reused_layers=data["reused_layers"],
        findings=tuple(finding_from_json(item) for item in data["findings"]),
    )
    return _Known(data["manifest"], tuple(data["layers"]), summary)
