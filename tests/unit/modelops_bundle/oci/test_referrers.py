"""What refers to a bundle, asked over HTTP from a registry that follows the specification (1.1)."""

from __future__ import annotations

import io
import json

import pytest

from modelops_bundle.oci import media_types
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.testing.artifact_store import digest_of
from support.registry_faults import Fault, FaultyRegistry

EMPTY = b"{}"


def put(store: RemoteStore, kind: str, number: int, subject: str | None = None) -> str:
    """Store a small manifest, perhaps about another one; return its digest."""
    store.put_blob(digest_of(EMPTY), io.BytesIO(EMPTY))
    manifest = {
        "schemaVersion": 2, "mediaType": media_types.MANIFEST, "artifactType": kind,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json",
                   "digest": digest_of(EMPTY), "size": 2},
        "layers": [], "annotations": {"number": str(number)},
    }  # fmt: skip
    if subject is not None:
        facts = {"mediaType": media_types.MANIFEST, "digest": subject, "size": 1}
        manifest["subject"] = facts
    return store.put_manifest(json.dumps(manifest).encode(), media_type=media_types.MANIFEST)


@pytest.mark.parametrize("page", [1, 2, 1000])
@pytest.mark.parametrize("filters", [True, False])
def test_all_pages_are_read_and_only_the_kind_is_kept(page: int, filters: bool) -> None:
    with FaultyRegistry(page=page, filters=filters) as registry:
        store = RemoteStore(registry.address, "team/seir")
        subject = put(store, media_types.BUNDLE, 0)
        other = put(store, media_types.BUNDLE, 1)
        wanted = {put(store, media_types.PUSH, number, subject) for number in range(5)}
        put(store, "application/vnd.example.signature", 1, subject)
        put(store, media_types.PUSH, 9, other)
        assert set(store.referrers(subject, media_types.PUSH) or ()) == wanted
        asked = registry.requests("GET", "/referrers/")
        assert len(asked) == -(-(5 if filters else 6) // page)
        assert all("artifactType=" in item.path for item in asked)


@pytest.mark.parametrize("status", [None, 400, 404, 405])
def test_an_older_registry_is_not_asked_in_another_way(status: int | None) -> None:
    """The tag `sha256-…` that stands in for the list is neither read nor written."""
    with FaultyRegistry(referrers=False) as registry:
        store = RemoteStore(registry.address, "team/seir")
        subject = put(store, media_types.BUNDLE, 0)
        put(store, media_types.PUSH, 1, subject)
        if status is not None:
            registry.script(Fault("GET", "/referrers/", status=status, times=None))
        assert store.referrers(subject, media_types.PUSH) is None
        assert not registry.requests(path="sha256-")
        assert store.tag_names() == []


def test_nothing_refers_to_it() -> None:
    with FaultyRegistry() as registry:
        store = RemoteStore(registry.address, "team/seir")
        assert store.referrers(put(store, media_types.BUNDLE, 0), media_types.PUSH) == []
