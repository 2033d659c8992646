"""What a push would do: which files, which layers, and whether it may be done at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modelops_bundle.artifact.manifest import (
    FORMAT,
    PACKING,
    BundleIndex,
    Layer,
    content_digest,
    sha256_of,
)
from modelops_bundle.artifact.placement import LARGE_FILE, Bucket, place_files
from modelops_bundle.cache.bundle_cache import fetch_index
from modelops_bundle.code.codebase import Codebase, open_codebase
from modelops_bundle.diff import FileChanges, compare_files, undone_by
from modelops_bundle.drift.checking import find_new
from modelops_bundle.findings import Finding
from modelops_bundle.preflight import Preflight, refuse_unready, run_preflight
from modelops_bundle.project.baselines import read_baseline, read_pushes
from modelops_bundle.project.config import check_tag
from modelops_bundle.project.guard import refuse_secrets
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import refuse_bad_link, refuse_bad_name
from modelops_bundle.recovery.interruption import find_interruption
from modelops_bundle.registry import load_registry
from modelops_bundle.snapshot.index import FileRow
from modelops_bundle.transfer.push_summary import PushSummary
from modelops_contracts.errors import Conflict, InvalidInput, NotFound
from modelops_contracts.registry import REGISTRY_PATH, BundleRegistry, EnvironmentRecord

if TYPE_CHECKING:
    from modelops_bundle.oci.store import BundleStore

LayerKey = tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class PushPlan:
    """What a push would send and move.

    `registry` are the bytes that `registry.yaml` will have; `remote` is the manifest digest the
    tag has now, None without such a tag, and `remote_layers` the digests of its layers. `buckets`
    are the layers in order; those in `reused` are in the store already.
    """

    project: Project
    reference: str
    tag: str
    rows: tuple[FileRow, ...]
    links: Mapping[str, str]
    registry: bytes
    registry_before: bytes | None
    recorded: BundleRegistry
    content: str
    environment: EnvironmentRecord
    buckets: tuple[Bucket, ...]
    reused: Mapping[int, Layer]
    changes: FileChanges
    tracked: tuple[str, ...]
    findings: tuple[Finding, ...]
    remote: str | None
    up_to_date: bool
    newly_tracked: tuple[str, ...] = ()
    vanished: tuple[str, ...] = ()
    tar_digests: Mapping[FileRow, str] = field(default_factory=dict)
    trusting: bool = False
    remote_layers: tuple[str, ...] = ()

    @property
    def bytes_to_pack(self) -> int:
        """Bytes of the files in layers that the store does not have, before compression."""
        sizes = {row.path: row.size for row in self.rows}
        return sum(
            sizes[path]
            for number, bucket in enumerate(self.buckets)
            if number not in self.reused
            for path in bucket.paths
        )

    @property
    def summary(self) -> PushSummary:
        """What people and programs are told."""
        fresh = {*self.changes.added, *self.changes.modified}
        layers = len(self.buckets)
        return PushSummary(
            reference=self.reference,
            content=self.content,
            up_to_date=self.up_to_date,
            changes=self.changes,
            sizes={row.path: row.size for row in self.rows if row.path in fresh},
            total_files=len(self.rows),
            layers=0 if self.up_to_date else layers - len(self.reused),
            reused_layers=layers if self.up_to_date else len(self.reused),
            bytes_to_pack=0 if self.up_to_date else self.bytes_to_pack,
            findings=self.findings,
            newly_tracked=self.newly_tracked,
            vanished=self.vanished,
        )

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return self.summary.to_json()


def plan_push(
    project: Project,
    store: BundleStore,
    tag: str | None = None,
    *,
    allow_stale: bool = False,
    force: bool = False,
    codebase: Codebase | None = None,
) -> PushPlan:
    """Plan a push; nothing is written here or there.

    Raises `Conflict` (exit code 3) when the registry names what the code does not have, or when
    the push would undo somebody else's (unless `force`), and `InvalidInput` for a project that is
    not ready or a file that looks like a secret.
    """
    chosen = check_tag(tag or project.default_tag)
    reference = f"{store.location}:{chosen}"
    files = codebase or open_codebase(project)
    files.files.frame = _frame
    preflight = _check_project(project, files, allow_stale=allow_stale)
    registry, before = _registry_bytes(project, preflight)
    tracked = tuple(sorted({*preflight.tracked, *preflight.track} - set(preflight.vanished)))
    rows = _snapshot(files, tracked, registry)
    remote = current_digest(store, chosen)
    current = _index_at(store, remote)
    state = {row.path: (row.sha256, row.mode) for row in rows}
    if remote is not None and not force:
        _refuse_overwriting(project, reference, state, remote, current)
    _guard(project, rows, current.state() if current is not None else {})
    buckets = place_files({row.path: row.size for row in rows})
    content = content_digest(rows)
    warned = (find_interruption(project), warn_of_format(current, reference))
    told = [item for item in warned if item is not None]
    up_to_date = _is_same_bundle(current, state, preflight, files.environment.record) and all(
        store.has_blob(layer.digest) for layer in (current.layers if current else ())
    )
    reused: Mapping[int, Layer] = {}
    trusting = False
    if not up_to_date:
        reused, trusting = _find_reused(project, store, chosen, buckets, rows, current)
    return PushPlan(
        project=project,
        reference=reference,
        tag=chosen,
        rows=rows,
        links=_links(project, rows),
        registry=registry,
        registry_before=before,
        recorded=preflight.registry,
        content=content,
        buckets=buckets,
        reused=reused,
        changes=compare_files(current.state() if current is not None else {}, state),
        tracked=tracked,
        findings=(*told, *preflight.findings, *find_new(files, preflight.registry)),
        remote=remote,
        environment=files.environment.record,
        up_to_date=up_to_date,
        newly_tracked=preflight.track,
        vanished=preflight.vanished,
        tar_digests=files.files.framed,
        trusting=trusting,
        remote_layers=tuple(layer.digest for layer in (current.layers if current else ())),
    )


def _check_project(project: Project, files: Codebase, *, allow_stale: bool) -> Preflight:
    preflight = run_preflight(project, files, load_registry(project.root, cache=files.cache))
    if preflight.structural:
        preflight = _with_renames(files, preflight)
    refuse_unready(preflight, allow_stale=allow_stale)
    return preflight


def _refuse_overwriting(
    project: Project,
    reference: str,
    state: Mapping[str, tuple[str, str]],
    remote: str,
    current: BundleIndex | None,
) -> None:
    """Raise when the tag holds what this project has not seen, or something that is no bundle."""
    if current is None:
        raise _not_a_bundle(reference)
    baseline = read_baseline(project, reference)
    if baseline is None or baseline.manifest != remote:
        agreed = baseline.files if baseline is not None else None
        _refuse_lost_update(reference, state, current.state(), agreed)


def _find_reused(
    project: Project,
    store: BundleStore,
    tag: str,
    buckets: Sequence[Bucket],
    rows: Sequence[FileRow],
    current: BundleIndex | None,
) -> tuple[Mapping[int, Layer], bool]:
    """Return the layers that need not be sent, and whether any is believed to be there.

    Those of the tag's own bundle are known to be; those that this project pushed under other tags
    are believed to be.
    """
    known = _reusable(buckets, rows, current)
    reused = known
    if len(known) < len(buckets):
        for index in _pushed_before(project, store, tag):
            reused = {**_reusable(buckets, rows, index), **reused}
    return reused, len(reused) > len(known)


def _frame(path: str, size: int, mode: str) -> tuple[bytes, bytes] | None:
    """Have the tar of a large file hashed in the pass that hashes the file."""
    if size < LARGE_FILE:
        return None
    from modelops_bundle.artifact.packing import frame_of

    return frame_of(FileRow(path, size, "", mode))


def _with_renames(codebase: Codebase, preflight: Preflight) -> Preflight:
    """Let the findings name the command for what was probably renamed."""
    from modelops_bundle.drift.refreshing import name_commands, plan_refresh

    plan = plan_refresh(codebase, preflight.checked.registry)
    likely = (*plan.decisions, *plan.guesses)
    return replace(preflight, findings=name_commands(preflight.findings, likely))


def _registry_bytes(project: Project, preflight: Preflight) -> tuple[bytes, bytes | None]:
    """Return the bytes that `registry.yaml` will have, and those it has."""
    from modelops_contracts.yaml_file import dump_yaml, update_yaml

    registry = preflight.registry
    path = project.registry_path
    before = path.read_bytes() if path.exists() else None
    if before is not None and registry == preflight.checked.registry:
        return before, before
    text = before.decode("utf-8-sig") if before is not None else ""
    wanted = registry.to_dict()
    updated = update_yaml(text, wanted) if text.strip() else dump_yaml(wanted)
    if before is not None and updated == text:
        return before, before
    return updated.encode(), before


def _snapshot(codebase: Codebase, tracked: Sequence[str], registry: bytes) -> tuple[FileRow, ...]:
    for path in tracked:
        refuse_bad_name(path)
    others = [path for path in tracked if path != REGISTRY_PATH]
    rows = codebase.files.rows(others)
    missing = [path for path, row in rows.items() if row is None]
    if missing:
        raise Conflict(f"{missing[0]} vanished while it was read", hint="mops bundle push")
    for row in rows.values():
        if row is not None and row.mode == "link":
            refuse_bad_link(codebase.root, row.path)
    own = FileRow(REGISTRY_PATH, len(registry), sha256_of(registry).removeprefix("sha256:"), "0644")
    found = [row for row in rows.values() if row is not None]
    return tuple(sorted([*found, own], key=lambda row: row.path.encode()))


def _links(project: Project, rows: Sequence[FileRow]) -> dict[str, str]:
    return {
        row.path: (project.root / row.path).readlink().as_posix()
        for row in rows
        if row.mode == "link"
    }


def current_digest(store: BundleStore, tag: str) -> str | None:
    """Return the manifest digest that a tag points to, None without such a tag."""
    return store.find(tag)


def _pushed_before(project: Project, store: BundleStore, tag: str) -> Iterator[BundleIndex]:
    """Yield what this project pushed to other tags of the same repository, the last first."""
    for reference, pushed in reversed(read_pushes(project).items()):
        location, _, other = reference.rpartition(":")
        if location == store.location and other != tag:
            index = _index_at(store, str(pushed.get("manifest", "")))
            if index is not None:
                yield index


def _index_at(store: BundleStore, digest: str | None) -> BundleIndex | None:
    """Return the index of what a tag points to; None when that is nothing, or no bundle."""
    if digest is None:
        return None
    try:
        return fetch_index(store, digest)
    except (InvalidInput, NotFound):
        return None


def warn_of_format(current: BundleIndex | None, reference: str) -> Finding | None:
    """Return what is said before a tag of the existing suite gets a bundle of this format."""
    if current is None or current.format == FORMAT:
        return None
    return Finding(
        f"{reference} holds a bundle of format {current.format}; after this push the existing "
        "suite cannot read it any more",
        code="format_one", severity="warning",
        hint="mops bundle push --tag NAME keeps the tag as it is",
    )  # fmt: skip


def _not_a_bundle(reference: str) -> Conflict:
    return Conflict(
        f"{reference} holds something that is not a bundle of this format",
        code="foreign_artifact",
        hint="mops bundle push --tag NAME keeps both; mops bundle push --force replaces it",
        exit_code=3,
    )


def _refuse_lost_update(
    reference: str,
    local: Mapping[str, tuple[str, str]],
    remote: Mapping[str, tuple[str, str]],
    base: Mapping[str, tuple[str, str]] | None,
) -> None:
    undone = undone_by(local, remote, base)
    if not undone:
        return
    shown = ", ".join(undone[:5]) + (f" and {len(undone) - 5} more" if len(undone) > 5 else "")
    raise Conflict(
        f"{reference} holds work that this project has not seen; pushing would undo: {shown}",
        code="lost_update",
        hint="mops bundle pull merges it into this project; "
        "mops bundle push --tag NAME keeps both; --force replaces it",
        exit_code=3,
    )


def _guard(project: Project, rows: Sequence[FileRow], known: Mapping[str, tuple[str, str]]) -> None:
    fresh = [row.path for row in rows if known.get(row.path) != (row.sha256, row.mode)]
    fresh = [path for path in fresh if path != REGISTRY_PATH]
    refuse_secrets(project.root, fresh, project.config.secret_exceptions)


def _layer_key(rows: Sequence[FileRow]) -> LayerKey:
    return tuple((row.path, row.mode, row.sha256) for row in rows)


def _reusable(
    buckets: Sequence[Bucket], rows: Sequence[FileRow], current: BundleIndex | None
) -> dict[int, Layer]:
    if current is None or current.packing != PACKING:
        return {}
    known = {
        _layer_key(members): layer
        for members, layer in zip(current.rows_by_layer(), current.layers, strict=True)
    }
    by_path = {row.path: row for row in rows}
    found = {
        number: known.get(_layer_key([by_path[path] for path in bucket.paths]))
        for number, bucket in enumerate(buckets)
    }
    return {number: layer for number, layer in found.items() if layer is not None}


def _is_same_bundle(
    current: BundleIndex | None,
    state: Mapping[str, tuple[str, str]],
    preflight: Preflight,
    environment: EnvironmentRecord,
) -> bool:
    if current is None or current.packing != PACKING or current.state() != state:
        return False
    models, targets = entry_digests(preflight.registry)
    same_entries = dict(current.models) == models and dict(current.targets) == targets
    return same_entries and current.environment == environment


def entry_digests(registry: BundleRegistry) -> tuple[dict[str, str], dict[str, str]]:
    models = {key: entry.digest for key, entry in registry.models.items() if entry.digest}
    targets = {key: entry.digest for key, entry in registry.targets.items() if entry.digest}
    return models, targets
