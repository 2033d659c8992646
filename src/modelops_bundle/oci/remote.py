"""One repository of an OCI registry as a store."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from modelops_bundle.oci import media_types
from modelops_bundle.oci.answers import Answer, read_number
from modelops_bundle.oci.auth import CredentialSource
from modelops_bundle.oci.connections import BLOCK
from modelops_bundle.oci.docker_hub import full_repository
from modelops_bundle.oci.documents import load_document
from modelops_bundle.oci.download import BlobReader
from modelops_bundle.oci.external import ExternalBlobs
from modelops_bundle.oci.http import Body, Patience, RegistryHttp
from modelops_bundle.oci.mounts import mount_blob
from modelops_bundle.oci.pages import malformed, read_pages
from modelops_bundle.oci.parallel import run_parallel
from modelops_bundle.oci.proxies import ProxySettings
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.oci.referrers import ask_referrers
from modelops_bundle.oci.upload import BlobUpload
from modelops_bundle.oci.verifying import VerifyingReader
from modelops_bundle.project.config import TAG, check_tag, is_repository
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import Conflict, IntegrityError, InvalidInput, NotFound, nearest
from modelops_contracts.expected import ANYTHING, Expected

ACCEPT = ", ".join((
    media_types.MANIFEST,
    media_types.INDEX,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
))  # fmt: skip
LARGEST_CACHED_BLOB = 64 * 1024 * 1024
_PAGE = 500
_IN_MEMORY = 2 * 1024 * 1024


class RemoteStore:
    """One repository of a registry on the network; safe to use from several threads.

    `host` is `name[:port]`. `sources` give logins and are asked in order, after the registry has
    refused us without one. `cache_dir` keeps manifests and configs, which never change, and the
    addresses of unfinished uploads. Every method may raise `AccessDenied` and `Unavailable`.
    """

    def __init__(
        self,
        host: str,
        repository: str,
        *,
        sources: Sequence[CredentialSource] = (),
        plain_http: bool | None = None,
        ca_file: Path | None = None,
        also_trust: Path | None = None,
        proxies: ProxySettings | None = None,
        login_required: bool = False,
        cache_dir: Path | None = None,
        parallel: int = 8,
        patience: Patience | None = None,
        tell: Callable[[str], None] | None = None,
        external: ExternalBlobs | None = None,
    ) -> None:
        if not is_repository(repository):
            raise InvalidInput(f"{repository!r} is not a repository name")
        self.host = host
        self.repository = full_repository(host, repository)
        self.parallel = parallel
        self._cache_dir = cache_dir
        self._present: set[str] = set()
        self.external = external or ExternalBlobs()
        self._elsewhere: dict[str, str] = {}
        self._configs: set[str] = set()
        self._sent: dict[str, bytes] = {}
        self.http = RegistryHttp(
            host, plain_http=plain_http, ca_file=ca_file, also_trust=also_trust, proxies=proxies,
            sources=sources, login_required=login_required, parallel=parallel,
            patience=patience, **({"tell": tell} if tell is not None else {}),
        )  # fmt: skip

    @property
    def spool_dir(self) -> Path | None:
        """Where packed layers may wait until they are sent."""
        return self._cache_dir / "spool" if self._cache_dir is not None else None

    @property
    def location(self) -> str:
        """The reference of the repository, without tag and digest."""
        return f"{self.host}/{self.repository}"

    def resolve(self, reference: str) -> str:
        """Return the manifest digest of a tag or digest, in one request; `NotFound`."""
        found = self.find(reference)
        if found is None:
            raise self._no_such(reference)
        return found

    def find(self, reference: str) -> str | None:
        """Return the manifest digest of a tag or digest, None when it is not there."""
        if not is_digest(reference):
            check_tag(reference)
        return self._look_up(reference)

    def forget_blobs(self) -> None:
        """Believe no longer that blobs are there because a manifest names them."""
        self._present.clear()

    def get_manifest(self, digest: str) -> bytes:
        """Return a manifest's bytes, verified; raises `NotFound` and `IntegrityError`."""
        _check_digest(digest)
        data = self._cached("manifests", digest)
        if data is None:
            answer = self._ask("GET", f"manifests/{digest}", f"manifest {digest[:19]}", {200, 404},
                               headers={"Accept": ACCEPT})  # fmt: skip
            if answer.status == 404:
                raise self._no_such(digest)
            data = answer.data
            _verify(data, digest, "manifest")
            self._keep("manifests", digest, data)
        self._note(data)
        return data

    def put_manifest(
        self,
        data: bytes,
        *,
        media_type: str,
        tag: str | None = None,
        expected: str | Expected | None = ANYTHING,
    ) -> str:
        """Store a manifest and move `tag` to it; return its digest.

        The tag is read right before: `Conflict` when it is not at `expected`. A registry cannot do
        both at once, so a push within the same request is seen by reading the tag afterwards.
        Raises `NotFound` when a blob it names is missing.
        """
        digest = "sha256:" + hashlib.sha256(data).hexdigest()
        headers = {"Content-Type": media_type}
        if tag is not None:
            check_tag(tag)
            if expected is not ANYTHING:
                self._expect(tag, expected)
            if isinstance(expected, str):
                headers["If-Match"] = expected
        answer = self._ask(
            "PUT", f"manifests/{tag or digest}", f"manifest {tag or digest[:19]}", {200, 201, 202},
            action="push", headers=headers, body=Body(lambda: [data], len(data)),
        )  # fmt: skip
        stored = answer.headers.get("Docker-Content-Digest", digest)
        if stored != digest:
            raise IntegrityError(f"{self.location}: manifest {digest} was stored as {stored}")
        self._keep("manifests", digest, data)
        self._note(data)
        for config in self._configs & self._sent.keys():
            self._keep("configs", config, self._sent.pop(config))
        return digest

    def has_blob(self, digest: str) -> bool:
        """Say whether a blob is there; nothing is asked about those of manifests seen there.

        One that is known to be in another repository of the registry is claimed from it.
        """
        _check_digest(digest)
        if digest in self._present or self._claim(digest):
            return True
        return self.blob_size(digest) is not None

    def blob_size(self, digest: str) -> int | None:
        """Ask the registry for the size of a blob; None when it is not there."""
        _check_digest(digest)
        what = f"blob {digest[:19]}"
        answer = self._ask("HEAD", f"blobs/{digest}", what, {200, 404, 405})
        if answer.status == 405:
            answer = self._ask("GET", f"blobs/{digest}", what, {200, 404}, stream=True)
            answer.raw.close()
        if answer.status == 404:
            return None
        length = read_number(answer.headers.get("Content-Length", ""))
        return -1 if length is None else length

    def get_blob(self, digest: str) -> BinaryIO:
        """Return a blob as a stream; reading to its end raises `IntegrityError` for other bytes.

        A connection that breaks is taken up again where it broke.
        """
        _check_digest(digest)
        data = self._cached("configs", digest) if digest in self._configs else None
        if data is not None:
            return io.BytesIO(data)
        verified = VerifyingReader(self._reader(digest, 0), digest)  # type: ignore[arg-type]
        reader = io.BufferedReader(verified, BLOCK)
        if digest not in self._configs:
            return reader
        with reader:
            data = reader.read(LARGEST_CACHED_BLOB + 1)
        if len(data) > LARGEST_CACHED_BLOB:
            raise IntegrityError(f"{self.location}: config {digest} is larger than any honest one")
        self._keep("configs", digest, data)
        return io.BytesIO(data)

    def open_blob(self, digest: str, offset: int) -> BinaryIO:
        """Return the bytes of a blob from an offset on; the caller verifies them."""
        _check_digest(digest)
        return self._reader(digest, offset)  # type: ignore[return-value]

    def put_blob(self, digest: str, source: BinaryIO) -> None:
        """Store a blob; `IntegrityError`, and nothing stored, when the bytes are others.

        A source that cannot be read from any offset is copied to a temporary file first.
        """
        _check_digest(digest)
        if digest in self._present or self._claim(digest):
            return
        if source.seekable():
            self._upload(digest, source)
            if isinstance(source, io.BytesIO):  # a config, perhaps: its manifest will tell
                self._sent[digest] = source.getvalue()
            return
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            shutil.copyfileobj(source, spool, BLOCK)
            self._upload(digest, spool)  # type: ignore[arg-type]

    def tags(self) -> Mapping[str, str]:
        """Return manifest digest by tag, sorted; all pages are read."""
        names = self.tag_names()
        jobs = [partial(self._look_up, name) for name in names]
        digests = run_parallel(jobs, self.parallel, stopped=self.http.stopped)
        return {name: found for name, found in zip(names, digests, strict=True) if found}

    def tag_names(self) -> list[str]:
        """Return the sorted names of all tags."""
        what = f"{self.repository}: tags"
        found: list[object] = []
        try:
            for page in read_pages(self.http, f"/v2/{self.repository}/tags/list?n={_PAGE}", what):
                tags = page["tags"] or []
                found += tags if isinstance(tags, list) else [None]
        except NotFound:
            pass  # nothing was ever pushed there, or all of it is gone
        except (KeyError, TypeError):
            raise malformed(self.http, what) from None
        names = [name for name in found if isinstance(name, str) and re.fullmatch(TAG, name)]
        if len(names) < len(found):
            raise malformed(self.http, what)
        return sorted(set(names))

    def referrers(self, digest: str, artifact_type: str) -> Sequence[str] | None:
        """Return the digests of the manifests of a type that name this one as their subject.

        None when the registry knows no referrers, as older ones do not.
        """
        _check_digest(digest)
        return ask_referrers(self.http, self.repository, digest, artifact_type)

    def recall_manifest(self, digest: str) -> bytes | None:
        """Return a manifest that was seen before, from the cache; nothing is asked."""
        return self._cached("manifests", digest) if is_digest(digest) else None

    def tell_elsewhere(self, digest: str, repository: str) -> None:
        """Let this store know that another repository of its registry holds a blob."""
        self._elsewhere[digest] = repository

    def _claim(self, digest: str) -> bool:
        """Mount a blob from where it is known to be; False when it has to be sent after all."""
        other = self._elsewhere.pop(digest, None)
        if other is None or not mount_blob(self.http, self.repository, digest, other):
            return False
        self._present.add(digest)
        return True

    def _upload(self, digest: str, source: BinaryIO) -> None:
        sessions = self._cache_dir / "uploads" if self._cache_dir is not None else None
        BlobUpload(self.http, self.repository, digest, source, sessions=sessions).run()
        self._present.add(digest)

    def _reader(self, digest: str, offset: int) -> BlobReader:
        return BlobReader(self.http, f"/v2/{self.repository}/blobs/{digest}", digest, offset)

    def _ask(self, verb: str, path: str, what: str, expect: set[int], **options: Any) -> Answer:
        place = f"/v2/{self.repository}/{path}"
        return self.http.request(
            verb, place, f"{self.repository}: {what}", expect=expect, **options
        )

    def _look_up(self, reference: str) -> str | None:
        """Return the digest of a manifest, None when it is not there."""
        accept = {"Accept": ACCEPT}
        where, what = f"manifests/{reference}", f"manifest {reference[:19]}"
        answer = self._ask("HEAD", where, what, {200, 404, 405}, headers=accept)
        digest = answer.headers.get("Docker-Content-Digest", "")
        if answer.status == 404:
            return None
        if answer.status == 405 or not is_digest(digest):
            answer = self._ask("GET", where, what, {200, 404}, headers=accept)
            if answer.status == 404:
                return None
            digest = "sha256:" + hashlib.sha256(answer.data).hexdigest()
        if is_digest(reference) and digest != reference:
            raise IntegrityError(f"{self.location}@{reference} is answered with {digest}")
        return digest

    def _expect(self, tag: str, expected: str | Expected | None) -> None:
        current = self._look_up(tag)
        if current != expected:
            where = f"is at {current}" if current else "is gone"
            raise Conflict(
                f"{self.location}:{tag} {where}: somebody else pushed in the meantime",
                code="tag_moved",
                hint="mops bundle pull, then push again",
            )

    def _no_such(self, reference: str) -> NotFound:
        sign = "@" if is_digest(reference) else ":"
        hint = None
        if sign == ":":
            names = self.tag_names()
            listed = nearest(reference, names) or names[:5]
            hint = f"tags: {', '.join(listed) or 'none; mops bundle push'}"
        return NotFound(
            f"{self.location}{sign}{reference} not found", code="bundle_not_found", hint=hint
        )

    def _note(self, manifest: bytes) -> None:
        """Remember the blobs of a manifest: a registry that has it has them."""
        try:
            data = load_document(manifest)
            config = str(data["config"]["digest"])
            layers = {str(item["digest"]) for item in data.get("layers", ())}
        except (ValueError, KeyError, TypeError):
            return
        self._configs.add(config)
        self._present |= {config, *layers}

    def _cached(self, kind: str, digest: str) -> bytes | None:
        if self._cache_dir is None:
            return None
        path = self._cache_dir / kind / digest.removeprefix("sha256:")
        try:
            data = path.read_bytes()
        except OSError:
            return None
        return data if f"sha256:{hashlib.sha256(data).hexdigest()}" == digest else None

    def _keep(self, kind: str, digest: str, data: bytes) -> None:
        if self._cache_dir is not None:
            write_atomically(self._cache_dir / kind / digest.removeprefix("sha256:"), data)


def _check_digest(digest: str) -> None:
    if not is_digest(digest):
        raise InvalidInput(f"{digest!r} is not sha256: and 64 hex digits")


def _verify(data: bytes, digest: str, what: str) -> None:
    found = "sha256:" + hashlib.sha256(data).hexdigest()
    if found != digest:
        raise IntegrityError(f"{what} {digest} is damaged: its bytes hash to {found}")
