"""The layers of a push: packed and sent, several at a time where the store is far away."""

from __future__ import annotations

import io
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from modelops_bundle.artifact.manifest import Layer
from modelops_bundle.oci.parallel import run_parallel
from modelops_bundle.snapshot.index import bundle_mode
from modelops_contracts.registry import REGISTRY_PATH

if TYPE_CHECKING:
    from modelops_bundle.artifact.packing import OpenFile, PackedLayer
    from modelops_bundle.oci.store import BundleStore
    from modelops_bundle.transfer.push_plan import PushPlan
    from modelops_contracts.ports import Reporter


def send_layers(
    plan: PushPlan, store: BundleStore, reporter: Reporter
) -> tuple[list[Layer], int, int]:
    """Bring all layers of a plan into the store; return them, bytes sent, and layers sent.

    Raises `Conflict` for a file that is not what the plan says any more.
    """
    from modelops_bundle.artifact.packing import pack_layer

    rows = {row.path: row for row in plan.rows}
    open_file = _opener(plan)
    spool_dir = getattr(store, "spool_dir", None)

    def send(number: int) -> tuple[Layer, bool]:
        known = plan.reused.get(number)
        if known is not None and store.has_blob(known.digest):
            reporter.advance()
            return known, False
        bucket = plan.buckets[number]
        members = [rows[path] for path in bucket.paths]
        tar_digest = plan.tar_digests.get(members[0]) if bucket.single else None
        with pack_layer(
            bucket, members, dict(plan.links), open_file,
            tar_digest=tar_digest, spool_dir=spool_dir,
        ) as packed:  # fmt: skip
            fresh = not store.has_blob(packed.layer.digest)
            if fresh:
                _send(store, packed, bucket.paths[0])
        reporter.advance()
        return packed.layer, fresh

    client = getattr(store, "http", None)
    done = run_parallel(
        [partial(send, number) for number in range(len(plan.buckets))],
        int(getattr(store, "parallel", 1)),
        stopped=getattr(client, "stopped", None),
    )
    sent = [layer.size for layer, fresh in done if fresh]
    return [layer for layer, _ in done], sum(sent), len(sent)


def _send(store: BundleStore, packed: PackedLayer, path: str) -> None:
    """Send a layer; its digest also proves that no file changed since it was packed."""
    from modelops_bundle.artifact.packing import changed_while_packed
    from modelops_bundle.oci.verifying import OtherBytes

    try:
        with packed.open() as stream:
            store.put_blob(packed.layer.digest, stream)
    except OtherBytes as error:
        raise changed_while_packed(path) from error


def _opener(plan: PushPlan) -> OpenFile:
    from modelops_bundle.artifact.packing import changed_while_packed

    root = plan.project.root
    rows = {row.path: row for row in plan.rows}

    def open_file(path: str) -> BinaryIO:
        if path == REGISTRY_PATH:
            return io.BytesIO(plan.registry)
        file = root / path
        try:
            if bundle_mode(file.lstat()) == rows[path].mode:
                return file.open("rb")
        except FileNotFoundError:
            pass
        raise changed_while_packed(path)

    return open_file
