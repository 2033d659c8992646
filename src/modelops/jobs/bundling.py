"""The bundle of a submission: the project as it stands, a named one, or a throw-away copy."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modelops import wiring
from modelops.config.model import Config
from modelops.jobs.documents import BundleFacts
from modelops_contracts.digests import digest_bytes
from modelops_contracts.errors import Conflict, InvalidInput
from modelops_contracts.ports import ArtifactStore

if TYPE_CHECKING:
    from modelops_bundle.project.project import Project

__all__ = [
    "BundleChoice",
    "find_repository",
    "open_bundle_store",
    "own_tag",
    "split_reference",
]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BundleChoice:
    """Which bundle is wanted. ``reference`` None: the project's own, packed again unless ``auto``
    is off. A dry run packs a copy that is thrown away."""

    reference: str | None = None
    auto: bool = True
    allow_stale: bool = False
    dry_run: bool = False


@contextlib.contextmanager
def open_bundle_store(
    project_root: Path, config: Config, choice: BundleChoice
) -> Iterator[tuple[ArtifactStore, BundleFacts, Config]]:
    """The store, the bundle in it, and the configuration whose cache takes its tree."""
    from modelops_bundle.project.project import open_project

    project = open_project(project_root)
    if choice.reference is not None:
        repository, reference = find_repository(choice.reference, project.repository, config)
        store = wiring.open_artifacts(config, repository)
        yield store, BundleFacts(repository, store.resolve(reference), tag=reference), config
        return
    parallel = project.config.parallel
    store = wiring.open_artifacts(config, project.repository, parallel=parallel)
    facts = BundleFacts(project.repository, "", tag=project.default_tag)
    shared = wiring.open_environment(config).registry is not None
    if not choice.auto:
        tag = project.default_tag if shared else _tag_pushed_last(project, store)
        yield store, replace(facts, manifest=store.resolve(tag), tag=tag), config
        return
    if not choice.dry_run:
        tag, pushed = _push(project, store, choice, shared=shared)
        yield store, replace(facts, manifest=pushed, tag=tag), config
        return
    with _scratch(config) as place:
        tag, copy = _copy_of(project, store, choice, place.paths.home / "project", shared=shared)
        scratch_store = wiring.open_artifacts(place, project.repository)
        _, pushed = _push(copy, scratch_store, choice, shared=shared)
        yield scratch_store, replace(facts, manifest=pushed, tag=tag), place


def own_tag(project: Project) -> str:
    """The tag of this folder alone, on this machine."""
    return f"run-{digest_bytes(str(project.root.resolve()).encode())[:12]}"


def _tag_pushed_last(project: Project, store: Any) -> str:
    """The project's tag; the folder's own where that one holds another project's work by now."""
    from modelops_bundle.project.baselines import read_pushes

    tag, own, held = project.default_tag, own_tag(project), store.tags()
    ours = read_pushes(project).get(f"{store.location}:{tag}", {})
    return own if own in held and held.get(tag) != ours.get("manifest") else tag


def _push(project: Project, store: Any, choice: BundleChoice, *, shared: bool) -> tuple[str, str]:
    """The tag that was pushed, and the digest of its manifest."""
    from modelops_bundle.transfer.push import push

    def attempt(tag: str, force: bool) -> tuple[str, str]:
        done = push(project, store, tag, allow_stale=choice.allow_stale, force=force)
        return tag, done.manifest

    return _beside_others(project, attempt, shared=shared)


def _beside_others(project: Project, attempt: Callable[[str, bool], T], *, shared: bool) -> T:
    """Attempt a push under the project's tag, or, where that holds another project's work on the
    same machine, under the folder's own: a run needs its bundle, not the name. In a registry the
    name is everybody's, and who pushes has to decide."""
    try:
        return attempt(project.default_tag, False)
    except Conflict as error:
        if shared or error.code not in {"lost_update", "foreign_artifact"}:
            raise
    return attempt(own_tag(project), True)


def _copy_of(
    project: Project, store: Any, choice: BundleChoice, folder: Path, *, shared: bool
) -> tuple[str, Project]:
    """A project with the files that a push would send, after every check a push makes; and the
    tag it would be pushed under."""
    from modelops_bundle.project.project import open_project
    from modelops_bundle.transfer.push_plan import PushPlan, plan_push

    def attempt(tag: str, force: bool) -> tuple[str, PushPlan]:
        stale = choice.allow_stale
        return tag, plan_push(project, store, tag, allow_stale=stale, force=force)

    tag, plan = _beside_others(project, attempt, shared=shared)
    own = [path.relative_to(project.root) for path in project.storage.glob("*") if path.is_file()]
    for path in dict.fromkeys([*own, *(Path(row.path) for row in plan.rows)]):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project.root / path, target, follow_symlinks=False)
    return tag, open_project(folder)


@contextlib.contextmanager
def _scratch(config: Config) -> Iterator[Config]:
    """A home that is thrown away: a dry run makes a bundle and leaves none."""
    folder = Path(tempfile.mkdtemp(prefix="modelops-dry-run-"))
    try:
        yield replace(config, paths=replace(config.paths, home=folder), environment="local")
    finally:
        _remove_tree(folder)


def _remove_tree(folder: Path) -> None:
    """Trees of bundles are read-only; make their folders writable first."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def find_repository(text: str, repository: str, config: Config) -> tuple[str, str]:
    """The repository in this environment, and the tag or digest, that a reference names.

    A reference may say where the bundle is (``host:port/prefix/name:tag``, ``oci:/folder/name``);
    a job is run, resumed and explained in one environment, so it has to be kept in this one.
    """
    from modelops_bundle.oci.reference import parse_reference

    if text.startswith("sha256:") or not ("/" in text or ":" in text or "@" in text):
        return split_reference(text, repository)
    found = parse_reference(text)
    if not found.host and found.layout is None:
        return split_reference(text, repository)
    wanted = found.digest or found.tag or "latest"
    name = wiring.name_in_environment(config, found.host, found.repository, found.layout)
    if name is None:
        place = wiring.open_environment(config)
        raise InvalidInput(
            f"{text} is not kept in environment {place.name} ({place.bundles})",
            hint="mops env list shows where each environment keeps bundles; add --env NAME",
            code="bundle_elsewhere",
        )
    return name, wanted


def split_reference(reference: str, repository: str) -> tuple[str, str]:
    """``repo@sha256:...``, ``repo:tag``, ``sha256:...`` or ``tag`` -> (repository, reference)."""
    before, at, digest = reference.partition("@")
    if at:
        return before, digest
    if reference.startswith("sha256:") or ":" not in reference:
        return repository, reference
    name, _, tag = reference.rpartition(":")
    return name, tag
