"""An OCI image layout directory as a store: no server, readable by other OCI tools."""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from modelops_bundle.oci import media_types
from modelops_bundle.oci.external import ExternalBlobs
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.oci.verifying import OtherBytes, VerifyingReader
from modelops_bundle.project.config import check_tag, is_repository
from modelops_bundle.project.project import sweep_leftovers
from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.errors import Conflict, IntegrityError, InvalidInput, NotFound, nearest
from modelops_contracts.expected import ANYTHING, Expected

_CHUNK = 1024 * 1024
_LOCK_SECONDS = 30.0


class LayoutStore:
    """One repository below a directory: `<path>/<repository>/{oci-layout,index.json,blobs}`.

    Nothing is created before the first write. Blobs are read-only files, written whole or not at
    all; tags live in `index.json` and move by compare-and-swap under a lock. What a killed writer
    left is removed an hour later by the next one.
    """

    def __init__(
        self, path: Path, repository: str, *, external: ExternalBlobs | None = None
    ) -> None:
        if not is_repository(repository):
            raise InvalidInput(f"{repository!r} is not a repository name")
        self.root = Path(path).absolute() / repository
        self.repository = repository
        self.external = external or ExternalBlobs()
        self._swept = False

    @property
    def location(self) -> str:
        """The reference of the repository, without tag and digest."""
        return f"oci:{self.root}"

    def resolve(self, reference: str) -> str:
        """Return the manifest digest of a tag or digest; `NotFound` names what there is."""
        if is_digest(reference):
            if not self._blob(reference).is_file():
                raise NotFound(f"{self.location}@{reference} not found", code="bundle_not_found")
            return reference
        tags = self.tags()
        if reference not in tags:
            close = nearest(reference, tags)
            listed = ", ".join(close or sorted(tags)) or "none; mops bundle push"
            raise NotFound(
                f"{self.location}:{reference} not found",
                code="bundle_not_found",
                hint=f"tags: {listed}",
            )
        return tags[reference]

    def find(self, reference: str) -> str | None:
        """Return the manifest digest of a tag or digest, None when it is not there."""
        if is_digest(reference):
            return reference if self._blob(reference).is_file() else None
        return self.tags().get(reference)

    def forget_blobs(self) -> None:
        """Nothing is believed here: a file is there or not."""

    def get_manifest(self, digest: str) -> bytes:
        """Return a manifest's bytes, verified."""
        with self.get_blob(digest) as stream:
            return stream.read()

    def put_manifest(
        self,
        data: bytes,
        *,
        media_type: str,
        tag: str | None = None,
        expected: str | Expected | None = ANYTHING,
    ) -> str:
        """Store a manifest and, last of all, move `tag` to it; return its digest.

        Raises `NotFound` when a blob it names is missing, and `Conflict` when the tag is not at
        `expected`; the tag stays where it is then.
        """
        if tag is not None:
            check_tag(tag)
        for needed in _named_blobs(data):
            if not self.has_blob(needed):
                raise NotFound(f"blob {needed} must be stored before the manifest that names it")
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        self.put_blob(digest, io.BytesIO(data))
        descriptor = {"mediaType": media_type, "digest": digest, "size": len(data)}
        if "subject" in (tree := json.loads(data)):
            descriptor["artifactType"] = str(tree.get("artifactType", ""))
        self._move_tag(descriptor, tag, expected)
        return digest

    def has_blob(self, digest: str) -> bool:
        """Say whether a blob is there; a file under its final name is always whole."""
        return self._blob(digest).is_file()

    def blob_size(self, digest: str) -> int | None:
        """Return the size of a blob, None when it is not there."""
        path = self._blob(digest)
        return path.stat().st_size if path.is_file() else None

    def get_blob(self, digest: str) -> BinaryIO:
        """Return a blob as a stream that raises `IntegrityError` at its end if it was damaged."""
        path = self._blob(digest)
        try:
            stream = path.open("rb")
        except FileNotFoundError:
            raise NotFound(f"{self.location}: blob {digest} not found") from None
        reader = VerifyingReader(stream, digest, hint=f"remove {path} and push again")
        return io.BufferedReader(reader, _CHUNK)

    def put_blob(self, digest: str, source: BinaryIO) -> None:
        """Store a blob; `IntegrityError`, and nothing stored, when the bytes are others."""
        path = self._blob(digest)
        if path.is_file():
            return
        self._create()
        temporary = path.parent / f".{path.name}.{secrets.token_hex(6)}.tmp"
        try:
            found = _copy_durably(source, temporary)
            if found != digest:
                raise OtherBytes(f"blob {digest}: the bytes given hash to {found}")
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)

    def tags(self) -> Mapping[str, str]:
        """Return manifest digest by tag, sorted."""
        found = {
            str(item["annotations"][media_types.TAG_KEY]): str(item["digest"])
            for item in self._manifests()
            if media_types.TAG_KEY in item.get("annotations", {})
        }
        return dict(sorted(found.items()))

    def tag_names(self) -> list[str]:
        """Return the sorted names of all tags."""
        return list(self.tags())

    def referrers(self, digest: str, artifact_type: str) -> Sequence[str]:
        """Return the digests of the manifests of a type that name this one as their subject."""
        likely = [
            str(item["digest"])
            for item in self._manifests()
            if item.get("artifactType") == artifact_type
        ]
        return [item for item in likely if self._subject_of(item) == digest]

    def _subject_of(self, digest: str) -> str | None:
        try:
            return str(json.loads(self.get_manifest(digest))["subject"]["digest"])
        except (NotFound, ValueError, KeyError, TypeError):
            return None

    def _blob(self, digest: str) -> Path:
        if not is_digest(digest):
            raise InvalidInput(f"{digest!r} is not sha256: and 64 hex digits")
        return self.root / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def _create(self) -> None:
        (self.root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        marker = self.root / "oci-layout"
        if not marker.exists():
            write_atomically(marker, '{"imageLayoutVersion":"1.0.0"}')
        if not self._swept:
            self._swept = True
            sweep_leftovers(self.root / "blobs" / "sha256")
            sweep_leftovers(self.root)

    def _manifests(self) -> list[dict[str, Any]]:
        path = self.root / "index.json"
        try:
            data = json.loads(path.read_bytes())
            return [dict(item) for item in data["manifests"]]
        except FileNotFoundError:
            return []
        except (ValueError, KeyError, TypeError):
            raise IntegrityError(
                f"{path} is not an OCI index", hint=f"remove {path} and push again"
            ) from None

    def _move_tag(
        self, descriptor: dict[str, Any], tag: str | None, expected: str | Expected | None
    ) -> None:
        self._create()
        with FileLock(self.root / "index.lock", timeout=_LOCK_SECONDS):
            manifests = self._manifests()
            current = self.tags().get(tag) if tag is not None else None
            if tag is not None and expected is not ANYTHING and current != expected:
                raise _moved(self.location, tag, current)
            updated = _with_tag(manifests, descriptor, tag)
            if updated != manifests:
                index = {
                    "schemaVersion": 2,
                    "mediaType": media_types.INDEX,
                    "manifests": updated,
                }
                write_atomically(self.root / "index.json", json.dumps(index, indent=1))


def _with_tag(
    manifests: list[dict[str, Any]], descriptor: dict[str, Any], tag: str | None
) -> list[dict[str, Any]]:
    kept: list[dict[str, Any]] = []
    for item in manifests:
        if tag is not None and item.get("annotations", {}).get(media_types.TAG_KEY) == tag:
            item = {key: value for key, value in item.items() if key != "annotations"}  # noqa: PLW2901
        if item not in kept:
            kept.append(item)
    kept = [item for item in kept if item != descriptor]  # the older, untagged mention of it
    if tag is not None:
        return [*kept, {**descriptor, "annotations": {media_types.TAG_KEY: tag}}]
    known = any(item["digest"] == descriptor["digest"] for item in kept)
    return kept if known else [*kept, descriptor]


def _moved(location: str, tag: str, current: str | None) -> Conflict:
    where = f"is at {current}" if current else "is gone"
    return Conflict(
        f"{location}:{tag} {where}: somebody else pushed in the meantime",
        code="tag_moved",
        hint="mops bundle status, then push again",
    )


def _named_blobs(data: bytes) -> list[str]:
    try:
        manifest = json.loads(data)
        descriptors = [manifest["config"], *manifest.get("layers", [])]
        return [str(item["digest"]) for item in descriptors]
    except (ValueError, KeyError, TypeError):
        raise InvalidInput("a manifest must be JSON with config and layers") from None


def _copy_durably(source: BinaryIO, path: Path) -> str:
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
    with os.fdopen(descriptor, "wb") as stream:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            stream.write(chunk)
        stream.flush()
        os.fsync(descriptor)
    return f"sha256:{digest.hexdigest()}"


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
