"""What other programs call: push a directory, ask how it stands, let the registry follow."""

from __future__ import annotations

from pathlib import Path

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project import find_project
from modelops_bundle.refreshing import RefreshOptions
from modelops_bundle.registering import refresh
from modelops_bundle.registry import RegistryResult
from modelops_bundle.status import ProjectStatus, read_status
from modelops_bundle.transfer.push import push

__all__ = ["project_status", "push_dir", "refresh_project"]

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
    if store is None:
        store = LayoutStore(Path.home() / DEFAULT_ARTIFACTS, repository or project.repository)
    return push(project, store, tag, allow_stale=allow_stale).manifest


def project_status(root: str | Path = ".") -> ProjectStatus:
    """Return how the project around a directory stands; no network."""
    return read_status(find_project(Path(root)))


def refresh_project(
    root: str | Path = ".", options: RefreshOptions | None = None, *, dry_run: bool = False
) -> RegistryResult:
    """Make the registry of the project around a directory follow its code."""
    return refresh(find_project(Path(root)), options, dry_run=dry_run)
