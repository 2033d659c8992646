"""The protocol that the registry of the tests speaks, and how misbehaviour looks on the wire."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, quote, urlencode, urlsplit

if TYPE_CHECKING:
    from support.registry_faults import FaultyRegistry

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"

Action = Literal[
    "answer",  # the status and headers of the fault instead of the right answer
    "cut",  # the connection is reset before any answer
    "cut_after",  # the request is carried out, then the connection is reset
    "cut_body",  # half of the right answer's body, then the connection is reset
    "half",  # the first half of the request's body is kept, then the connection is reset
    "stall",  # nothing happens for `seconds`, then the connection is reset
    "slow",  # the right answer, `seconds` later
    "flip",  # the right answer with one bit of its body flipped
    "truncate",  # the right answer without its last byte, its length adjusted
    "no_range",  # the Range header is ignored
    "redirect",  # the blob is to be fetched at `location`
    "strip",  # the right answer without the headers named in `strip`
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One misbehaviour: for requests of `verb` (any when empty) whose path matches `path`.

    It happens `times` times (None: always), after `skip` matching requests went well; `minimum`
    restricts it to requests with at least that many bytes.
    """

    verb: str = ""
    path: str = ""
    action: Action = "answer"
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    times: int | None = 1
    skip: int = 0
    minimum: int = 0
    seconds: float = 0.0
    location: str = ""
    strip: tuple[str, ...] = ()

    def fits(self, verb: str, path: str, size: int) -> bool:
        """True for a request that this fault is about."""
        return (
            self.verb in {"", verb}
            and re.search(self.path, path) is not None
            and size >= self.minimum
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, as it came."""

    verb: str
    path: str
    headers: Mapping[str, str]
    thread: int = 0  # of the server: one for each connection

    def __str__(self) -> str:
        return f"{self.verb} {self.path}"


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 64
    registry: FaultyRegistry

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that a fault or the client cut is no news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server
    timeout = 20
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are kept in the registry instead."""

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815

    @property
    def registry(self) -> FaultyRegistry:
        return self.server.registry

    def _serve(self) -> None:
        registry = self.registry
        size = int(self.headers.get("Content-Length") or 0)
        with registry.lock:
            registry.seen.append(
                Seen(self.command, self.path, dict(self.headers), threading.get_ident())
            )
        self.fault = registry.due(self.command, self.path, size)
        if self.fault is not None and self._misbehave(self.fault, size):
            return
        self.body = self.rfile.read(size)
        if self.path.startswith("/token"):
            self._give_token()
        elif self.path == "/oauth2/exchange" and registry.identity is not None:
            self._exchange(registry.identity)
        elif self._is_welcome():
            self._route()

    def _misbehave(self, fault: Fault, size: int) -> bool:
        """Do what comes instead of the right answer; False when that is still to be given."""
        if fault.action == "answer":
            self.rfile.read(min(size, 64 * 1024) if fault.status == 413 else size)
            self.close_connection = fault.status == 413
            self._answer(fault.status, {**fault.headers, **self._closing()}, _error("SCRIPTED"))
            return True
        if fault.action == "stall":
            self.registry.wait(fault.seconds)
        if fault.action == "half":
            self._keep_half(size)
        if fault.action in {"cut", "stall", "half"}:
            self._reset()
            return True
        if fault.action == "slow":
            self.registry.wait(fault.seconds)
        if fault.action == "redirect":
            self._answer(307, {"Location": fault.location})
            return True
        return False

    def _closing(self) -> dict[str, str]:
        return {"Connection": "close"} if self.close_connection else {}

    def _keep_half(self, size: int) -> None:
        found = re.search(r"/blobs/uploads/([0-9a-f]+)", self.path)
        data = self.rfile.read(size // 2)
        if found and found.group(1) in self.registry.uploads:
            self.registry.uploads[found.group(1)] += data

    def _reset(self) -> None:
        """End the connection with a reset: nothing that is on its way arrives."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        self.connection.close()

    # ------------------------------------------------------------------------ who is there

    def _is_welcome(self) -> bool:
        registry = self.registry
        if registry.login is None and not registry.bearer:
            return True
        given = self.headers.get("Authorization", "")
        if registry.bearer:
            expires = registry.tokens.get(given.removeprefix("Bearer "), 0.0)
            welcome = given.startswith("Bearer ") and time.monotonic() < expires
        else:
            welcome = given == _basic(registry.login)
        if not welcome:
            self._answer(401, {"WWW-Authenticate": self._challenge()}, _error("UNAUTHORIZED"))
        return welcome

    def _challenge(self) -> str:
        if not self.registry.bearer:
            return 'Basic realm="faulty"'
        name = re.match(r"/v2/(.+?)/(?:blobs|manifests|tags)/", self.path)
        scope = f"repository:{name.group(1) if name else ''}:pull,push"
        return f'Bearer realm="{self.registry.url}/token",service="faulty",scope="{scope}"'

    def _give_token(self) -> None:
        registry = self.registry
        if not self._is_known():
            self._answer(401, {}, _error("UNAUTHORIZED"))
            return
        token = secrets.token_hex(8)
        with registry.lock:
            registry.tokens[token] = time.monotonic() + registry.token_seconds
            registry.tokens_given += 1
        body = {"token": token, "expires_in": registry.token_seconds}
        self._answer(200, {"Content-Type": "application/json"}, json.dumps(body).encode())

    def _is_known(self) -> bool:
        """True with the right password, or the refresh token that an identity was exchanged for."""
        registry = self.registry
        if registry.identity is not None:
            return self._form().get("refresh_token") in registry.refresh_tokens
        return registry.login is None or self.headers.get("Authorization") == _basic(registry.login)

    def _exchange(self, identity: str) -> None:
        """Give a refresh token for that of an identity, as Azure's registries do."""
        form = self._form()
        if (form.get("grant_type"), form.get("access_token")) != ("access_token", identity):
            self._answer(401, {}, _error("UNAUTHORIZED"))
            return
        token = secrets.token_hex(8)
        self.registry.refresh_tokens.add(token)
        self._answer(200, {}, json.dumps({"refresh_token": token}).encode())

    def _form(self) -> dict[str, str]:
        return {key: values[0] for key, values in parse_qs(self.body.decode()).items()}

    # ------------------------------------------------------------------------ the protocol

    def _route(self) -> None:
        parts = urlsplit(self.path)
        self.query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        for pattern, handler in (
            (r"/v2/(.+)/blobs/uploads/?", self._begin),
            (r"/v2/(.+)/blobs/uploads/([0-9a-f]+)", self._upload),
            (r"/v2/(.+)/blobs/(sha256:[0-9a-f]{64})", self._blob),
            (r"/v2/(.+)/manifests/(.+)", self._manifest),
            (r"/v2/(.+)/tags/list", self._list),
            (r"/v2/(.+)/referrers/(sha256:[0-9a-f]{64})", self._refer),
        ):
            found = re.fullmatch(pattern, parts.path)
            if found:
                handler(*found.groups())
                return
        self._answer(404, {}, _error("NAME_UNKNOWN"))

    def _begin(self, name: str) -> None:
        if self.query.get("mount") in self.registry.blobs and "from" in self.query:
            self._answer(201, {"Location": f"/v2/{name}/blobs/{self.query['mount']}"})
            return
        upload = secrets.token_hex(8)
        with self.registry.lock:
            self.registry.uploads[upload] = bytearray()
        self._answer(202, self._where(name, upload))

    def _where(self, name: str, upload: str) -> dict[str, str]:
        base = "" if self.registry.relative else f"{self.registry.url}"
        size = len(self.registry.uploads.get(upload, b""))
        place = f"{base}/v2/{name}/blobs/uploads/{upload}?_state={quote('a/b=', safe='')}"
        headers = {"Location": place, "Range": f"0-{max(0, size - 1)}"}
        if self.registry.chunk_minimum:
            headers["OCI-Chunk-Min-Length"] = str(self.registry.chunk_minimum)
        return headers

    def _upload(self, name: str, upload: str) -> None:
        registry = self.registry
        data = registry.uploads.get(upload)
        if data is None or self.query.get("_state") != "a/b=":
            self._answer(404, {}, _error("BLOB_UPLOAD_UNKNOWN"))
        elif self.command == "GET":
            self._answer(204, self._where(name, upload))
        elif self.command == "DELETE":
            registry.uploads.pop(upload, None)
            self._answer(204, {})
        elif self.command == "PATCH":
            self._take_chunk(name, upload, data)
        else:
            self._close_upload(name, upload, data)

    def _take_chunk(self, name: str, upload: str, data: bytearray) -> None:
        start = int(self.headers.get("Content-Range", f"{len(data)}-").partition("-")[0])
        if start != len(data):
            self._answer(416, self._where(name, upload))
            return
        data += self.body
        self._answer(202, self._where(name, upload))

    def _close_upload(self, name: str, upload: str, data: bytearray) -> None:
        registry = self.registry
        content = bytes(data) + self.body
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if digest != self.query.get("digest"):
            self._answer(400, {}, _error("DIGEST_INVALID"))
            return
        with registry.lock:
            registry.blobs[digest] = content
            registry.uploads.pop(upload, None)
        self._answer(201, {"Location": f"/v2/{name}/blobs/{digest}"})

    def _blob(self, name: str, digest: str) -> None:
        data = self.registry.blobs.get(digest)
        if data is None:
            self._answer(404, {}, _error("BLOB_UNKNOWN"))
            return
        headers = {"Content-Type": "application/octet-stream", "Docker-Content-Digest": digest}
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if wanted is None or (self.fault is not None and self.fault.action == "no_range"):
            self._answer(200, headers, data)
            return
        start = int(wanted.group(1))
        if start >= len(data):
            self._answer(416, headers)
            return
        headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        self._answer(206, headers, data[start:])

    def _manifest(self, name: str, reference: str) -> None:
        if self.command == "PUT":
            self._store_manifest(name, reference)
            return
        digest = self.registry.tags.get(reference, reference)
        found = self.registry.manifests.get(digest)
        if found is None:
            self._answer(404, {}, _error("MANIFEST_UNKNOWN"))
            return
        kind, data = found
        self._answer(200, {"Content-Type": kind, "Docker-Content-Digest": digest}, data)

    def _store_manifest(self, name: str, reference: str) -> None:
        registry = self.registry
        digest = f"sha256:{hashlib.sha256(self.body).hexdigest()}"
        manifest = json.loads(self.body)
        needed = [manifest["config"], *manifest.get("layers", [])]
        if any(item["digest"] not in registry.blobs for item in needed):
            self._answer(404, {}, _error("MANIFEST_BLOB_UNKNOWN"))
            return
        with registry.lock:
            kind = self.headers.get("Content-Type", "")
            registry.manifests[digest] = (kind, self.body)
            if not reference.startswith("sha256:"):
                registry.tags[reference] = digest
        place = f"/v2/{name}/manifests/{digest}"
        headers = {"Location": place, "Docker-Content-Digest": digest}
        if registry.referrers and "subject" in manifest:
            headers["OCI-Subject"] = manifest["subject"]["digest"]
        self._answer(201, headers)

    def _list(self, name: str) -> None:
        names = sorted(self.registry.tags)
        last = self.query.get("last", "")
        rest = [item for item in names if item > last]
        count = min(self.registry.page, int(self.query.get("n", 1000)))
        shown, headers = rest[:count], {"Content-Type": "application/json"}
        if len(rest) > count:
            headers["Link"] = f'</v2/{name}/tags/list?n={count}&last={shown[-1]}>; rel="next"'
        self._answer(200, headers, json.dumps({"name": name, "tags": shown}).encode())

    def _refer(self, name: str, subject: str) -> None:
        if not self.registry.referrers:
            self._answer(404, {}, _error("NOT_FOUND"))
            return
        wanted = self.query.get("artifactType")
        found = []
        with self.registry.lock:
            stored = list(self.registry.manifests.items())
        for digest, (kind, data) in stored:
            tree = json.loads(data)
            if tree.get("subject", {}).get("digest") == subject:
                item = {"mediaType": kind, "digest": digest, "size": len(data)}
                item["artifactType"] = tree.get("artifactType")
                item["annotations"] = tree.get("annotations", {})
                found.append(item)
        headers = {"Content-Type": INDEX_TYPE}
        if wanted is not None and self.registry.filters:
            found = [item for item in found if item["artifactType"] == wanted]
            headers["OCI-Filters-Applied"] = "artifactType"
        start, page = int(self.query.get("start", 0)), self.registry.page
        if start + page < len(found):
            query = urlencode({**self.query, "start": start + page})
            headers["Link"] = f'</v2/{name}/referrers/{subject}?{query}>; rel="next"'
        shown = found[start : start + page]
        body = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": shown}
        self._answer(200, headers, json.dumps(body).encode())

    # ------------------------------------------------------------------------ answering

    def _answer(self, status: int, headers: Mapping[str, str], data: bytes = b"") -> None:
        action = self.fault.action if self.fault is not None else "answer"
        if action == "cut_after":
            self._reset()
            return
        if action == "flip" and data:
            data = bytes([data[0] ^ 1]) + data[1:]
        if action == "truncate":
            data = data[:-1]
        hidden = {name.lower() for name in self.fault.strip} if self.fault is not None else set()
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() not in hidden:
                self.send_header(key, value)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if action == "cut_body":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            time.sleep(0.05)  # so that the half arrives before the reset
            self._reset()
            return
        self.wfile.write(data)


def _basic(login: tuple[str, str] | None) -> str:
    text = ":".join(login or ("", ""))
    return "Basic " + base64.b64encode(text.encode()).decode()


def _error(code: str) -> bytes:
    errors = [{"code": code, "message": "as the test wants it"}]
    return json.dumps({"errors": errors}).encode()
