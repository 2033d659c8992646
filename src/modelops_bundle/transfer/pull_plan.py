"""What a pull would do, and what has to be decided before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from modelops_bundle.artifact.manifest import BundleIndex
from modelops_bundle.cache.bundle_cache import fetch_index
from modelops_bundle.code.codebase import open_codebase
from modelops_bundle.diff import State
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project.baselines import read_baseline
from modelops_bundle.project.config import check_tag
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import read_tracked
from modelops_bundle.transfer.merging import (
    FileConflict,
    FilePlan,
    Side,
    ThreeWay,
    compare_three,
    plan_files,
)
from modelops_bundle.transfer.pull_registry import merge_registry
from modelops_contracts.errors import Conflict, Detail, InvalidInput
from modelops_contracts.places import REGISTRY_PATH


class PullConflict(Conflict, ValueError):  # noqa: N818  (named as its parent)
    """Local and remote changes exclude each other; nothing was written."""


@dataclass(frozen=True, slots=True)
class PullPlan:
    """What a pull would do. Nothing is fetched yet beside the bundle's index.

    `local` is what is on disk at every path in question; `registry` are the bytes that
    `registry.yaml` will have, None when it stays.
    """

    project: Project
    reference: str
    manifest: str
    index: BundleIndex
    files: FilePlan
    local: State
    registry: bytes | None
    conflicts: tuple[FileConflict, ...]
    registry_conflicts: tuple[str, ...]
    obstacles: tuple[str, ...]
    overwrite: tuple[str, ...]

    @property
    def take(self) -> tuple[str, ...]:
        """The files that will be written, without the registry."""
        return tuple(sorted({*self.files.take, *self.overwrite} - set(self.deletions)))

    @property
    def deletions(self) -> tuple[str, ...]:
        """The files that will be deleted."""
        known = self.index.state()
        return tuple(sorted({*self.files.delete, *(p for p in self.overwrite if p not in known)}))

    @property
    def bytes_to_write(self) -> int:
        """The size of the files that will be written."""
        wanted = set(self.take)
        return sum(row.size for row in self.index.files if row.path in wanted)

    @property
    def up_to_date(self) -> bool:
        """True when no file changes."""
        return not (self.take or self.deletions or self.registry is not None)

    @property
    def blocked(self) -> bool:
        """True when nothing may be written before somebody decides."""
        return bool(self.conflicts or self.registry_conflicts or self.obstacles)


def plan_pull(
    project: Project,
    store: BundleStore,
    tag: str | None = None,
    *,
    overwrite: bool = False,
    keep_local: bool = False,
    restore_deleted: bool = False,
) -> PullPlan:
    """Compare a project with a tag of a store; nothing is written.

    `overwrite` takes the bundle's side of a conflict, `keep_local` ours. Raises `NotFound`,
    `InvalidInput` for what is not a bundle and for both options together, and `IntegrityError`
    for a bundle that no honest program makes.
    """
    if overwrite and keep_local:
        raise InvalidInput("overwrite and keep-local exclude each other")
    chosen = check_tag(tag or project.default_tag)
    reference = f"{store.location}:{chosen}"
    manifest = store.resolve(chosen)
    index = fetch_index(store, manifest)
    baseline = read_baseline(project, reference)
    base = dict(baseline.files) if baseline is not None else {}
    remote = index.state()
    tracked = set(read_tracked(project.root))
    disk = _on_disk(project, {*tracked, *remote, *base})
    local = {path: facts for path, facts in disk.items() if path in tracked}
    replaced = baseline.replaced if baseline is not None else {}
    files = plan_files(
        _without_registry(local),
        _without_registry(remote),
        _without_registry(base),
        _without_registry(disk),
        replaced={path: was for path, was in replaced.items() if path != REGISTRY_PATH},
    )
    if restore_deleted:
        files = _restoring(files, disk)
    prefer: Side | None = "remote" if overwrite else "local" if keep_local else None
    registry, clashes = merge_registry(project, store, index, baseline, disk, prefer)
    taken = {*files.take, *((item.path for item in files.conflicts) if overwrite else ())}
    return PullPlan(
        project=project,
        reference=reference,
        manifest=manifest,
        index=index,
        files=files,
        local=disk,
        registry=registry,
        conflicts=() if overwrite or keep_local else files.conflicts,
        registry_conflicts=clashes,
        obstacles=tuple(_obstacles(project.root, taken & set(remote), files.delete)),
        overwrite=tuple(item.path for item in files.conflicts) if overwrite else (),
    )


def compare(
    project: Project, store: BundleStore, tag: str | None = None
) -> tuple[str, str, ThreeWay]:
    """Return reference, manifest digest, and how project and bundle differ; writes nothing."""
    chosen = check_tag(tag or project.default_tag)
    reference = f"{store.location}:{chosen}"
    manifest = store.resolve(chosen)
    remote = fetch_index(store, manifest).state()
    baseline = read_baseline(project, reference)
    local = _on_disk(project, read_tracked(project.root))
    base = dict(baseline.files) if baseline is not None else {}
    replaced = baseline.replaced if baseline is not None else {}
    return reference, manifest, compare_three(local, remote, base, replaced)


def refuse_conflicts(plan: PullPlan) -> None:
    """Raise `PullConflict` that lists everything that needs a decision."""
    if not plan.blocked:
        return
    untracked = [item.path for item in plan.conflicts if item.cause == "untracked"]
    parts = []
    if untracked:
        parts.append(f"untracked files would be overwritten: {_listed(untracked)}")
    both = [str(item) for item in plan.conflicts if item.cause != "untracked"]
    if both:
        parts.append(f"changed here and in {plan.reference}: {_listed(both)}")
    if plan.registry_conflicts:
        parts.append(f"{REGISTRY_PATH}: both changed {_listed(plan.registry_conflicts)}")
    if plan.obstacles:
        parts.append(f"in the way: {_listed(plan.obstacles)}")
    details = [Detail(item.path, item.cause) for item in plan.conflicts]
    details += [Detail(f"{REGISTRY_PATH} {key}", "both changed") for key in plan.registry_conflicts]
    details += [Detail(path, "in the way") for path in plan.obstacles]
    raise PullConflict(
        "; ".join(parts),
        code="pull_conflict",
        hint="move it away, then pull again"
        if plan.obstacles
        else "mops bundle pull --keep-local, or --overwrite (keeps copies of yours)",
        exit_code=3,
        details=details,
    )


def _without_registry(state: State) -> dict[str, tuple[str, str]]:
    return {path: facts for path, facts in state.items() if path != REGISTRY_PATH}


def _on_disk(project: Project, paths: Iterable[str]) -> dict[str, tuple[str, str]]:
    codebase = open_codebase(project)
    rows = codebase.files.rows(paths)
    codebase.files.save()
    return {path: (row.sha256, row.mode) for path, row in rows.items() if row is not None}


def _restoring(files: FilePlan, disk: State) -> FilePlan:
    """Take back what was deleted here."""
    gone = {path for path in files.removed if path not in disk}
    gone |= {item.path for item in files.conflicts if item.cause == "deleted here"}
    return FilePlan(
        take=tuple(sorted({*files.take, *gone})),
        adopt=files.adopt,
        delete=files.delete,
        keep=files.keep,
        removed=tuple(path for path in files.removed if path not in gone),
        conflicts=tuple(item for item in files.conflicts if item.path not in gone),
    )


def _obstacles(root: Path, taken: Iterable[str], deleted: Iterable[str]) -> list[str]:
    """Return what stands where a file or one of its directories has to be."""
    going = set(deleted)
    found: set[str] = set()
    for path in taken:
        parents = [parent.as_posix() for parent in Path(path).parents][:-1]
        found |= {
            parent
            for parent in parents
            if parent not in going and _exists(root / parent) and not _is_folder(root / parent)
        }
        if _is_folder(root / path) and any(
            item.relative_to(root).as_posix() not in going
            for item in (root / path).rglob("*")
            if not _is_folder(item)
        ):
            found.add(path)
    return sorted(found)


def _exists(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _listed(items: Iterable[str]) -> str:
    found = list(items)
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
