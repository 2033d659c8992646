"""The registry of a pull: its own merge, entry by entry."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from modelops_bundle.artifact.manifest import BundleIndex
from modelops_bundle.cache.fetching import fetch_layers
from modelops_bundle.diff import State
from modelops_bundle.oci.store import BundleStore
from modelops_bundle.project.baselines import Baseline, registry_before_push
from modelops_bundle.project.project import Project
from modelops_bundle.transfer.merging import (
    Side,
    merge_registries,
)
from modelops_contracts.places import REGISTRY_PATH
from modelops_contracts.registry import BundleRegistry


def merge_registry(
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
    remote = registry_of(store, index)
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


def registry_of(store: BundleStore, index: BundleIndex) -> bytes:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        fetch_layers(store, index, {index.layer_of[REGISTRY_PATH]}, Path(folder))
        return (Path(folder) / REGISTRY_PATH).read_bytes()
