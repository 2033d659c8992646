"""The files of a pull, gathered and verified beside the project before anything changes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

from modelops_bundle.cache.fetching import fetch_layers
from modelops_bundle.cache.sharing import copy_known, find_in_trees
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.recovery.journal import (
    BASE_REGISTRY,
    FILES,
)
from modelops_bundle.snapshot.index import FileRow
from modelops_bundle.transfer.pull_plan import PullPlan
from modelops_bundle.transfer.pull_registry import registry_of
from modelops_contracts.places import REGISTRY_PATH
from modelops_contracts.ports import Reporter


def stage_files(
    plan: PullPlan,
    store: BundleStore,
    staging: Path,
    partial_dir: Path | None,
    trees: Path | None,
    reporter: Reporter | None,
) -> None:
    """Put every file that will be written into the staging directory, verified."""
    rows, files = {row.path: row for row in plan.index.files}, staging / FILES
    missing = [path for path in plan.take if rows[path].mode != "link"]
    known = _known(plan, {rows[path].sha256 for path in missing}, trees)
    missing = [path for path in missing if not copy_known(rows[path], known, files / path)]
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
    return registry_of(store, plan.index)


def _known(plan: PullPlan, wanted: Collection[str], trees: Path | None) -> dict[str, Path]:
    """Return where contents are on this machine: in a cached tree, or in the project."""
    found = find_in_trees(trees, wanted) if trees is not None else {}
    for path, (sha256, mode) in plan.local.items():
        if sha256 in wanted and mode != "link":
            found[sha256] = plan.project.root / path
    return found
