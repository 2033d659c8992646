"""Who pushed a bundle, when, and from which commit: small manifests that refer to the bundle.

A record is written after the push, as well as it can be; nothing that is digested knows of it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from modelops_bundle.oci import media_types
from modelops_bundle.oci.reference import is_digest
from modelops_contracts.errors import ModelOpsError, NotFound

if TYPE_CHECKING:
    from modelops_bundle.oci.store import BundleStore
    from modelops_bundle.project.project import Project
    from modelops_bundle.project.provenance import Provenance

EMPTY = b"{}"
_CREATED = "org.opencontainers.image.created"
_REVISION = "org.opencontainers.image.revision"
_SOURCE = "org.opencontainers.image.source"
_DIRTY = "org.modelops.git.dirty"
_DIFF = "org.modelops.git.diff"
_TOOL = "org.modelops.tool"
_USER = "org.modelops.user"
_PREVIOUS = "org.modelops.previous"


@dataclass(frozen=True, slots=True)
class PushRecord:
    """One push: `manifest` is the bundle, `previous` what the tag pointed to before.

    `created` is ISO 8601 in UTC. What git said is None where there was none. A push that only the
    project remembers, because the store keeps no record of it, is not `recorded`.
    """

    manifest: str
    created: str
    user: str | None = None
    tool: str | None = None
    commit: str | None = None
    dirty: bool | None = None
    diff: str | None = None
    source: str | None = None
    previous: str | None = None
    recorded: bool = True

    def annotations(self) -> dict[str, str]:
        """Return the record as annotations; what is unknown is left out."""
        dirty = None if self.dirty is None else str(self.dirty).lower()
        pairs = {
            _CREATED: self.created, _REVISION: self.commit, _SOURCE: self.source, _DIRTY: dirty,
            _DIFF: self.diff, _TOOL: self.tool, _USER: self.user, _PREVIOUS: self.previous,
        }  # fmt: skip
        return {key: value for key, value in pairs.items() if value}


@dataclass(frozen=True, slots=True)
class PushLog:
    """Pushes, the newest first. `complete` is False where the registry keeps no such records."""

    records: tuple[PushRecord, ...]
    complete: bool = True


def record_for(
    project: Project, manifest: str, tracked: Sequence[str], previous: str | None
) -> PushRecord:
    """Describe a push of a project that has just happened."""
    from modelops_bundle.project.provenance import read_provenance

    git: Provenance | None = read_provenance(project.root, tracked)
    return PushRecord(
        manifest=manifest,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        user=_user(),
        tool=_tool(),
        commit=git.commit if git else None,
        dirty=git.dirty if git else None,
        diff=git.diff if git else None,
        source=git.source if git else None,
        previous=previous,
    )


def leave_record(store: BundleStore, record: PushRecord) -> str | None:
    """Store a record beside its bundle; return why it could not be, None when it is there.

    The push itself is done: whatever happens here is a warning at most.
    """
    try:
        bundle = store.get_manifest(record.manifest)
        data = build_record(record, len(bundle))
        try:
            store.put_manifest(data, media_type=media_types.MANIFEST)
        except NotFound:  # the first record here: the empty blob that they all name is missing
            store.put_blob(media_types.EMPTY_DIGEST, io.BytesIO(EMPTY))
            store.put_manifest(data, media_type=media_types.MANIFEST)
    except (ModelOpsError, OSError) as error:
        return f"the push is done, but its record could not be stored: {error}"
    return None


def build_record(record: PushRecord, bundle_size: int) -> bytes:
    """Return the manifest of a record."""
    empty = {
        "mediaType": media_types.EMPTY, "digest": media_types.EMPTY_DIGEST, "size": len(EMPTY),
    }  # fmt: skip
    manifest = {
        "schemaVersion": 2,
        "mediaType": media_types.MANIFEST,
        "artifactType": media_types.PUSH,
        "config": empty,
        "layers": [empty],
        "subject": {
            "mediaType": media_types.MANIFEST, "digest": record.manifest, "size": bundle_size,
        },
        "annotations": record.annotations(),
    }  # fmt: skip
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def read_log(store: BundleStore, reference: str, *, limit: int) -> PushLog:
    """Follow the records of a tag or digest back in time; at most `limit` of them.

    Raises `NotFound` when the reference itself is not there. A bundle without a record ends it.
    """
    waiting, seen = [store.resolve(reference)], set[str]()
    found: list[PushRecord] = []
    while waiting and len(found) < limit:
        digest = waiting.pop(0)
        if digest in seen:
            continue
        seen.add(digest)
        records = records_of(store, digest)
        if records is None:
            return PushLog(tuple(found), complete=False)
        found += records
        waiting += [item.previous for item in records if item.previous]
    ordered = sorted(found, key=lambda item: item.created, reverse=True)
    return PushLog(tuple(ordered[:limit]))


def add_own_push(log: PushLog, push: Mapping[str, Any], *, limit: int) -> PushLog:
    """Add what a project remembers of its last push to a tag, where the store's records lack it.

    That is so where none are kept, and when somebody has moved the tag over the push since.
    """
    manifest, moment = push.get("manifest"), push.get("pushed_at")
    known = {item.manifest for item in log.records}
    if not isinstance(manifest, str) or not isinstance(moment, str) or manifest in known:
        return log
    if log.complete and len(log.records) >= limit:
        return log  # it may be among those that were not read
    own = PushRecord(manifest, moment, user=_user(), recorded=False)
    ordered = sorted([*log.records, own], key=lambda item: item.created, reverse=True)
    return PushLog(tuple(ordered[:limit]), log.complete)


def records_of(store: BundleStore, manifest: str) -> list[PushRecord] | None:
    """Return the records of one bundle, the newest first; None where none are kept."""
    referring = store.referrers(manifest, media_types.PUSH)
    if referring is None:
        return None
    found = []
    for digest in referring:
        try:
            found.append(read_record(store.get_manifest(digest), manifest))
        except NotFound:
            continue  # an entry that outlived what it names
    records = [item for item in found if item is not None]
    return sorted(records, key=lambda item: item.created, reverse=True)


def read_record(data: bytes, manifest: str) -> PushRecord | None:
    """Read a record; None for anything that is not one of this bundle."""
    try:
        tree = json.loads(data)
        if tree["artifactType"] != media_types.PUSH or tree["subject"]["digest"] != manifest:
            return None
        notes: Mapping[str, Any] = tree["annotations"]
        previous = notes.get(_PREVIOUS)
        return PushRecord(
            manifest=manifest,
            created=str(notes[_CREATED]),
            user=notes.get(_USER),
            tool=notes.get(_TOOL),
            commit=notes.get(_REVISION),
            dirty={"true": True, "false": False}.get(str(notes.get(_DIRTY))),
            diff=notes.get(_DIFF),
            source=notes.get(_SOURCE),
            previous=previous if is_digest(str(previous)) else None,
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _user() -> str | None:
    import os
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container that runs under a number without a name
        return None


def _tool() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"modelops {version('modelops')}"
    except PackageNotFoundError:
        return "modelops"
