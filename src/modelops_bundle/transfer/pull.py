"""Pull: a bundle's files come into a project, merged with what changed here."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops_bundle.baselines import Baseline, read_baseline, registry_before_push
from modelops_bundle.cache import fetch_index
from modelops_bundle.codebase import open_codebase
from modelops_bundle.config import check_tag
from modelops_bundle.diff import State
from modelops_bundle.fetching import fetch_layers
from modelops_bundle.journal import (
    BASE_REGISTRY,
    FILES,
    Agreement,
    Journal,
    Step,
    carry_out,
    new_staging,
)
from modelops_bundle.manifest import BundleIndex
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project import Project
from modelops_bundle.room import naming_room
from modelops_bundle.snapshot.index import FileRow
from modelops_bundle.tracking import read_tracked
from modelops_bundle.transfer.merging import (
    FileConflict,
    FilePlan,
    Side,
    ThreeWay,
    compare_three,
    merge_registries,
    plan_files,
)
from modelops_bundle.writing import write_project
from modelops_contracts.errors import Conflict, Detail, InvalidInput
from modelops_contracts.places import REGISTRY_PATH
from modelops_contracts.ports import Reporter
from modelops_contracts.registry import BundleRegistry

_CHUNK = 1024 * 1024


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


@dataclass(frozen=True, slots=True)
class PullResult:
    """What a pull did; `left` are files that were edited meanwhile and stayed as they are."""

    plan: PullPlan
    left: tuple[str, ...] = ()
    backup: str | None = None


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
    registry, clashes = _merge_registry(project, store, index, baseline, disk, prefer)
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


def apply_pull(
    plan: PullPlan,
    store: BundleStore,
    *,
    partial_dir: Path | None = None,
    reporter: Reporter | None = None,
) -> PullResult:
    """Fetch what a plan needs, then change the project's files as one.

    Raises `PullConflict` (exit code 3) for a plan with conflicts; nothing is written then.
    """
    refuse_conflicts(plan)
    with naming_room(plan.project.root, plan.bytes_to_write, "the pull"):
        return _stage_and_carry_out(plan, store, partial_dir, reporter)


def _stage_and_carry_out(
    plan: PullPlan, store: BundleStore, partial_dir: Path | None, reporter: Reporter | None
) -> PullResult:
    staging = new_staging(plan.project)
    try:
        _stage(plan, store, staging, partial_dir, reporter)
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
    reporter: Reporter | None = None,
) -> PullResult:
    """Plan and apply a pull, finishing first what an earlier one left undone."""
    with write_project(project, "mops bundle pull"):
        pass
    plan = plan_pull(
        project, store, tag, overwrite=overwrite, keep_local=keep_local,
        restore_deleted=restore_deleted,
    )  # fmt: skip
    return apply_pull(plan, store, partial_dir=partial_dir, reporter=reporter)


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


# --- planning --------------------------------------------------------------------------------


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


def _merge_registry(
    project: Project,
    store: BundleStore,
    index: BundleIndex,
    baseline: Baseline | None,
    disk: State,
    prefer: Side | None,
) -> tuple[bytes | None, tuple[str, ...]]:
    """Return the new bytes of the registry, None when it stays, and what both changed."""
    there = index.state().get(REGISTRY_PATH)
    here = disk.get(REGISTRY_PATH)
    before = baseline.files.get(REGISTRY_PATH) if baseline is not None else None
    if there is None or there in (here, before):
        return None, ()
    remote = _registry_of(store, index)
    path = project.registry_path
    was = registry_before_push(project, baseline) if baseline is not None else None
    replaced = _parsed(was) if was is not None else None
    local = path.read_bytes() if here is not None else b""
    if here is None or (here == before and not undone_entries(local, remote, replaced)):
        return remote, ()
    base_path = project.storage / "base" / "registry.yaml"
    base = base_path.read_bytes() if base_path.exists() else b""
    if before is None or hashlib.sha256(base).hexdigest() != before[0]:
        base = b""
    merged, clashes = merge_registries(
        _parsed(local), _parsed(remote), _parsed(base), prefer=prefer, replaced=replaced
    )
    return _rendered(local, merged), clashes


def undone_entries(
    local: bytes, remote: bytes, replaced: Mapping[str, Any] | None
) -> tuple[str, ...]:
    """Return the entries of our own push that are again as they were before it."""
    if replaced is None:
        return ()
    ours = _parsed(local)
    return merge_registries(ours, _parsed(remote), ours, replaced=replaced)[1]


def _parsed(data: bytes) -> dict[str, Any]:
    from modelops_contracts.yaml_file import parse_yaml

    found = parse_yaml(data.decode("utf-8-sig"), REGISTRY_PATH)
    return BundleRegistry.from_dict(found).to_dict()


def _rendered(local: bytes, merged: Mapping[str, Any]) -> bytes | None:
    from modelops_contracts.yaml_file import dump_yaml, update_yaml

    wanted = BundleRegistry.from_dict(merged).to_dict()
    text = local.decode("utf-8-sig")
    updated = update_yaml(text, wanted) if text.strip() else dump_yaml(wanted)
    return updated.encode() if updated != text else None


def _registry_of(store: BundleStore, index: BundleIndex) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        fetch_layers(store, index, {index.layer_of[REGISTRY_PATH]}, Path(folder))
        return (Path(folder) / REGISTRY_PATH).read_bytes()


def _listed(items: Iterable[str]) -> str:
    found = list(items)
    return ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")


# --- doing -----------------------------------------------------------------------------------


def _stage(
    plan: PullPlan,
    store: BundleStore,
    staging: Path,
    partial_dir: Path | None,
    reporter: Reporter | None,
) -> None:
    """Put every file that will be written into the staging directory, verified."""
    rows, files = {row.path: row for row in plan.index.files}, staging / FILES
    missing = [path for path in plan.take if rows[path].mode != "link"]
    missing = [path for path in missing if not _copy_from_project(plan, rows[path], files)]
    numbers = {plan.index.layer_of[path] for path in missing}
    if numbers:
        for path in plan.take:
            if plan.index.layer_of[path] in numbers:
                (files / path).unlink(missing_ok=True)
        fetch_layers(store, plan.index, numbers, files, partial_dir=partial_dir, reporter=reporter)
    if plan.registry is not None:
        target = files / REGISTRY_PATH
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_bytes(plan.registry)
    if REGISTRY_PATH in rows:
        (staging / BASE_REGISTRY).write_bytes(_base_registry(plan, store, rows[REGISTRY_PATH]))
    else:
        (staging / BASE_REGISTRY).write_bytes(b"")


def _base_registry(plan: PullPlan, store: BundleStore, row: FileRow) -> bytes:
    """Return the bundle's registry, from here when it is the same."""
    for path in (plan.project.registry_path, plan.project.storage / "base" / "registry.yaml"):
        data = path.read_bytes() if path.is_file() else b""
        if hashlib.sha256(data).hexdigest() == row.sha256:
            return data
    return _registry_of(store, plan.index)


def _copy_from_project(plan: PullPlan, row: FileRow, folder: Path) -> bool:
    """Copy a file from another place in the project that has the same content."""
    for path, (sha256, mode) in plan.local.items():
        if sha256 != row.sha256 or mode == "link":
            continue
        target = folder / row.path
        target.parent.mkdir(parents=True, exist_ok=True)
        digest = hashlib.sha256()
        with (plan.project.root / path).open("rb") as source, target.open("wb") as copy:
            while chunk := source.read(_CHUNK):
                digest.update(chunk)
                copy.write(chunk)
        if digest.hexdigest() == row.sha256:
            return True
        target.unlink()
    return False


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
