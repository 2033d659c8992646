"""A registry that means harm: no secret goes astray, and nothing goes on for ever."""

from __future__ import annotations

import base64
import io
import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from email.utils import formatdate

import pytest

from modelops_bundle.oci.answers import Answer, cause_of, explain_refusal
from modelops_bundle.oci.auth import GivenCredential, parse_challenges
from modelops_bundle.oci.http import Patience
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential
from modelops_contracts.errors import (
    AccessDenied,
    IntegrityError,
    InvalidInput,
    ModelOpsError,
    Unavailable,
)
from modelops_contracts.testing.artifact_store import digest_of
from support.raw_server import RawServer, Request, Respond, answer

QUICK = Patience(first_answer=0.5, connect=0.3, read=0.6, first_wait=0.01, longest_wait=0.02)
DIGEST = "sha256:" + "a" * 64
LARGE = random.Random(2).randbytes(18 * 1024 * 1024)
SECRET = "canary-77"


@pytest.fixture
def serve() -> Iterator[Callable[[Respond], RawServer]]:
    with ExitStack() as running:
        yield lambda respond: running.enter_context(RawServer(respond))


def open_store(server: RawServer) -> RemoteStore:
    sources = [GivenCredential(Credential("mops", SECRET))]
    return RemoteStore(server.address, "team/seir", sources=sources, patience=QUICK)


def put(store: RemoteStore, data: bytes) -> None:
    store.put_blob(digest_of(data), io.BytesIO(data))


Serve = Callable[[Respond], RawServer]


# --- secrets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["download", "upload"])
def test_another_host_cannot_ask_for_the_login(serve: Serve, kind: str) -> None:
    """A 401 of the machine that a registry sends us to is no challenge of the registry."""

    def ask(request: Request) -> bytes:
        if request.path.startswith("/token"):
            return answer(200, {}, b'{"token": "t"}')
        realm = f'Bearer realm="http://{thief.address}/token",service="s"'
        return answer(401, {"WWW-Authenticate": realm})

    thief = serve(ask)

    def send_on(request: Request) -> bytes:
        there = {"Location": f"http://{thief.address}/there"}
        return answer(202 if request.verb == "POST" else 307, there)

    store = open_store(serve(send_on))
    with pytest.raises(AccessDenied, match="401"):
        store.blob_size(DIGEST) if kind == "download" else put(store, b"data")
    assert [request.path.partition("?")[0] for request in thief.seen] == ["/there"]
    assert "authorization" not in thief.seen[0].headers


UNSOUND = [
    "http://[bad/", "http://host.example:99999/x", "file:///etc/passwd", "javascript:x",
    "https://user:word@host.example/x", "https:///x",
]  # fmt: skip


@pytest.mark.parametrize("named", UNSOUND)
@pytest.mark.parametrize("status", [202, 307, 401])
def test_unsound_addresses_are_not_gone_to(serve: Serve, named: str, status: int) -> None:
    challenge = {"WWW-Authenticate": f'Bearer realm="{named}"', "Location": named}
    server = serve(lambda _: answer(status, challenge))
    with pytest.raises((Unavailable, AccessDenied)) as caught:
        put(open_store(server), b"data") if status == 202 else open_store(server).resolve("v1")
    assert len(server.seen) == 1
    assert caught.value.hint


def test_uploads_do_not_go_on_unencrypted() -> None:
    store = RemoteStore("registry.example.org", "team/seir")
    place = "http://registry.example.org/v2/team/seir/blobs/uploads/1"
    with pytest.raises(Unavailable, match="not encrypted"):
        store.http.follow("https://registry.example.org/v2/", place, "sending")


@pytest.mark.parametrize(
    ("header", "realm"),
    [
        ("Bearer realm=https://t.example/a,service=s", "https://t.example/a"),
        ('Bearer realm = "https://t.example/a" , service = "s"', "https://t.example/a"),
        ('Negotiate, Bearer realm="https://t.example/a",service=s', "https://t.example/a"),
        ('Basic realm=x, Bearer service="s",realm="https://t.example/a"', "https://t.example/a"),
    ],
)
def test_odd_challenges_are_read(header: str, realm: str) -> None:
    found = {item.scheme: item.parameters for item in parse_challenges(header)}
    assert found["bearer"] == {"realm": realm, "service": "s"}


def test_a_token_service_without_a_name_is_said(serve: Serve) -> None:
    server = serve(lambda _: answer(401, {"WWW-Authenticate": "Bearer"}))
    with pytest.raises(AccessDenied, match="names no service"):
        open_store(server).resolve("v1")


