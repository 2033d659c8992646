"""The registry of a project: read, checked, changed by plans, and asked for entries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelops_bundle.code.codebase import Codebase, open_codebase
from modelops_bundle.drift.candidates import follow_moves
from modelops_bundle.drift.changes import Change, Decision
from modelops_bundle.drift.checking import check_registry
from modelops_bundle.drift.planning import (
    RegisterOptions,
    RegistryPlan,
    refuse_open_decisions,
)
from modelops_bundle.drift.refreshing import RefreshOptions, plan_refresh
from modelops_bundle.drift.registration import plan_registration
from modelops_bundle.findings import Finding, sort_findings
from modelops_bundle.project.baselines import base_registry_path
from modelops_bundle.project.parse_cache import ParseCache
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked, refuse_untrackable, write_tracked
from modelops_contracts.digests import file_sha256
from modelops_contracts.errors import Conflict, InvalidInput, NotFound, nearest
from modelops_contracts.registry import (
    REGISTRY_PATH,
    BundleRegistry,
    Entry,
    Kind,
    project_of,
    read_registry_data,
)

__all__ = [
    "Change",
    "Decision",
    "Finding",
    "RefreshOptions",
    "RegisterOptions",
    "RegistryPlan",
    "RegistryResult",
    "apply_plan",
    "find_missing_registry",
    "load_registry",
    "plan_refresh",
    "plan_registration",
    "refuse_missing_registry",
    "refuse_open_decisions",
    "resolve_entry",
    "save_registry",
    "validate_registry",
]


@dataclass(frozen=True, slots=True)
class RegistryResult:
    """What a plan did, or would have done when `written` is false.

    `tracked` and `untracked` are the paths that entered and left the bundle.
    """

    plan: RegistryPlan
    written: bool
    tracked: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The lines of the plan."""
        return self.plan.changes

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        groups = ("added", "changed", "renamed", "moved", "removed", "unchanged", "new")
        return {
            "written": self.written,
            **{
                name: [item.to_json() for item in self.plan.changes if item.action == name]
                for name in groups
            },
            "decisions": [item.to_json() for item in self.plan.decisions],
            "findings": [item.to_json() for item in self.plan.findings],
            "tracked": list(self.tracked),
            "untracked": list(self.untracked),
        }


def load_registry(root: Path, *, cache: ParseCache | None = None) -> BundleRegistry:
    """Read a project's registry; a project without the file has an empty one.

    Raises `InvalidInput`, with paths and lines, for a file that is not a registry.
    """
    path = root / REGISTRY_PATH
    if not path.exists():
        return BundleRegistry(loaded_from=path)
    if cache is None:
        return _read(path)
    plain = cache.get("registry", file_sha256(path), partial(_read_plain, path))
    registry = read_registry_data(plain)
    registry.loaded_from = path
    return registry


def _read(path: Path) -> BundleRegistry:
    try:
        return BundleRegistry.load(path)
    except InvalidInput as error:
        if error.hint:
            raise
        hint = f"correct it there, or git checkout {REGISTRY_PATH}; then: mops bundle status"
        raise InvalidInput(str(error), code=error.code, hint=hint, details=error.details) from error


def find_missing_registry(project: Project) -> Finding | None:
    """Return what to do about a registry that was there and is gone; None when all is well.

    Without the file nothing is registered, which must not pass for what the user wants.
    """
    base = base_registry_path(project)
    if project.registry_path.exists():
        return None
    if not base.exists() and REGISTRY_PATH not in read_tracked(project.root):
        return None
    restored = "mops bundle init --repair brings back that of the last push or pull"
    anew = "register the files again: mops bundle register-model PATH, register-target PATH"
    return Finding(
        f"{REGISTRY_PATH} is missing, so nothing is registered any more",
        code="registry_missing", path=REGISTRY_PATH, fix="decide",
        hint=f"{restored if base.exists() else anew}; or: git checkout {REGISTRY_PATH}",
    )  # fmt: skip


