"""Carrying a push out: the registry first, then layers, config, manifest and tag."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelops_bundle.artifact.manifest import (
    BundleIndex,
    Layer,
    build_config,
    build_manifest,
    sha256_of,
)
from modelops_bundle.oci import media_types
from modelops_bundle.project.baselines import (
    base_registry_path,
    read_baseline,
    record_push,
    write_baseline,
)
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.recovery.full_disk import naming_room
from modelops_bundle.transfer.mounting import offer_mounts
from modelops_bundle.transfer.push_layers import send_layers
from modelops_bundle.transfer.push_plan import PushPlan, current_digest, entry_digests
from modelops_bundle.transfer.push_summary import PushResult
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import Conflict, NotFound
from modelops_contracts.registry import REGISTRY_PATH

if TYPE_CHECKING:
    from modelops_bundle.oci.store import BundleStore
    from modelops_contracts.ports import Reporter


def record_registry(plan: PushPlan) -> None:
    """Write the registry and the tracked list as the bundle will have them; the lock is held.

    Raises `Conflict` when the registry changed since the plan was made.
    """
    path = plan.project.registry_path
    now = path.read_bytes() if path.exists() else None
    if now not in {plan.registry_before, plan.registry}:
        raise Conflict(
            f"{REGISTRY_PATH} changed while the push was prepared",
            code="registry_changed", hint="mops bundle push", retryable=True,
        )  # fmt: skip
    if now != plan.registry:
        write_atomically(path, plan.registry)
    root = plan.project.root
    now_tracked = {*read_tracked(root), *plan.newly_tracked, REGISTRY_PATH}
    gone = {path for path in plan.vanished if not os.path.lexists(root / path)}
    write_tracked(root, now_tracked - gone)


def carry_out(plan: PushPlan, store: BundleStore, reporter: Reporter | None) -> PushResult:
    """Send what a plan says, move the tag, and leave a record of who did it.

    Raises what `modelops_bundle.transfer.push.apply_push` raises.
    """
    if not plan.up_to_date:
        return _leave_record(plan, _transfer(plan, store, reporter), store)
    assert plan.remote is not None
    if not _is_remembered(plan, plan.remote):
        _remember(plan, plan.remote)
    return PushResult(plan.summary, plan.remote, pushed=False)


def _transfer(plan: PushPlan, store: BundleStore, reporter: Reporter | None) -> PushResult:
    offer_mounts(plan.project, store)
    telling = reporter or _nobody()
    telling.start("Packing and sending layers", len(plan.buckets))
    try:
        done = _send(plan, store, telling)
    except NotFound:
        if not plan.trusting:
            raise
        store.forget_blobs()  # what was pushed under another tag is no longer there
        done = _send(replace(plan, reused={}, trusting=False), store, telling)
    _check_tag(store, plan, done.manifest)
    _remember(plan, done.manifest)
    telling.finish()
    return done


def _written_to(store: BundleStore) -> Path:
    """Return where packed layers are written: the store itself, or where they wait."""
    folder = getattr(store, "root", None) or getattr(store, "spool_dir", None)
    return Path(folder) if folder is not None else Path(tempfile.gettempdir())


def _nobody() -> Reporter:
    from modelops_contracts.ports import NullReporter

    return NullReporter()


def _send(plan: PushPlan, store: BundleStore, reporter: Reporter) -> PushResult:
    """Send layers, config and manifest; the tag moves with the manifest."""
    with naming_room(_written_to(store), plan.bytes_to_pack, "the push"):
        layers, sent, count = send_layers(plan, store, reporter)
    index = _index(plan, layers)
    config = build_config(index)
    manifest = build_manifest(index, config)
    store.put_blob(sha256_of(config), io.BytesIO(config))
    digest = store.put_manifest(
        manifest, media_type=media_types.MANIFEST, tag=plan.tag, expected=plan.remote
    )
    reused = sum(layer.size for layer in layers) - sent
    return PushResult(plan.summary, digest, True, sent, reused, count)


def _leave_record(plan: PushPlan, done: PushResult, store: BundleStore) -> PushResult:
    """Say beside the bundle who pushed it and from which commit."""
    from modelops_bundle.artifact.push_records import leave_record, record_for

    files = [row.path for row in plan.rows]
    record = record_for(plan.project, done.manifest, files, plan.remote)
    problem = leave_record(store, record)
    return replace(done, warnings=(problem,) if problem is not None else ())


def _index(plan: PushPlan, layers: Sequence[Layer]) -> BundleIndex:
    models, targets = entry_digests(plan.recorded)
    layer_of = {path: number for number, bucket in enumerate(plan.buckets) for path in bucket.paths}
    return BundleIndex(
        files=plan.rows,
        layer_of=layer_of,
        layers=tuple(layers),
        content=plan.content,
        environment=plan.environment,
        links=plan.links,
        models=models,
        targets=targets,
    )


def _check_tag(store: BundleStore, plan: PushPlan, digest: str) -> None:
    found = current_digest(store, plan.tag)
    if found != digest:
        raise Conflict(
            f"{plan.reference} is at {found} right after it was moved to {digest}: "
            "somebody else pushed at the same time",
            code="tag_moved",
            hint="mops bundle push",
        )


def _is_remembered(plan: PushPlan, digest: str) -> bool:
    """True when the baseline and the registry beside it say what they would say again."""
    known = read_baseline(plan.project, plan.reference)
    if known is None or (known.manifest, known.content) != (digest, plan.content):
        return False
    merged = base_registry_path(plan.project)
    return merged.is_file() and merged.read_bytes() == plan.registry


def _remember(plan: PushPlan, digest: str) -> None:
    state = {row.path: (row.sha256, row.mode) for row in plan.rows}
    write_baseline(
        plan.project, plan.reference, digest, plan.content, state, plan.registry, pushed=True
    )
    record_push(plan.project, plan.reference, digest, plan.content)
