"""What other programs call: push and pull a directory, clone, ask how it stands, refresh."""

from __future__ import annotations

from pathlib import Path

from modelops_bundle.drift.refreshing import RefreshOptions
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project.project import find_project
from modelops_bundle.registering import refresh
from modelops_bundle.registry import RegistryResult
from modelops_bundle.status.reading import ProjectStatus, read_status
from modelops_bundle.transfer.clone import clone as clone_bundle
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import push

__all__ = ["clone", "project_status", "pull_dir", "push_dir", "refresh_project"]

DEFAULT_ARTIFACTS = Path(".modelops") / "artifacts"


def push_dir(
    path: str | Path = ".",
    tag: str | None = None,
    *,
    allow_stale: bool = False,
    store: BundleStore | None = None,
    repository: str | None = None,
) -> str:
    """Push the project around a directory and return the manifest digest `sha256:…`.

    The default store is the layout directory below the user's home; `repository` overrides the
    project's name there. Raises what `push` raises.
    """
    project = find_project(Path(path))
    place = store or _default_store(repository or project.repository)
    return push(project, place, tag, allow_stale=allow_stale).manifest


def pull_dir(
    path: str | Path = ".",
    tag: str | None = None,
    *,
    overwrite: bool = False,
    keep_local: bool = False,
    restore_deleted: bool = False,
    store: BundleStore | None = None,
    repository: str | None = None,
) -> str:
    """Pull a tag into the project around a directory and return the manifest digest `sha256:…`.

    Store and repository as in `push_dir`. Raises what `pull` raises: a conflict is a `Conflict` and
    a `ValueError`, and nothing is written then.
    """
    project = find_project(Path(path))
    return pull(
        project, store or _default_store(repository or project.repository), tag,
        overwrite=overwrite, keep_local=keep_local, restore_deleted=restore_deleted,
    ).plan.manifest  # fmt: skip


def clone(
    repository: str, directory: str | Path, reference: str = "latest", *,
    store: BundleStore | None = None,
) -> Path:  # fmt: skip
    """Make a project of the bundle at a tag or digest; return its root.

    The default store is the layout directory below the user's home. Raises what
    `modelops_bundle.transfer.clone.clone` raises.
    """
    place = store or _default_store(repository)
    return clone_bundle(place, reference, Path(directory), repository=repository).root


def _default_store(repository: str) -> LayoutStore:
    return LayoutStore(Path.home() / DEFAULT_ARTIFACTS, repository)


def project_status(root: str | Path = ".") -> ProjectStatus:
    """Return how the project around a directory stands; no network."""
    return read_status(find_project(Path(root)))


def refresh_project(
    root: str | Path = ".", options: RefreshOptions | None = None, *, dry_run: bool = False
) -> RegistryResult:
    """Make the registry of the project around a directory follow its code."""
    return refresh(find_project(Path(root)), options, dry_run=dry_run)
