"""Objects of older bundles in S3 and Google's storage: servers here check every signature."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelops_bundle.oci.external import ExternalBlobs, StorageLogin
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.verify import verify
from modelops_contracts.errors import AccessDenied, NotFound, Unavailable
from modelops_contracts.testing.artifact_store import digest_of
from support.format_one import push_format_one
from support.raw_server import RawServer, Request, answer

KEY, SECRET = "AKIDEXAMPLE", "secret-canary-5"
LARGE = bytes(range(256)) * 12_000
FACTS = {"ETag": '"1"', "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}


def signature(request: Request, region: str = "us-east-1") -> str:
    """Return what signs a request to S3, as its documentation describes version 4."""
    given = dict(
        part.strip().split("=", 1)
        for part in request.headers["authorization"].partition(" ")[2].split(",")
    )
    names = given["SignedHeaders"].split(";")
    path, _, query = request.path.partition("?")
    lines = [f"{name}:{request.headers[name]}\n" for name in names]
    payload = request.headers["x-amz-content-sha256"]
    canonical = "\n".join(
        [request.verb, path, query, "".join(lines), given["SignedHeaders"], payload]
    )
    moment = request.headers["x-amz-date"]
    scope = f"{moment[:8]}/{region}/s3/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    key = f"AWS4{SECRET}".encode()
    for part in scope.split("/"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
    assert given["Credential"] == f"{KEY}/{scope}"
    assert given["Signature"] == hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return given["Signature"]


class Bucket:
    """Holds one object; `cuts` is how often a body ends before its end."""

    def __init__(self, path: str, *, signed: bool, cuts: int = 0) -> None:
        self.path = path
        self.signed = signed
        self.cuts = cuts

    def __call__(self, request: Request) -> bytes | Iterator[bytes]:
        if self.signed:
            try:
                signature(request)
            except (AssertionError, KeyError):
                return answer(403)
        if request.path != self.path:
            return answer(404)
        if request.verb == "HEAD":
            return answer(200, {**FACTS, "Content-Length": str(len(LARGE))})
        start = int(request.headers.get("range", "bytes=0-")[6:].partition("-")[0])
        body, last = LARGE[start:], len(LARGE) - 1
        where = {"Content-Range": f"bytes {start}-{last}/{len(LARGE)}"} if start else {}
        whole = answer(206 if start else 200, {**FACTS, **where}, body)
        if not self.cuts:
            return whole
        self.cuts -= 1
        return iter([whole[: len(whole) - len(body) + min(len(body) // 2, 1_500_000)], b""])


def clone_with(address: str, login: StorageLogin, tmp_path: Path) -> bytes:
    """Return the large file of a clone of a bundle that keeps it at an address."""
    store = LayoutStore(tmp_path / "store", "old", external=ExternalBlobs(login))
    push_format_one(store, {"large.bin": LARGE, "a.txt": b"a"}, outside={"large.bin": address})
    clone(store, "latest", tmp_path / "mine", repository="old")
    assert not verify(store, "latest", deep=False).problems
    assert not verify(store, "latest", deep=True).problems
    return (tmp_path / "mine/large.bin").read_bytes()


@pytest.mark.parametrize("cuts", [0, 2])
def test_s3(tmp_path: Path, cuts: int) -> None:
    with RawServer(Bucket("/bucket/ab/large", signed=True, cuts=cuts)) as server:
        login = StorageLogin(None, f"http://{server.address}", KEY, SECRET)
        assert clone_with("s3://bucket/ab/large", login, tmp_path) == LARGE
        ranges = [request.headers.get("range") for request in server.seen]
        assert any(ranges) == bool(cuts)


def test_s3_says_what_is_wrong(tmp_path: Path) -> None:
    with RawServer(Bucket("/bucket/ab/large", signed=True)) as server:
        for key, secret, expected in (
            ("ab/large", "wrong-canary-6", AccessDenied),
            ("ab/other", SECRET, NotFound),
        ):
            blobs = ExternalBlobs(StorageLogin(None, f"http://{server.address}", KEY, secret))
            blobs.note({digest_of(b"x"): f"s3://bucket/{key}"})
            with pytest.raises(expected) as caught:
                blobs.open(digest_of(b"x"))
            assert "canary" not in f"{caught.value}{caught.value.hint}"


def test_storage_that_fails_is_given_up_after_three_times() -> None:
    with RawServer(lambda _: answer(503)) as server:
        blobs = ExternalBlobs(StorageLogin(None, f"http://{server.address}", KEY, SECRET))
        blobs.note({digest_of(b"x"): "s3://bucket/key"})
        with pytest.raises(Unavailable):
            blobs.open(digest_of(b"x"))
        assert len(server.seen) == 3


def test_google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RawServer(Bucket("/bucket/ab%2Flarge", signed=False)) as server:
        account = tmp_path / "account.json"
        account.write_text(json.dumps({
            "gcs_base_url": f"http://{server.address}", "disable_oauth": True,
            "client_email": "", "private_key": "", "private_key_id": "",
        }))  # fmt: skip
        monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(account))
        assert clone_with("gs://bucket/ab/large", StorageLogin(), tmp_path) == LARGE
