"""Blobs are taken over from a repository beside, where one is known to hold them."""

from __future__ import annotations

import io
import secrets
from pathlib import Path

import pytest

from modelops_bundle.oci.auth import GivenCredential
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.project import Project
from modelops_bundle.transfer.mounting import offer_mounts
from modelops_bundle.transfer.push import push
from modelops_contracts.auth import Credential
from modelops_contracts.testing.artifact_store import digest_of
from support.projects import make_registered
from support.registries import FLAVOURS, Flavour, find_registry
from support.registry_faults import Fault, FaultyRegistry, Seen

BLOB = b"a blob of some size" * 100


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_real_registry_needs_one_request_and_no_upload(flavour: Flavour) -> None:
    place = find_registry(flavour)
    here, there = (f"tests/{secrets.token_hex(6)}" for _ in range(2))
    first, second = place.store(there), place.store(here)
    digest = digest_of(BLOB)
    first.put_blob(digest, io.BytesIO(BLOB))
    assert not second.has_blob(digest)
    asked: list[str] = []
    real = second.http._send

    def counting(verb: str, url: str, *arguments: object) -> object:
        asked.append(f"{verb} {url}")
        return real(verb, url, *arguments)  # type: ignore[arg-type]

    second.http._send = counting  # type: ignore[method-assign,assignment]
    second.tell_elsewhere(digest, there)
    second.put_blob(digest, io.BytesIO(BLOB))
    assert len(asked) == 1, asked
    assert f"mount={digest}&from=" in asked[0]
    assert second.blob_size(digest) == len(BLOB)
    for store in (first, second):
        store.http.close()


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_push_to_a_second_repository_sends_no_layer(
    project: Project, tmp_path: Path, flavour: Flavour
) -> None:
    place = find_registry(flavour)
    one, two = (
        place.store(f"tests/{secrets.token_hex(6)}", cache_dir=tmp_path / "cache") for _ in "12"
    )
    first = push(project, one)
    second = push(project, two)
    assert (second.manifest, second.sent) == (first.manifest, 0)
    assert second.reused == first.sent
    assert two.resolve("latest") == first.manifest
    for store in (one, two):
        store.http.close()


def uploads(registry: FaultyRegistry, repository: str) -> list[Seen]:
    return registry.requests("PUT", f"/v2/{repository}/blobs/uploads/")


@pytest.mark.parametrize("answer", [202, 403, 404, 405])
def test_what_cannot_be_taken_over_is_sent(answer: int) -> None:
    with FaultyRegistry() as registry:
        store = RemoteStore(registry.address, "here")
        store.tell_elsewhere(digest_of(BLOB), "there")
        registry.script(Fault("POST", path="mount=", status=answer, headers={"Location": "/v2/x"}))
        store.put_blob(digest_of(BLOB), io.BytesIO(BLOB))
        assert registry.blobs[digest_of(BLOB)] == BLOB
        assert len(uploads(registry, "here")) == 1
        store.http.close()


def test_the_token_for_it_covers_both_repositories() -> None:
    with FaultyRegistry(login=("me", "word"), bearer=True) as registry:
        source = GivenCredential(Credential("me", "word"))
        store = RemoteStore(registry.address, "here", sources=[source])
        store.put_blob(digest_of(b"x"), io.BytesIO(b"x"))
        given = registry.tokens_given
        store.tell_elsewhere(digest_of(BLOB), "there")
        store.has_blob(digest_of(BLOB))
        assert registry.tokens_given == given + 2, "one for the mount, one to look"
        store.http.close()


def test_only_other_repositories_of_the_same_registry_are_offered(
    project: Project, tmp_path: Path
) -> None:
    with FaultyRegistry() as registry, FaultyRegistry() as other:
        stores = [
            RemoteStore(registry.address, "a", cache_dir=tmp_path / "cache"),
            RemoteStore(other.address, "b", cache_dir=tmp_path / "cache"),
        ]
        for store in stores:
            push(project, store)
        fresh = RemoteStore(registry.address, "c", cache_dir=tmp_path / "cache")
        offer_mounts(project, fresh)
        assert fresh._elsewhere
        assert set(fresh._elsewhere.values()) == {"a"}
        again = RemoteStore(registry.address, "a", cache_dir=tmp_path / "cache")
        offer_mounts(project, again)
        assert again._elsewhere == {}
        for store in (*stores, fresh, again):
            store.http.close()
