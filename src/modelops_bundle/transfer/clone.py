"""Clone: a bundle becomes a project that one can work in and push from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelops_bundle.artifact.manifest import BundleIndex
from modelops_bundle.cache.bundle_cache import fetch_index
from modelops_bundle.cache.fetching import fetch_layers
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project.baselines import write_baseline
from modelops_bundle.project.project import init_project, open_project
from modelops_bundle.project.tracking import write_tracked
from modelops_bundle.recovery.full_disk import naming_room
from modelops_bundle.transfer.clone_staging import stage_clone
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import Conflict
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_PATH
from modelops_contracts.ports import Reporter


@dataclass(frozen=True, slots=True)
class CloneResult:
    """A project made of a bundle."""

    root: Path
    reference: str
    manifest: str
    content: str
    files: int
    size: int

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "root": str(self.root), "reference": self.reference, "digest": self.manifest,
            "content": self.content, "files": self.files, "bytes": self.size,
        }  # fmt: skip


def clone(
    store: BundleStore,
    reference: str,
    directory: Path,
    *,
    repository: str,
    env: str | None = None,
    partial_dir: Path | None = None,
    trees: Path | None = None,
    reporter: Reporter | None = None,
) -> CloneResult:
    """Make a project of the bundle at a tag or digest of a store.

    `directory` must be absent or empty; it appears whole or not at all. `repository` and `env` are
    the project's name and environment from now on. Layers whose files are in cached trees below
    `trees` are copied from there. Raises `Conflict` for a directory that holds
    something, `NotFound`, `IntegrityError`, `DiskFull`, and `InvalidInput` for what is not a
    bundle.
    """
    root = directory.absolute()
    _refuse_occupied(root)
    manifest = store.resolve(reference)
    index = fetch_index(store, manifest)
    size = sum(row.size for row in index.files)
    beside = [partial_dir] if partial_dir is not None else []
    with naming_room(root.parent, size, "the clone", *beside), stage_clone(root) as staging:
        numbers = set(index.layer_of.values())
        fetch_layers(
            store, index, numbers, staging, partial_dir=partial_dir, trees=trees, reporter=reporter
        )
        _set_modes(staging, index)
        tag = None if is_digest(reference) else reference
        _make_project(staging, index, repository, tag, env)
        if tag is not None:
            _agree(staging, store, tag, manifest, index)
        _refuse_occupied(root)
        staging.rename(root)
    sign = "@" if is_digest(reference) else ":"
    return CloneResult(
        root, f"{store.location}{sign}{reference}", manifest, index.content, len(index.files), size
    )


def _refuse_occupied(root: Path) -> None:
    if root.is_symlink() or (root.exists() and not root.is_dir()):
        raise Conflict(
            f"{root} is in the way", code="directory_occupied",
            hint="name a directory that is not there yet",
        )  # fmt: skip
    if root.exists() and any(root.iterdir()):
        raise Conflict(
            f"{root} is not empty", code="directory_occupied", hint="name a directory that is not"
        )


def _set_modes(root: Path, index: BundleIndex) -> None:
    for row in index.files:
        if row.mode == "0755":
            path = root / row.path
            mode = path.stat().st_mode
            path.chmod(mode | ((mode & 0o444) >> 2))


def _make_project(
    root: Path, index: BundleIndex, repository: str, tag: str | None, env: str | None
) -> None:
    (root / BUNDLE_STORAGE_DIR).mkdir(exist_ok=True)
    init_project(root, name=repository, tag=tag or "latest", repair=True)
    write_tracked(root, [*(row.path for row in index.files), REGISTRY_PATH])
    if env is not None:
        write_atomically(root / BUNDLE_STORAGE_DIR / "env", f"{env}\n")


def _agree(root: Path, store: BundleStore, tag: str, manifest: str, index: BundleIndex) -> None:
    project = open_project(root)
    registry = project.registry_path.read_bytes()
    reference = f"{store.location}:{tag}"
    write_baseline(project, reference, manifest, index.content, index.state(), registry)
