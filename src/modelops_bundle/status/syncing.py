"""How a project and the tag it is pushed to stand to each other, asked of the store itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelops_bundle.diff import State, compare_files
from modelops_bundle.status.state import Sync
from modelops_contracts.errors import AccessDenied, InvalidInput, NotFound, Unavailable
from modelops_contracts.places import REGISTRY_PATH

if TYPE_CHECKING:
    from modelops_bundle.project.baselines import Baseline
    from modelops_bundle.project.project import Project
    from modelops_contracts.ports import ArtifactStore


@dataclass(frozen=True, slots=True)
class SyncState:
    """One word for it, and the manifest the tag is at.

    `problem` says why the word is "unknown": a registry that does not answer or lets nobody in is
    never taken for one that holds nothing. `exit_code` is that of the failure, else 0, and `hint`
    what helps.
    """

    word: Sync
    manifest: str | None = None
    problem: str | None = None
    exit_code: int = 0
    hint: str | None = None


def find_sync(
    project: Project, store: ArtifactStore, tag: str, baseline: Baseline | None
) -> SyncState:
    """Ask a store about a tag and compare; nothing is written."""
    try:
        manifest = store.resolve(tag)
        if baseline is not None and manifest == baseline.manifest:
            remote: State = baseline.files
        else:
            remote = _remote_state(store, manifest)
    except NotFound:
        return SyncState("not pushed")
    except Unavailable as error:
        return SyncState("unknown", None, f"unreachable: {error}", error.exit_code, error.hint)
    except AccessDenied as error:
        return SyncState("unknown", None, f"no access: {error}", error.exit_code, error.hint)
    except InvalidInput as error:
        return SyncState("unknown", manifest, str(error), hint=error.hint)
    base = baseline.files if baseline is not None else None
    return SyncState(compare_sides(_local_state(project), remote, base), manifest)


def compare_sides(local: State, remote: State, base: State | None) -> Sync:
    """Return the word for three states of the files; `base` is what both last agreed on.

    The registry is left out: recording digests rewrites it at every push.
    """
    here, there = _without_registry(local), _without_registry(remote)
    if here == there:
        return "in sync"
    if base is None:
        return "diverged"
    agreed = _without_registry(base)
    changed_here, changed_there = compare_files(agreed, here), compare_files(agreed, there)
    if len(changed_here) and len(changed_there):
        return "diverged"
    return "ahead" if len(changed_here) else "behind"


def _without_registry(state: State) -> dict[str, tuple[str, str]]:
    return {path: facts for path, facts in state.items() if path != REGISTRY_PATH}


def _remote_state(store: ArtifactStore, manifest: str) -> State:
    from modelops_bundle.cache.bundle_cache import fetch_index

    return fetch_index(store, manifest).state()


def _local_state(project: Project) -> State:
    from modelops_bundle.code.codebase import open_codebase
    from modelops_bundle.project.tracking import read_tracked

    rows = open_codebase(project).files.rows(read_tracked(project.root))
    return {path: (row.sha256, row.mode) for path, row in rows.items() if row is not None}
