"""Push: the project's tracked files become a bundle in a store, and a tag moves to it.

What a push needs is loaded when there is something to push: often there is not.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modelops_bundle.project.config import check_tag
from modelops_bundle.project.project import Project
from modelops_bundle.recovery.writing import write_project
from modelops_bundle.transfer.push_memo import recall_push, remember_push
from modelops_bundle.transfer.push_summary import PushResult, PushSummary

if TYPE_CHECKING:
    from modelops_bundle.oci.store import BundleStore
    from modelops_bundle.transfer.push_plan import PushPlan, plan_push
    from modelops_contracts.ports import Reporter

__all__ = ["PushPlan", "PushResult", "PushSummary", "apply_push", "plan_push", "push"]


def __getattr__(name: str) -> object:
    if name not in {"PushPlan", "plan_push"}:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from modelops_bundle.transfer import push_plan

    return getattr(push_plan, name)


def apply_push(
    plan: PushPlan, store: BundleStore, *, reporter: Reporter | None = None
) -> PushResult:
    """Send what a plan says and move the tag.

    The registry is written first, so that the bundle describes its own bytes. A file that changes
    while it is packed raises `Conflict`, and so does a tag that moved since the plan was made;
    nothing is tagged then.
    """
    from modelops_bundle.transfer.push_work import carry_out, record_registry

    with write_project(plan.project, "mops bundle push"):
        record_registry(plan)
    return carry_out(plan, store, reporter)


def push(
    project: Project,
    store: BundleStore,
    tag: str | None = None,
    *,
    allow_stale: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> PushResult:
    """Plan and apply a push; see `plan_push` and `apply_push` for what it raises."""
    with write_project(project, "mops bundle push"):
        known = recall_push(project, store, check_tag(tag or project.default_tag))
        if known is not None:
            return known
        plan = _plan_and_record(project, store, tag, allow_stale=allow_stale, force=force)
    from modelops_bundle.transfer.push_work import carry_out

    return carry_out(plan, store, reporter)


def _plan_and_record(
    project: Project, store: BundleStore, tag: str | None, *, allow_stale: bool, force: bool
) -> PushPlan:
    """Plan a push, and write what the project itself will say afterwards."""
    from modelops_bundle.code.codebase import open_codebase
    from modelops_bundle.preflight import remember_sketches
    from modelops_bundle.transfer.push_plan import plan_push
    from modelops_bundle.transfer.push_work import record_registry

    started = time.time_ns()
    codebase = open_codebase(project)
    plan = plan_push(project, store, tag, allow_stale=allow_stale, force=force, codebase=codebase)
    remember_sketches(codebase, plan.recorded)
    codebase.save()
    record_registry(plan)
    if plan.up_to_date:
        remember_push(plan, codebase.evidence(plan.tracked), started)
    return plan
