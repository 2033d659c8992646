"""A registry that misbehaves: transfers survive, or fail with a clear error inside their budget."""

from __future__ import annotations

import hashlib
import io
import json
import random
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.oci import upload
from modelops_bundle.oci.auth import GivenCredential
from modelops_bundle.oci.http import Patience
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential
from modelops_contracts.errors import (
    AccessDenied,
    IntegrityError,
    InvalidInput,
    NotFound,
    Unavailable,
)
from modelops_contracts.testing.artifact_store import MANIFEST_TYPE, digest_of, manifest_of
from support.registry_faults import Fault, FaultyRegistry

MIB = 1024 * 1024
QUICK = Patience(first_answer=0.5, connect=0.3, read=0.6, first_wait=0.01, longest_wait=0.02)
LARGE = random.Random(1).randbytes(10 * MIB + 17)
SMALL = b"a small blob " * 1000


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


def open_store(registry: FaultyRegistry, **options: Any) -> RemoteStore:
    return RemoteStore(registry.address, "team/seir", **{"patience": QUICK, **options})


def put(store: RemoteStore, data: bytes) -> str:
    digest = digest_of(data)
    store.put_blob(digest, io.BytesIO(data))
    return digest


def read(store: RemoteStore, digest: str) -> bytes:
    with store.get_blob(digest) as stream:
        return stream.read()


SURVIVED = {
    "500 once": Fault("PATCH", status=500),
    "500 twice in the middle": Fault("PATCH", status=500, skip=1, times=2),
    "502 at the start": Fault("POST", status=502),
    "503 at the end": Fault("PUT", status=503),
    "429 with a wait": Fault("PATCH", status=429, headers={"Retry-After": "0.1"}, skip=1),
    "429 without": Fault("POST", status=429),
    "416 in the middle": Fault("PATCH", status=416, skip=1),
    "413 above 2 MB": Fault("PATCH", status=413, minimum=2_000_000, times=None),
    "413 above 4 MB": Fault("PATCH", status=413, minimum=4_000_000, times=None),
    "cut before the chunk": Fault("PATCH", action="cut", skip=1),
    "cut in the chunk": Fault("PATCH", action="half", skip=1),
    "cut after the chunk": Fault("PATCH", action="cut_after", skip=1),
    "cut after the last word": Fault("PUT", action="cut_after"),
    "cut before the last word": Fault("PUT", action="cut"),
    "session forgotten": Fault("PATCH", status=404, skip=1),
    "stall": Fault("PATCH", action="stall", seconds=5.0, skip=1),
}


@pytest.mark.parametrize("name", SURVIVED)
def test_a_large_upload_survives(registry: FaultyRegistry, name: str) -> None:
    registry.script(SURVIVED[name])
    digest = put(open_store(registry), LARGE)
    assert registry.blobs[digest] == LARGE
    assert len(registry.blobs) == 1


@pytest.mark.parametrize(
    "fault",
    [
        Fault("PUT", status=500),
        Fault("PUT", action="cut"),
        Fault("PUT", action="half"),
        Fault("PUT", action="cut_after"),
        Fault("PUT", status=404),
        Fault("PUT", status=413, minimum=1_500_000, times=None),
        Fault("POST", status=503, times=2),
    ],
    ids=str,
)
def test_a_small_upload_survives(registry: FaultyRegistry, fault: Fault) -> None:
    registry.script(fault)
    data = LARGE[: 2 * MIB]
    assert registry.blobs[put(open_store(registry), data)] == data


def test_a_registry_that_takes_no_chunk_is_an_error(registry: FaultyRegistry) -> None:
    registry.script(Fault("PATCH", status=413, times=None))
    with pytest.raises(InvalidInput, match="too large") as caught:
        put(open_store(registry), LARGE)
    assert "limit" in (caught.value.hint or "")
    assert registry.blobs == {}


def test_a_registry_that_always_forgets_is_given_up(registry: FaultyRegistry) -> None:
    registry.script(Fault("PATCH", status=404, times=None))
    with pytest.raises(Unavailable, match="again and again"):
        put(open_store(registry), LARGE)
    assert len(registry.requests("POST")) == 1 + upload.MOST_RESTARTS


def test_a_registry_that_keeps_failing_is_given_up(registry: FaultyRegistry) -> None:
    registry.script(Fault("PATCH", status=500, times=None))
    with pytest.raises(Unavailable, match="PATCH answered 500") as caught:
        put(open_store(registry), LARGE)
    assert caught.value.exit_code == 5
    assert len(registry.requests("PATCH")) == QUICK.tries


