"""Pull: a bundle's files come into a project, merged with what changed here."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project.project import Project
from modelops_bundle.recovery.full_disk import naming_room
from modelops_bundle.recovery.journal import (
    Agreement,
    Journal,
    Step,
    carry_out,
    new_staging,
)
from modelops_bundle.recovery.writing import write_project
from modelops_bundle.transfer.pull_plan import PullPlan, plan_pull, refuse_conflicts
from modelops_bundle.transfer.pull_staging import stage_files
from modelops_contracts.places import REGISTRY_PATH
from modelops_contracts.ports import Reporter


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull did; `left` are files that were edited meanwhile and stayed as they are."""

    plan: PullPlan
    left: tuple[str, ...] = ()
    backup: str | None = None


def apply_pull(
    plan: PullPlan,
    store: BundleStore,
    *,
    partial_dir: Path | None = None,
    trees: Path | None = None,
    reporter: Reporter | None = None,
) -> PullResult:
    """Fetch what a plan needs, then change the project's files as one.

    Contents that are in the project, or in a cached tree below `trees`, are copied from there.
    Raises `PullConflict` (exit code 3) for a plan with conflicts; nothing is written then.
    """
    refuse_conflicts(plan)
    beside = [partial_dir] if partial_dir is not None else []
    with naming_room(plan.project.root, plan.bytes_to_write, "the pull", *beside):
        return _stage_and_carry_out(plan, store, partial_dir, trees, reporter)


def _stage_and_carry_out(
    plan: PullPlan,
    store: BundleStore,
    partial_dir: Path | None,
    trees: Path | None,
    reporter: Reporter | None,
) -> PullResult:
    staging = new_staging(plan.project)
    try:
        stage_files(plan, store, staging, partial_dir, trees, reporter)
        with write_project(plan.project, "mops bundle pull"):
            backup = _back_up(plan)
            left = carry_out(plan.project, _journal(plan, staging))
    finally:
        if not (plan.project.storage / "journal.json").exists():
            shutil.rmtree(staging, ignore_errors=True)
    return PullResult(plan, left, backup)


def pull(
    project: Project,
    store: BundleStore,
    tag: str | None = None,
    *,
    overwrite: bool = False,
    keep_local: bool = False,
    restore_deleted: bool = False,
    partial_dir: Path | None = None,
    trees: Path | None = None,
    reporter: Reporter | None = None,
) -> PullResult:
    """Plan and apply a pull, finishing first what an earlier one left undone."""
    with write_project(project, "mops bundle pull"):
        pass
    plan = plan_pull(
        project, store, tag, overwrite=overwrite, keep_local=keep_local,
        restore_deleted=restore_deleted,
    )  # fmt: skip
    return apply_pull(plan, store, partial_dir=partial_dir, trees=trees, reporter=reporter)


def _back_up(plan: PullPlan) -> str | None:
    """Keep copies of the files that the bundle's side replaces."""
    from datetime import UTC, datetime

    mine = [path for path in plan.overwrite if path in plan.local]
    if not mine:
        return None
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")
    folder = plan.project.storage / "backup" / moment
    for path in mine:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(plan.project.root / path, target, follow_symlinks=False)
    return folder.relative_to(plan.project.root).as_posix()


def _journal(plan: PullPlan, staging: Path) -> Journal:
    remote = plan.index.state()
    steps = [Step(path, plan.local.get(path), None) for path in plan.deletions]
    steps += [
        Step(path, plan.local.get(path), remote[path], plan.index.links.get(path))
        for path in plan.take
    ]
    if plan.registry is not None:
        after = (hashlib.sha256(plan.registry).hexdigest(), "0644")
        steps.append(Step(REGISTRY_PATH, plan.local.get(REGISTRY_PATH), after))
    agreement = Agreement(plan.reference, plan.manifest, plan.index.content, remote)
    track = (*plan.take, *plan.files.adopt, REGISTRY_PATH)
    return Journal(staging.name, tuple(steps), track, plan.deletions, agreement)