@pytest.mark.parametrize("host", ["127.0.0.1:99999", "registry.example.org:0"])
def test_ports_that_are_none(host: str) -> None:
    with pytest.raises(InvalidInput, match=host):
        RemoteStore(host, "team/seir")


# --- without end -------------------------------------------------------------------------------


def test_lists_that_lead_back_to_themselves(serve: Serve) -> None:
    again = {"Link": '</v2/team/seir/tags/list?n=500>; rel="next"'}
    server = serve(lambda _: answer(200, again, b'{"tags": ["v1"], "manifests": []}'))
    with pytest.raises(IntegrityError, match="no end"):
        open_store(server).tag_names()
    with pytest.raises(IntegrityError, match="no end"):
        open_store(server).referrers(DIGEST, "a/b")
    assert len(server.seen) < 6


class Uploads:
    """Takes what is sent and lies about it."""

    def __init__(self, *, put_status: int = 201, ranges: Iterable[str] = ()) -> None:
        self.taken = 0
        self.put_status = put_status
        self.ranges = iter(ranges)

    def __call__(self, request: Request) -> bytes:
        place = {"Location": "/uploads/1"}
        if request.verb == "POST":
            self.taken = 0
            return answer(202, place)
        if request.verb == "PATCH":
            self.taken += len(request.body)
            told = next(self.ranges, f"0-{self.taken - 1}")
            return answer(202, {**place, "Range": told}) if told else answer(416)
        if request.verb == "PUT":
            return answer(self.put_status)
        if request.verb == "HEAD":
            return answer(404)
        return answer(204, {**place, "Range": f"0-{max(0, self.taken - 1)}"})


def test_an_upload_that_is_never_closed_is_given_up(serve: Serve) -> None:
    server = serve(Uploads(put_status=416))
    with pytest.raises(Unavailable, match="bytes are missing"):
        put(open_store(server), LARGE)
    assert len(server.seen) < 20


def test_an_upload_that_goes_back_and_forth_is_given_up(serve: Serve) -> None:
    server = serve(Uploads(ranges=["0-8388607", "0-0"] * 1000))
    with pytest.raises(Unavailable, match="keeps nothing"):
        put(open_store(server), LARGE)
    assert len(server.seen) < 20


def test_more_than_was_sent_is_not_believed(serve: Serve) -> None:
    server = serve(Uploads(ranges=["0-99999999999"] * 100))
    with pytest.raises(Unavailable, match="loses the upload"):
        put(open_store(server), LARGE)
    assert "PUT" not in {request.verb for request in server.seen}


def test_numbers_that_are_none(serve: Serve) -> None:
    server = serve(Uploads(ranges=["0-\xb2", "0-" + "9" * 5000, "bytes"]))
    put(open_store(server), LARGE)
    assert server.seen[-1].verb == "PUT"


def drip(piece: bytes) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 .\r\n" if b":" in piece else b""
    for _ in range(200):
        yield piece
        time.sleep(0.05)


@pytest.mark.parametrize("piece", [b"X: y\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"])
def test_a_first_answer_that_drips_has_the_same_time(serve: Serve, piece: bytes) -> None:
    def respond(request: Request) -> Iterator[bytes]:
        del request
        return (part for part in drip(piece) if part)

    with pytest.raises(Unavailable, match="no answer in time"):
        open_store(serve(respond)).resolve("v1")


def endless(head: bytes, piece: bytes) -> Iterator[bytes]:
    yield head
    while True:
        yield piece


def test_refusals_without_end_are_not_read_to_it(serve: Serve) -> None:
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    head = b"HTTP/1.1 403 .\r\nTransfer-Encoding: chunked\r\n\r\n"
    with pytest.raises(AccessDenied, match="403"):
        open_store(serve(lambda _: endless(head, chunk))).resolve("v1")


def test_documents_that_are_too_long(serve: Serve) -> None:
    def respond(request: Request) -> bytes | Iterator[bytes]:
        if request.verb == "HEAD":
            return answer(200, {"Docker-Content-Digest": DIGEST})
        return endless(b"HTTP/1.1 200 .\r\nContent-Length: 1000000000\r\n\r\n", b"x" * 65536)

    with pytest.raises(IntegrityError, match="longer than any honest one"):
        open_store(serve(respond)).get_manifest(DIGEST)


def test_a_token_without_end(serve: Serve) -> None:
    def respond(request: Request) -> bytes | Iterator[bytes]:
        if request.path.startswith("/token"):
            return endless(b"HTTP/1.1 200 .\r\n\r\n", b"x" * 65536)
        return answer(401, {"WWW-Authenticate": f'Bearer realm="http://{server.address}/token"'})

    server = serve(respond)
    with pytest.raises(AccessDenied, match="gave no token"):
        open_store(server).resolve("v1")