def test_only_what_is_missing_is_sent_again(registry: FaultyRegistry) -> None:
    registry.script(Fault("PATCH", action="half", skip=1))
    put(open_store(registry), LARGE)
    starts = [item.headers["Content-Range"] for item in registry.requests("PATCH")]
    assert starts[:2] == ["0-8388607", "8388608-10485776"]
    assert starts[2].startswith("9437192-")


def test_the_smallest_chunk_of_the_registry_is_kept(registry: FaultyRegistry) -> None:
    registry.chunk_minimum = 9 * MIB
    put(open_store(registry), LARGE)
    sizes = [int(item.headers["Content-Length"]) for item in registry.requests("PATCH")]
    assert sizes[:-1] == [9 * MIB] * (len(sizes) - 1)


def test_a_killed_upload_goes_on_where_it_was(registry: FaultyRegistry, tmp_path: Path) -> None:
    registry.script(Fault("PATCH", action="cut", skip=1, times=None))
    with pytest.raises(Unavailable):
        put(open_store(registry, cache_dir=tmp_path), LARGE)
    registry.script()
    with registry.counting() as seen:
        digest = put(open_store(registry, cache_dir=tmp_path), LARGE)
    assert registry.blobs[digest] == LARGE
    assert [item.verb for item in seen][:2] == ["GET", "PATCH"]
    assert not [item for item in seen if item.verb == "POST"]
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_kept_upload_that_the_registry_forgot_starts_anew(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    registry.script(Fault("PATCH", action="cut", skip=1, times=None))
    with pytest.raises(Unavailable):
        put(open_store(registry, cache_dir=tmp_path), LARGE)
    registry.script()
    registry.uploads.clear()
    digest = put(open_store(registry, cache_dir=tmp_path), LARGE)
    assert registry.blobs[digest] == LARGE


@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["small", "large"])
def test_a_lie_about_a_digest_is_not_stored(registry: FaultyRegistry, data: bytes) -> None:
    with pytest.raises(IntegrityError):
        open_store(registry).put_blob(digest_of(b"other"), io.BytesIO(data))
    assert registry.blobs == {}
    assert registry.uploads == {}


def test_a_source_without_a_way_back_is_sent_too(registry: FaultyRegistry) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *where: int) -> int:
            raise io.UnsupportedOperation

    registry.script(Fault("PUT", action="cut"))
    open_store(registry).put_blob(digest_of(SMALL), Pipe(SMALL))
    assert registry.blobs[digest_of(SMALL)] == SMALL


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("GET", "/blobs/", "cut_body")],
        [Fault("GET", "/blobs/", "cut_body", times=3)],
        [Fault("GET", "/blobs/", "cut_body"), Fault("GET", "/blobs/", "no_range")],
        [Fault("GET", "/blobs/", status=500, times=2)],
        [Fault("GET", "/blobs/", "cut")],
        [Fault("GET", "/blobs/", "stall", seconds=5.0)],
    ],
    ids=["once", "thrice", "no range", "500", "reset", "stall"],
)
def test_a_download_survives(registry: FaultyRegistry, faults: list[Fault]) -> None:
    digest = digest_of(LARGE)
    registry.blobs[digest] = LARGE
    store = open_store(registry)
    store.tags()
    registry.script(*faults)
    assert read(store, digest) == LARGE


def test_a_download_asks_only_for_the_rest(registry: FaultyRegistry) -> None:
    registry.blobs[digest_of(LARGE)] = LARGE
    registry.script(Fault("GET", "/blobs/", "cut_body"))
    read(open_store(registry), digest_of(LARGE))
    first, second = registry.requests("GET", "/blobs/")
    assert "Range" not in first.headers
    assert int(second.headers["Range"].removeprefix("bytes=").rstrip("-")) > 0


@pytest.mark.parametrize("action", ["flip", "truncate"])
def test_damaged_blobs_are_noticed(registry: FaultyRegistry, action: Any) -> None:
    registry.blobs[digest_of(SMALL)] = SMALL
    registry.script(Fault("GET", "/blobs/", action, times=None))
    with pytest.raises(IntegrityError, match="damaged"):
        read(open_store(registry), digest_of(SMALL))


