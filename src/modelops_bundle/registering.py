"""The commands that change the registry, whole: locked, planned, applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from modelops_bundle.code.codebase import Codebase, open_codebase
from modelops_bundle.drift.planning import Planner, RegisterOptions
from modelops_bundle.drift.refreshing import RefreshOptions, plan_refresh
from modelops_bundle.findings import Finding, sort_findings
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import read_tracked, relative_path
from modelops_bundle.recovery.writing import write_project
from modelops_bundle.registry import (
    RegistryPlan,
    RegistryResult,
    apply_plan,
    find_missing_registry,
    load_registry,
    plan_registration,
    refuse_missing_registry,
    save_registry,
    validate_with,
)
from modelops_contracts.errors import Conflict, NotFound, nearest
from modelops_contracts.registry import Kind, TargetSet


def register(
    project: Project,
    kind: Kind,
    path: str | Path,
    options: RegisterOptions | None = None,
    *,
    cwd: Path | None = None,
    dry_run: bool = False,
) -> RegistryResult:
    """Register the models or targets of one file.

    `path` and the paths in `options.data` and `options.code` are resolved against `cwd`. With
    `dry_run` the answer is the same and nothing is written. Errors as in `plan_registration` and
    `apply_plan`.
    """
    wanted = _relative_options(project, options or RegisterOptions(), cwd)
    name = relative_path(project.root, path, cwd=cwd)
    with write_project(project, f"mops bundle register-{kind}"):
        codebase = open_codebase(project)
        plan = plan_registration(
            codebase, load_registry(project.root, cache=codebase.cache), kind, name, wanted
        )
        missing = find_missing_registry(project)
        if missing is not None:
            plan = replace(plan, findings=(_begun_anew(missing), *plan.findings))
        if dry_run:
            return preview_plan(project, plan)
        return apply_plan(project, plan, codebase)


def refresh(
    project: Project, options: RefreshOptions | None = None, *, dry_run: bool = False
) -> RegistryResult:
    """Make the whole registry follow the code.

    Raises `Conflict` (exit code 3) when a decision about a rename is needed; nothing is written
    then. With `dry_run` the plan is returned with its open decisions.
    """
    with write_project(project, "mops bundle refresh"):
        refuse_missing_registry(project)
        codebase = open_codebase(project)
        plan = plan_refresh(codebase, load_registry(project.root, cache=codebase.cache), options)
        plan = replace(
            plan, untrack=_vanished(project, plan), findings=_what_remains(codebase, plan)
        )
        if dry_run:
            return preview_plan(project, plan)
        return apply_plan(project, plan, codebase)


def unregister(
    project: Project,
    ids: Sequence[str],
    *,
    kind: Kind | None = None,
    force: bool = False,
    dry_run: bool = False,
) -> RegistryResult:
    """Take entries out of the registry; the files stay tracked.

    Raises `NotFound` for an unknown id and `Conflict` (exit code 3) for a target that is in a
    set, unless `force` takes it out of its sets too.
    """
    with write_project(project, "mops bundle unregister"):
        refuse_missing_registry(project)
        codebase = open_codebase(project)
        planner = Planner(codebase, load_registry(project.root, cache=codebase.cache))
        for entry_id in ids:
            chosen = _kind_of(planner, entry_id, kind)
            _refuse_member(planner, chosen, entry_id, force=force)
            planner.remove(chosen, entry_id, "unregistered")
        plan = planner.finish()
        if dry_run:
            return preview_plan(project, plan)
        return apply_plan(project, plan, codebase)


def set_target_set(
    project: Project,
    name: str,
    targets: Sequence[str] = (),
    weights: Mapping[str, float] | None = None,
) -> TargetSet:
    """Create or replace a target set; no targets means all that are registered.

    Raises `InvalidInput` for an unknown target, a weight of a target outside the set, or a bad
    weight; nothing is written then.
    """
    with write_project(project, "mops bundle target-set set"):
        refuse_missing_registry(project)
        registry = load_registry(project.root)
        chosen = registry.set_target_set(name, targets or list(registry.targets), weights)
        save_registry(project.root, registry)
        return chosen


def delete_target_set(project: Project, name: str) -> None:
    """Remove a target set; `NotFound` names the sets there are."""
    with write_project(project, "mops bundle target-set delete"):
        refuse_missing_registry(project)
        registry = load_registry(project.root)
        if not registry.delete_target_set(name):
            listed = ", ".join(registry.target_sets) or "none"
            raise NotFound(f"no target set {name!r}", hint=f"target sets: {listed}")
        save_registry(project.root, registry)


def preview_plan(project: Project, plan: RegistryPlan) -> RegistryResult:
    """Return what applying a plan would do; nothing is written."""
    before = read_tracked(project.root)
    added = tuple(path for path in plan.track if path not in before)
    removed = tuple(path for path in plan.untrack if path in before)
    return RegistryResult(plan, False, added, removed)


def _begun_anew(missing: Finding) -> Finding:
    return Finding(
        f"{missing.path} was missing and is begun anew; what it named is registered no more",
        code="registry_missing", severity="warning", path=missing.path, fix="register",
        hint=missing.hint,
    )  # fmt: skip


def _relative_options(
    project: Project, options: RegisterOptions, cwd: Path | None
) -> RegisterOptions:
    def each(paths: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if paths is None:
            return None
        return tuple(_existing(project, path, cwd) for path in paths)

    return replace(options, data=each(options.data), code=each(options.code))


def _existing(project: Project, path: str, cwd: Path | None) -> str:
    name = relative_path(project.root, path, cwd=cwd)
    if not (project.root / name).exists():
        raise NotFound(f"{path} not found", code="file_missing", hint="name an existing file")
    return name


def _what_remains(codebase: Codebase, plan: RegistryPlan) -> tuple[Finding, ...]:
    """Add what still keeps the bundle from being pushed when the plan is applied."""
    left = validate_with(codebase, plan.registry)
    lost = {(item.kind, item.old_id) for item in plan.decisions}
    return tuple(
        sort_findings(
            [*plan.findings, *(item for item in left if (item.kind, item.id) not in lost)]
        )
    )


def _vanished(project: Project, plan: RegistryPlan) -> tuple[str, ...]:
    gone = [path for path in read_tracked(project.root) if not _is_there(project.root / path)]
    return tuple(sorted({*gone, *(path for path in plan.untrack if path not in plan.track)}))


def _is_there(path: Path) -> bool:
    return path.is_symlink() or path.exists()


def _kind_of(planner: Planner, entry_id: str, kind: Kind | None) -> Kind:
    kinds: tuple[Kind, ...] = (kind,) if kind is not None else ("model", "target")
    found = [item for item in kinds if entry_id in planner.entries(item)]
    if len(found) == 1:
        return found[0]
    if found:
        raise Conflict(
            f"{entry_id!r} names a model and a target",
            hint=f"mops bundle unregister {entry_id} --kind target",
        )
    known = {**planner.registry.models, **planner.registry.targets}
    close = nearest(entry_id, known)
    raise NotFound(
        f"no entry {entry_id!r} is registered",
        hint=f"did you mean {', '.join(close)}?" if close else "mops bundle list",
    )


def _refuse_member(planner: Planner, kind: Kind, entry_id: str, *, force: bool) -> None:
    sets = [n for n, group in planner.registry.target_sets.items() if entry_id in group.targets]
    if kind == "target" and sets and not force:
        raise Conflict(
            f"target {entry_id!r} is in the sets {', '.join(sets)}",
            code="target_in_set",
            exit_code=3,
            hint=f"mops bundle unregister {entry_id} --force takes it out of them",
        )