# --- words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "tags",
    ['"abc"', '{"a": 1}', "[1, null]", '["../../x"]', '["a\\nb"]', "[" * 100_000],
)  # fmt: skip
def test_lists_of_tags_that_are_none(serve: Serve, tags: str) -> None:
    server = serve(lambda _: answer(200, {}, f'{{"tags": {tags}}}'.encode()))
    with pytest.raises(IntegrityError, match="malformed"):
        open_store(server).tag_names()


def wait_asked_for(headers: dict[str, str]) -> float | None:
    reply = Answer(429, headers, b"", None, "")  # type: ignore[arg-type]
    refusal: ModelOpsError = explain_refusal("registry.example.org", reply, "GET", "tags")
    return getattr(refusal, "wait", None)


def test_waits_that_make_no_sense() -> None:
    for text in ("", "soon", "Mon, 99999999999999999999 Jan 2020 00:00:00 GMT"):
        assert wait_asked_for({"Retry-After": text}) is None
    assert wait_asked_for({"Retry-After": "-5"}) == 0.0
    assert wait_asked_for({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0.0


def test_a_moment_is_read_by_the_clock_that_named_it() -> None:
    """Our clock an hour behind made 5 seconds an hour, and the push was given up."""
    theirs = time.time() + 3600
    headers = {
        "Date": formatdate(theirs, usegmt=True), "Retry-After": formatdate(theirs + 5, usegmt=True)
    }  # fmt: skip
    assert wait_asked_for(headers) == 5.0


def test_causes_are_words_and_no_objects() -> None:
    from http.client import BadStatusLine, RemoteDisconnected

    from urllib3.connection import HTTPConnection
    from urllib3.exceptions import NewConnectionError, ProtocolError

    gone = ProtocolError("Connection aborted.", RemoteDisconnected("Remote end closed"))
    assert cause_of(gone) == "Remote end closed"
    assert cause_of(ProtocolError("Connection aborted.", BadStatusLine("SSH-2"))).endswith("HTTP")
    refused = NewConnectionError(HTTPConnection("h", 1), "Connection refused")
    assert cause_of(refused) == "Connection refused"


def test_pages_of_something_else_are_no_bundle(serve: Serve) -> None:
    body = json.dumps([]).encode()
    server = serve(lambda _: answer(200, {}, body))
    with pytest.raises(IntegrityError, match="malformed"):
        open_store(server).referrers(DIGEST, "a/b")


@pytest.mark.parametrize(
    ("status", "code", "what", "words"),
    [
        (404, "MANIFEST_BLOB_UNKNOWN", "a/b: manifest v1", "mops bundle push"),
        (404, "", "a/b: blob sha256:aaaa", "mops bundle verify"),
        (409, "TAG_IMMUTABLE", "a/b: manifest v1", "--tag"),
        (403, "DENIED", "a/b: manifest v1", "docker login"),
        (500, "", "a/b: manifest v1", "later"),
    ],
)
def test_refusals_name_the_next_step(status: int, code: str, what: str, words: str) -> None:
    body = json.dumps({"errors": [{"code": code, "message": "m"}]}).encode()
    reply = Answer(status, {}, body, None, "")  # type: ignore[arg-type]
    assert words in str(explain_refusal("registry.example.org", reply, "PUT", what).hint)


@pytest.mark.parametrize("scheme", ["Basic", "Bearer"])
def test_a_registry_that_repeats_the_login_is_not_quoted(serve: Serve, scheme: str) -> None:
    def respond(request: Request) -> bytes:
        given = request.headers.get("authorization", "")
        told = f"{'x' * 270} you sent {given} {SECRET}"
        body = json.dumps({"errors": [{"code": "DENIED", "message": told}]}).encode()
        if request.path.startswith("/token"):
            return answer(200, {}, b'{"token": "token-canary-8"}')
        if given.startswith(scheme):
            return answer(400, {}, body)
        realm = f'{scheme} realm="http://{server.address}/token"'
        return answer(401, {"WWW-Authenticate": realm})

    server = serve(respond)
    with pytest.raises(InvalidInput, match="400") as caught:
        open_store(server).get_manifest(DIGEST)
    assert "***" in str(caught.value)
    for part in ("canary", base64.b64encode(f"mops:{SECRET}".encode()).decode()[:12]):
        assert part not in str(caught.value)
