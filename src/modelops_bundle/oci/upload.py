"""Sending one blob: small ones in one request, large ones in chunks that survive interruptions."""

from __future__ import annotations

import contextlib
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from modelops_bundle.oci.answers import Answer, Broken, read_number
from modelops_bundle.oci.http import Body, RegistryHttp
from modelops_bundle.oci.verifying import OtherBytes
from modelops_bundle.snapshot.hashing import Sha256, read_blocks
from modelops_contracts.errors import InvalidInput, ModelOpsError, NotFound, Unavailable

WHOLE = 4 * 1024 * 1024
CHUNK = 8 * 1024 * 1024
SMALLEST_CHUNK = 1024 * 1024
MOST_RESTARTS = 2
_OCTETS = {"Content-Type": "application/octet-stream"}


@dataclass(slots=True)
class _Session:
    """Where an upload stands, as far as the registry says."""

    url: str
    offset: int = 0
    smallest: int = 0


class BlobUpload:
    """The upload of one blob from a source that can be read from any offset.

    `sessions` is a directory where the address of a large upload is kept, so that the next
    command goes on where this one was stopped.
    """

    def __init__(
        self,
        client: RegistryHttp,
        repository: str,
        digest: str,
        source: BinaryIO,
        *,
        sessions: Path | None = None,
    ) -> None:
        self._http = client
        self._repository = repository
        self._digest = digest
        self._size = source.seek(0, io.SEEK_END)
        self._source = _Hashed(source, self._size)
        self._what = f"{repository}: sending blob {digest[:19]}"
        self._blob = f"/v2/{repository}/blobs/{digest}"
        hexes = digest.removeprefix("sha256:")
        self._saved = sessions / f"{hexes}.json" if sessions is not None else None
        self._chunk = CHUNK
        self._failures = 0
        self._restarts = 0
        self._furthest = 0  # going back and forth below it is no progress
        self._url = ""

    def run(self) -> None:
        """Send everything.

        Raises `IntegrityError` when the bytes are not those of the digest (nothing is stored
        then), `AccessDenied`, `Unavailable`, and `InvalidInput` when the registry takes no chunk
        however small.
        """
        try:
            if not (self._size <= WHOLE and self._send_whole()):
                self._send_in_chunks()
        except OtherBytes:
            self._abandon()
            raise
        finally:
            self._source.close()

    def _send_in_chunks(self) -> None:
        session: _Session | None = self._continue() or self._begin()
        while session is not None:
            session = self._finish(self._send_chunks(session))
        self._forget()

    def _send_whole(self) -> bool:
        """Send a small blob in one request; False when the registry finds that too large."""
        while True:
            session = self._begin()
            try:
                answer = self._http.request(
                    "PUT", _with_digest(session.url, self._digest), self._what,
                    expect={201, 204, 404, 413}, action="push", headers=_OCTETS,
                    body=self._part(0, self._size), tries=1,
                )  # fmt: skip
            except Broken as error:
                if self._is_there():
                    return True
                self._fail(error)
                continue
            if answer.status == 413:
                self._chunk = max(SMALLEST_CHUNK, self._size // 2)
                return False
            if answer.status != 404:
                return True
            self._restart()

    def _begin(self) -> _Session:
        answer = self._http.request(
            "POST", f"/v2/{self._repository}/blobs/uploads/", self._what,
            expect={202}, action="push", headers={"Content-Length": "0"},
        )  # fmt: skip
        session = _Session(self._next(answer, ""))
        session.smallest = read_number(answer.headers.get("OCI-Chunk-Min-Length", "")) or 0
        if self._size > WHOLE:
            self._remember(session)
        return session

    def _send_chunks(self, session: _Session) -> _Session:
        while session.offset < self._size:
            length = min(max(self._chunk, session.smallest), self._size - session.offset)
            try:
                answer = self._http.request(
                    "PATCH", session.url, self._what,
                    expect={202, 404, 413, 416}, action="push", tries=1,
                    headers={
                        **_OCTETS,
                        "Content-Range": f"{session.offset}-{session.offset + length - 1}",
                    },
                    body=self._part(session.offset, length),
                )  # fmt: skip
            except Broken as error:
                self._chunk = max(SMALLEST_CHUNK, self._chunk // 2)
                self._fail(error)
                session = self._ask(session)
                continue
            session = self._took(session, answer, length)
        return session

    def _took(self, session: _Session, answer: Answer, length: int) -> _Session:
        if answer.status == 404:
            return self._restart()
        if answer.status == 413:
            if length <= max(SMALLEST_CHUNK, session.smallest):
                raise InvalidInput(
                    f"{self._http.host}: {self._what}: refuses {length} bytes as too large",
                    hint="raise the limit of the registry or of the proxy before it",
                    code="registry_refused",
                )
            self._chunk = max(SMALLEST_CHUNK, min(self._chunk, length) // 2)
            return self._ask(session)
        if answer.status == 416:
            self._fail(self._http.broken(self._what, "the registry has another offset"))
            return self._ask(session)
        offset = _offset_of(answer)
        after = _Session(self._next(answer, session.url), session.offset + length, session.smallest)
        if offset is not None and offset > after.offset:
            return self._restart()  # it has more than it was sent: nothing is known any more
        if offset is not None:
            after.offset = offset
        if after.offset > self._furthest:
            self._furthest, self._failures = after.offset, 0
        else:
            self._fail(self._http.broken(self._what, "the registry keeps nothing of what is sent"))
        self._remember(after)
        return after

    def _finish(self, session: _Session) -> _Session | None:
        """Close the upload; a session when there is more to send, None when all is stored."""
        if self._source.digest() != self._digest:
            raise self._lie()
        try:
            answer = self._http.request(
                "PUT", _with_digest(session.url, self._digest), self._what,
                expect={201, 204, 404, 416}, action="push", headers={"Content-Length": "0"},
                tries=1,
            )  # fmt: skip
        except Broken as error:
            if self._is_there():
                return None
            self._fail(error)
            return self._ask(session)
        if answer.status in {201, 204} or self._is_there():
            return None
        if answer.status == 404:
            return self._restart()
        self._fail(self._http.broken(self._what, "the registry says that bytes are missing"))
        return self._ask(session)

    def _ask(self, session: _Session) -> _Session:
        """Ask the registry how much it has."""
        answer = self._http.request(
            "GET", session.url, self._what, expect={200, 202, 204, 404}, action="push"
        )
        if answer.status == 404:
            return self._restart()
        offset = _offset_of(answer) or 0
        if offset > self._size:
            return self._restart()
        return _Session(self._next(answer, session.url), offset, session.smallest)

    def _continue(self) -> _Session | None:
        """Return the session of an earlier command, if the registry still knows it."""
        saved = self._read_saved()
        if saved is None:
            return None
        try:
            answer = self._http.request(
                "GET", saved, self._what, expect={200, 202, 204}, action="push"
            )
        except (NotFound, InvalidInput):
            self._forget()
            return None
        offset = _offset_of(answer) or 0
        return _Session(self._next(answer, saved), offset) if offset <= self._size else None

    def _restart(self) -> _Session:
        self._restarts += 1
        self._forget()
        if self._restarts > MOST_RESTARTS:
            raise Unavailable(
                f"{self._http.host}: {self._what}: the registry loses the upload again and again",
                code="registry_unavailable",
            )
        return self._begin()

    def _fail(self, error: Broken) -> None:
        self._failures += 1
        self._http.pause(self._failures, error)

    def _is_there(self) -> bool:
        answer = self._http.request("HEAD", self._blob, self._what, expect={200, 404, 405})
        return answer.status == 200

    def _part(self, offset: int, length: int) -> Body:
        return Body(lambda: self._checked(offset, length), length)

    def _checked(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield the bytes of a part; the last ones of all only when all of them are right."""
        end = offset + length
        for block in self._source.blocks(offset, length):
            offset += len(block)
            if offset >= self._size and self._source.digest() != self._digest:
                raise self._lie()
            yield block
        if offset != end:
            raise self._lie()  # the source has become shorter

    def _abandon(self) -> None:
        """Tell the registry that nothing comes of the upload."""
        self._forget()
        if not self._url:
            return
        gone = {200, 202, 204, 400, 404, 405}
        with contextlib.suppress(ModelOpsError):
            self._http.request("DELETE", self._url, self._what, expect=gone, action="push")

    def _next(self, answer: Answer, before: str) -> str:
        place = answer.headers.get("Location")
        if not place and not before:
            raise Unavailable(f"{self._http.host}: {self._what}: no address to send to")
        self._url = self._http.follow(answer.url, place, self._what) if place else before
        return self._url

    def _lie(self) -> OtherBytes:
        return OtherBytes(f"blob {self._digest}: the bytes given hash to others")

    def _remember(self, session: _Session) -> None:
        """Keep the address for the next command; losing it to a power cut costs time only."""
        if self._saved is None:
            return
        self._saved.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._saved.with_suffix(f".{secrets.token_hex(6)}.tmp")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump({"place": self._place(), "url": session.url}, stream)
        temporary.replace(self._saved)

    def _read_saved(self) -> str | None:
        if self._saved is None:
            return None
        try:
            data: Mapping[str, Any] = json.loads(self._saved.read_text(encoding="utf-8"))
            return str(data["url"]) if data["place"] == self._place() else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _place(self) -> str:
        return f"{self._http.base}/{self._repository}"

    def _forget(self) -> None:
        if self._saved is not None:
            self._saved.unlink(missing_ok=True)


class _Hashed:
    """A source whose digest is known once all of it was read, in whatever pieces and repeats."""

    def __init__(self, source: BinaryIO, size: int) -> None:
        self._source = source
        self._size = size
        self._hash = Sha256(size)
        self._hashed = 0

    def blocks(self, offset: int, length: int) -> Iterator[bytes]:
        """Yield the bytes of a part, hashing those that were not read before."""
        if offset > self._hashed:
            self._hash_to(offset)
        self._source.seek(offset)
        for block in read_blocks(self._source, length):
            new = offset + len(block) - self._hashed
            if new > 0:
                self._hash.update(block[-new:] if new < len(block) else block)
                self._hashed += new
            offset += len(block)
            yield block

    def digest(self) -> str:
        """Return the digest of the whole, reading what is missing."""
        self._hash_to(self._size)
        return f"sha256:{self._hash.hexdigest()}"

    def close(self) -> None:
        """End what runs beside."""
        self._hash.hexdigest()

    def _hash_to(self, offset: int) -> None:
        if self._hashed < offset:
            for _ in self.blocks(self._hashed, offset - self._hashed):
                pass


def _with_digest(url: str, digest: str) -> str:
    parts = urlsplit(url)
    query = [*parse_qsl(parts.query, keep_blank_values=True), ("digest", digest)]
    return parts._replace(query=urlencode(query, quote_via=quote)).geturl()


def _offset_of(answer: Answer) -> int | None:
    """Return how many bytes the registry has, if it says so; `0-0` stands for none."""
    text = answer.headers.get("Range", "").removeprefix("bytes=")
    last = read_number(text.partition("-")[2])
    return None if last is None else last + 1 if last > 0 else 0