def refuse_missing_registry(project: Project) -> None:
    """Raise `Conflict` (exit code 3) when the registry is gone."""
    found = find_missing_registry(project)
    if found is not None:
        raise Conflict(str(found), code=found.code, hint=found.hint, exit_code=3)


def _read_plain(path: Path) -> object:
    return _read(path).to_dict()


def save_registry(root: Path, registry: BundleRegistry) -> None:
    """Write a project's registry atomically, comments kept; an unchanged one is not touched."""
    registry.save(root / REGISTRY_PATH)


def validate_registry(registry: BundleRegistry, root: Path | None = None) -> list[Finding]:
    """Compare the registry with the code; a project where both agree gives `[]`.

    Only reads, runs no code of the user and uses no network. `root` defaults to the project the
    registry was loaded from, else to the working directory. Content that changed under an
    unchanged structure is no finding here.
    """
    base = root or project_of(registry.loaded_from) or Path.cwd()
    codebase = open_codebase(open_project(base))
    return validate_with(codebase, registry)


def validate_with(codebase: Codebase, registry: BundleRegistry) -> list[Finding]:
    """Do the same for files that are already open."""
    checked = check_registry(codebase, registry)
    per_entry = [finding for entry in checked.entries for finding in entry.findings]
    return sort_findings([*per_entry, *checked.findings])


def resolve_entry(registry: BundleRegistry, kind: str, name: str) -> tuple[Entry, str | None]:
    """Return the entry that an id or an entrypoint names.

    The second value is the old name when an id was given that has been renamed since, so that
    the caller can say so once. Raises `NotFound` with the nearest ids.
    """
    which: Kind = "model" if kind == "model" else "target"
    section: Mapping[str, Entry] = registry.models if which == "model" else registry.targets
    if name in section:
        return section[name], None
    by_entrypoint = [entry for entry in section.values() if _is_named_by(entry, name)]
    if len(by_entrypoint) == 1:
        return by_entrypoint[0], None
    current = follow_moves(registry, which, name)
    if current is not None:
        return section[current], name
    close = nearest(name, section)
    listed = ", ".join(close or section) or f"none; mops bundle register-{which} PATH"
    raise NotFound(
        f"no {which} {name!r} is registered",
        code=f"{which}_not_found",
        hint=f"did you mean {listed}?" if close else f"registered: {listed}",
    )


def _is_named_by(entry: Entry, name: str) -> bool:
    module, _, symbol = entry.entrypoint.partition(":")
    spellings = {entry.entrypoint, f"{module}.{symbol}", f"{entry.path.as_posix()}:{symbol}"}
    return name.removeprefix("./") in spellings


def apply_plan(project: Project, plan: RegistryPlan, codebase: Codebase) -> RegistryResult:
    """Write what a plan says: tracked additions, the registry, tracked removals.

    The caller holds the project's lock since before the plan was made. Raises `Conflict` (exit
    code 3) for a plan with open decisions and `InvalidInput` for a file that must not travel;
    nothing is written then.
    """
    refuse_open_decisions(plan)
    root = project.root
    before = read_tracked(root)
    added = tuple(path for path in plan.track if path not in before)
    _check_tracked(project, added)
    write_tracked(root, {*before, *added})
    save_registry(root, plan.registry)
    removed = tuple(path for path in plan.untrack if path in before)
    write_tracked(root, {*before, *added} - set(removed))
    for body, sketch in plan.sketches.items():
        codebase.cache.put("sketch", body, dict(sketch))
    codebase.save()
    return RegistryResult(plan, True, added, removed)


def _check_tracked(project: Project, paths: tuple[str, ...]) -> None:
    from modelops_bundle.project.guard import refuse_secrets

    for path in paths:
        if (project.root / path).exists() or path != REGISTRY_PATH:
            refuse_untrackable(project.root, path)
    refuse_secrets(project.root, paths, project.config.secret_exceptions)
