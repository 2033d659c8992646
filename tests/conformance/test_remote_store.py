"""A registry on the network keeps the contract of the port: one in memory, and real ones."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from modelops_bundle.oci.auth import GivenCredential
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential
from modelops_contracts.errors import NotFound
from modelops_contracts.ports import ArtifactStore
from modelops_contracts.testing.artifact_store import (
    ArtifactStoreConformance,
)
from support.registries import FLAVOURS, find_registry
from support.registry_faults import FaultyRegistry


class RemoteConformance(ArtifactStoreConformance):
    """What every registry does beyond the port."""

    def test_unknown_tags_name_the_nearest(self, store: RemoteStore) -> None:
        self.put(store, b"one", tag="latest")
        with pytest.raises(NotFound) as caught:
            store.resolve("lateset")
        assert caught.value.hint == "tags: latest"


class TestRemoteStoreInMemory(RemoteConformance):
    @pytest.fixture(params=["open", "basic", "bearer", "relative", "pages", "chunks"])
    def store(self, request: pytest.FixtureRequest) -> Iterator[RemoteStore]:
        login = ("mops", "secret") if request.param in {"basic", "bearer"} else None
        self.registry = FaultyRegistry(
            login=login,
            bearer=request.param == "bearer",
            relative=request.param == "relative",
            page=1 if request.param == "pages" else 1000,
            chunk_minimum=5 * 1024 * 1024 if request.param == "chunks" else 0,
        )
        sources = [GivenCredential(Credential(*login))] if login else []
        with self.registry:
            store = RemoteStore(self.registry.address, "team/seir", sources=sources)
            yield store
            store.http.close()

    def damage(self, store: ArtifactStore, digest: str) -> bool:
        if digest in self.registry.blobs:
            data = self.registry.blobs[digest]
            self.registry.blobs[digest] = bytes([data[0] ^ 1]) + data[1:]
        else:
            kind, data = self.registry.manifests[digest]
            self.registry.manifests[digest] = (kind, bytes([data[0] ^ 1]) + data[1:])
        return True


class TestRemoteStoreReal(RemoteConformance):
    @pytest.fixture(params=FLAVOURS)
    def store(self, request: pytest.FixtureRequest) -> Iterator[RemoteStore]:
        store = find_registry(request.param).store()
        yield store
        store.http.close()
