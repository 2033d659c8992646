"""Push: the project's tracked files become a bundle in a store, and a tag moves to it."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modelops_bundle.baselines import read_baseline, record_push, write_baseline
from modelops_bundle.codebase import open_codebase
from modelops_bundle.manifest import (
    BundleIndex,
    Layer,
    build_config,
    build_manifest,
    sha256_of,
)
from modelops_bundle.mounting import offer_mounts
from modelops_bundle.oci import media_types
from modelops_bundle.preflight import remember_sketches
from modelops_bundle.project import Project
from modelops_bundle.room import naming_room
from modelops_bundle.tracking import (
    read_tracked,
    write_tracked,
)
from modelops_bundle.transfer.push_layers import send_layers
from modelops_bundle.transfer.push_plan import PushPlan, current_digest, entry_digests, plan_push
from modelops_bundle.writing import write_project
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import Conflict, NotFound
from modelops_contracts.registry import REGISTRY_PATH

if TYPE_CHECKING:
    from modelops_bundle.oci.store import BundleStore
    from modelops_contracts.ports import Reporter


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a push did; `sent` and `reused` count bytes as stored.

    `warnings` are about what comes after the push, which is done.
    """

    plan: PushPlan
    manifest: str
    content: str
    pushed: bool
    sent: int = 0
    reused: int = 0
    layers_sent: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The tag that now points to the bundle."""
        return self.plan.reference

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            **self.plan.to_json(),
            "digest": self.manifest,
            "pushed": self.pushed,
            "bytes_sent": self.sent,
            "bytes_reused": self.reused,
        }


def apply_push(
    plan: PushPlan, store: BundleStore, *, reporter: Reporter | None = None
) -> PushResult:
    """Send what a plan says and move the tag.

    The registry is written first, so that the bundle describes its own bytes. A file that changes
    while it is packed raises `Conflict`, and so does a tag that moved since the plan was made;
    nothing is tagged then.
    """
    with write_project(plan.project, "mops bundle push"):
        _record(plan)
    return _leave_record(_transfer(plan, store, reporter), store)


def _written_to(store: BundleStore) -> Path:
    """Return where packed layers are written: the store itself, or where they wait."""
    folder = getattr(store, "root", None) or getattr(store, "spool_dir", None)
    return Path(folder) if folder is not None else Path(tempfile.gettempdir())


def _nobody() -> Reporter:
    from modelops_contracts.ports import NullReporter

    return NullReporter()


def _transfer(plan: PushPlan, store: BundleStore, reporter: Reporter | None) -> PushResult:
    if plan.up_to_date:
        assert plan.remote is not None
        if not _is_remembered(plan, plan.remote):
            _remember(plan, plan.remote)
        return PushResult(plan, plan.remote, plan.content, pushed=False)
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
    return PushResult(plan, digest, plan.content, True, sent, reused, count)


def _leave_record(done: PushResult, store: BundleStore) -> PushResult:
    """Say beside the bundle who pushed it and from which commit."""
    if not done.pushed:
        return done
    from modelops_bundle.push_records import leave_record, record_for

    files = [row.path for row in done.plan.rows]
    record = record_for(done.plan.project, done.manifest, files, done.plan.remote)
    problem = leave_record(store, record)
    return replace(done, warnings=(problem,) if problem is not None else ())


def push(
    project: Project,
    store: BundleStore,
    tag: str | None = None,
    *,
    allow_stale: bool = False,
    force: bool = False,
    reporter: Reporter | None = None,
) -> PushResult:
    """Plan and apply a push; see `plan_push` and `apply_push` for what it raises."""
    with write_project(project, "mops bundle push"):
        codebase = open_codebase(project)
        plan = plan_push(
            project, store, tag, allow_stale=allow_stale, force=force, codebase=codebase
        )
        remember_sketches(codebase, plan.recorded)
        codebase.save()
        _record(plan)
    return _leave_record(_transfer(plan, store, reporter), store)


def _record(plan: PushPlan) -> None:
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
    merged = plan.project.storage / "base" / "registry.yaml"
    return merged.is_file() and merged.read_bytes() == plan.registry


def _remember(plan: PushPlan, digest: str) -> None:
    state = {row.path: (row.sha256, row.mode) for row in plan.rows}
    write_baseline(
        plan.project, plan.reference, digest, plan.content, state, plan.registry, pushed=True
    )
    record_push(plan.project, plan.reference, digest, plan.content)