def test_damaged_manifests_are_noticed_and_not_kept(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    store = open_store(registry, cache_dir=tmp_path)
    put(store, SMALL)
    body = manifest_of(SMALL)
    store.put_manifest(body, media_type=MANIFEST_TYPE)
    other = open_store(registry, cache_dir=tmp_path / "other")
    registry.script(Fault("GET", "/manifests/", "flip"))
    with pytest.raises(IntegrityError):
        other.get_manifest(digest_of(body))
    assert other.get_manifest(digest_of(body)) == body


def test_a_manifest_stored_as_another_is_noticed(registry: FaultyRegistry) -> None:
    store = open_store(registry)
    put(store, SMALL)
    lie = {"Docker-Content-Digest": digest_of(b"other")}
    registry.script(Fault("PUT", "/manifests/", status=201, headers=lie))
    with pytest.raises(IntegrityError, match="was stored as"):
        store.put_manifest(manifest_of(SMALL), media_type=MANIFEST_TYPE, tag="v1")


@pytest.mark.parametrize(
    "fault",
    [
        Fault("HEAD", status=405, times=None),
        Fault("HEAD", "/manifests/", "strip", strip=("Docker-Content-Digest",), times=None),
    ],
    ids=["no HEAD", "no digest header"],
)
def test_registries_that_lack_something_work(registry: FaultyRegistry, fault: Fault) -> None:
    store = open_store(registry)
    put(store, SMALL)
    digest = store.put_manifest(manifest_of(SMALL), media_type=MANIFEST_TYPE, tag="v1")
    registry.script(fault)
    fresh = open_store(registry)
    assert fresh.resolve("v1") == digest
    assert fresh.has_blob(digest_of(SMALL))
    assert not fresh.has_blob(digest_of(b"absent"))


def test_what_was_read_once_is_not_asked_for_again(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    store = open_store(registry, cache_dir=tmp_path)
    put(store, SMALL)
    digest = store.put_manifest(manifest_of(SMALL), media_type=MANIFEST_TYPE, tag="v1")
    for _ in range(2):
        fresh = open_store(registry, cache_dir=tmp_path)
        fresh.get_manifest(digest)
        assert read(fresh, digest_of(SMALL)) == SMALL
    with registry.counting() as seen:
        fresh = open_store(registry, cache_dir=tmp_path)
        fresh.get_manifest(fresh.resolve("v1"))
        assert read(fresh, digest_of(SMALL)) == SMALL
        assert fresh.has_blob(digest_of(SMALL))
    assert [item.verb for item in seen] == ["HEAD"]
    kept = tmp_path / "configs" / digest_of(SMALL).removeprefix("sha256:")
    kept.write_bytes(b"garbage")
    fresh = open_store(registry, cache_dir=tmp_path)
    fresh.get_manifest(digest)
    assert read(fresh, digest_of(SMALL)) == SMALL


# --- logins ----------------------------------------------------------------------------------

RIGHT = GivenCredential(Credential("mops", "s3cret"))
WRONG = GivenCredential(Credential("mops", "guess-123"))


@pytest.mark.parametrize("bearer", [False, True])
def test_wrong_logins_are_denied_at_once(bearer: bool) -> None:
    with FaultyRegistry(login=("mops", "s3cret"), bearer=bearer) as registry:
        with pytest.raises(AccessDenied) as caught:
            open_store(registry, sources=[WRONG]).resolve("v1")
        assert caught.value.exit_code == 4
        assert "guess-123" not in str(caught.value) + str(caught.value.hint)
        assert len(registry.seen) <= 3
        with pytest.raises(AccessDenied):
            open_store(registry).resolve("v1")
        with pytest.raises(NotFound):
            open_store(registry, sources=[RIGHT]).resolve("v1")


def test_tokens_that_live_a_second_are_renewed() -> None:
    with FaultyRegistry(login=("mops", "s3cret"), bearer=True, token_seconds=1.0) as registry:
        registry.script(Fault("PATCH", action="slow", seconds=0.5, times=None))
        digest = put(open_store(registry, sources=[RIGHT]), LARGE)
        assert registry.blobs[digest] == LARGE
        assert registry.tokens_given > 1


def test_a_login_that_ends_in_the_middle_is_renewed_once() -> None:
    with FaultyRegistry(login=("mops", "s3cret"), bearer=True) as registry:
        offer = {"WWW-Authenticate": f'Bearer realm="http://{registry.address}/token"'}
        registry.script(Fault("PATCH", status=401, headers=offer, skip=1))
        digest = put(open_store(registry, sources=[RIGHT]), LARGE)
        assert registry.blobs[digest] == LARGE
        assert registry.tokens_given == 2
        registry.script(Fault("PATCH", status=401, headers=offer, times=None))
        with pytest.raises(AccessDenied):
            put(open_store(registry, sources=[RIGHT]), LARGE + b"x")


def test_a_right_that_is_missing_is_not_asked_for_twice(registry: FaultyRegistry) -> None:
    registry.script(Fault("POST", status=403, times=None))
    with pytest.raises(AccessDenied, match="403"):
        put(open_store(registry), SMALL)
    assert len(registry.requests("POST")) == 1


def test_another_host_gets_no_secret() -> None:
    with FaultyRegistry() as storage, FaultyRegistry(login=("mops", "s3cret")) as registry:
        storage.blobs[digest_of(SMALL)] = SMALL
        place = f"http://{storage.address}/v2/x/blobs/{digest_of(SMALL)}"
        store = open_store(registry, sources=[RIGHT])
        store.tags()
        registry.script(Fault("GET", "/blobs/", "redirect", location=place))
        assert read(store, digest_of(SMALL)) == SMALL
        assert "Authorization" in registry.requests("GET", "/blobs/")[0].headers
        assert "Authorization" not in storage.seen[0].headers


def test_no_secret_goes_to_an_unencrypted_token_service(registry: FaultyRegistry) -> None:
    offer = {"WWW-Authenticate": 'Bearer realm="http://203.0.113.1/token"'}
    registry.script(Fault(status=401, headers=offer, times=None))
    with pytest.raises(AccessDenied, match="not encrypted"):
        open_store(registry, sources=[RIGHT]).resolve("v1")


# --- nobody there ----------------------------------------------------------------------------


@pytest.mark.parametrize("action", ["stall", "cut", "answer"])
def test_before_the_first_answer_patience_is_short(registry: FaultyRegistry, action: Any) -> None:
    registry.script(Fault(action=action, status=500, seconds=20.0, times=None))
    waited = Recorder()
    store = open_store(registry, patience=Patience(first_answer=0.4, first_wait=0.05), tell=waited)
    with pytest.raises(Unavailable) as caught:
        store.resolve("v1")
    assert caught.value.exit_code == 5
    assert registry.address in str(caught.value)
    assert caught.value.hint


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unavailable, match="refused"):
        RemoteStore(address, "r").resolve("v1")


def test_a_name_that_nobody_knows() -> None:
    with pytest.raises(Unavailable):
        RemoteStore("registry.invalid", "r", patience=QUICK).resolve("v1")


def test_something_that_is_no_https(registry: FaultyRegistry, tmp_path: Path) -> None:
    import ssl

    ca_file = ssl.get_default_verify_paths().cafile
    if ca_file is None or not Path(ca_file).exists():
        pytest.skip("this system has no file of certificate authorities")
    with pytest.raises(Unavailable) as caught:
        open_store(registry, ca_file=Path(ca_file)).resolve("v1")
    assert "SSL" in str(caught.value) or "ssl" in str(caught.value)


def test_long_waits_are_told_and_too_long_ones_refused(registry: FaultyRegistry) -> None:
    told = Recorder()
    store = open_store(registry, tell=told)
    store.tags()
    registry.script(Fault(status=429, headers={"Retry-After": "1.1"}))
    store.tags()
    assert len(told.lines) == 1
    assert "429" in told.lines[0]
    registry.script(Fault(status=429, headers={"Retry-After": "3600"}, times=None))
    with pytest.raises(Unavailable):
        store.tags()
    assert len(told.lines) == 1


def test_a_stopped_store_stops_in_the_middle_of_a_wait(registry: FaultyRegistry) -> None:
    store = open_store(registry, patience=Patience(first_wait=30.0, longest_wait=30.0))
    store.tags()
    registry.script(Fault(status=500, times=None))
    threading.Timer(0.2, store.http.stopped.set).start()
    with pytest.raises(Exception, match="stopped"):
        store.tags()


def test_pages_of_tags_are_all_read(registry: FaultyRegistry) -> None:
    registry.page = 3
    store = open_store(registry)
    put(store, SMALL)
    for number in range(10):
        store.put_manifest(manifest_of(SMALL), media_type=MANIFEST_TYPE, tag=f"v{number}")
    assert list(store.tags()) == [f"v{number}" for number in range(10)]


def test_messages_name_what_the_registry_says(registry: FaultyRegistry) -> None:
    registry.script(Fault("POST", status=400))
    with pytest.raises(InvalidInput, match=r"team/seir.*POST answered 400: SCRIPTED"):
        put(open_store(registry), SMALL)


def test_clouds_are_never_reached_without_encryption() -> None:
    with pytest.raises(InvalidInput, match="https only"):
        RemoteStore("me.azurecr.io", "r", plain_http=True)


def test_the_memory_registry_is_honest(registry: FaultyRegistry) -> None:
    put(open_store(registry), SMALL)
    for digest, data in registry.blobs.items():
        assert digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert json.dumps([str(item) for item in registry.seen])


class Recorder:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, text: str) -> None:
        self.lines.append(text)
