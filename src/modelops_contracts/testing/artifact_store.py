"""What every ArtifactStore does."""

from __future__ import annotations

import io
import json
from hashlib import sha256

from modelops_contracts.errors import Conflict, IntegrityError, NotFound
from modelops_contracts.ports import ArtifactStore
from modelops_contracts.testing.expect import expect

__all__ = ["ArtifactStoreConformance", "digest_of", "manifest_of"]

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


def digest_of(data: bytes) -> str:
    """``sha256:<hex>`` of the bytes."""
    return f"sha256:{sha256(data).hexdigest()}"


def manifest_of(*blobs: bytes) -> bytes:
    """An OCI image manifest whose config is the first blob and whose layers are the others."""
    config, *layers = [
        {"mediaType": "application/octet-stream", "digest": digest_of(blob), "size": len(blob)}
        for blob in blobs
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config,
        "layers": layers,
    }
    return json.dumps(manifest, sort_keys=True).encode()


class ArtifactStoreConformance:
    """Inherit and define a fixture ``store`` that gives an empty store."""

    def damage(self, store: ArtifactStore, digest: str) -> bool:
        """Change stored bytes behind the store's back; False where that cannot be done."""
        return False

    def put(self, store: ArtifactStore, *blobs: bytes, tag: str | None = None) -> str:
        for blob in blobs:
            store.put_blob(digest_of(blob), io.BytesIO(blob))
        return store.put_manifest(manifest_of(*blobs), media_type=MANIFEST_TYPE, tag=tag)

    def read(self, store: ArtifactStore, digest: str) -> bytes:
        with store.get_blob(digest) as stream:
            return stream.read()

    def test_an_empty_store_has_nothing(self, store: ArtifactStore) -> None:
        absent = digest_of(b"absent")
        assert not store.has_blob(absent)
        assert dict(store.tags()) == {}
        with expect(NotFound):
            store.get_blob(absent)
        with expect(NotFound):
            store.get_manifest(absent)
        for reference in ("latest", absent):
            with expect(NotFound):
                store.resolve(reference)

    def test_blobs_come_back(self, store: ArtifactStore) -> None:
        for blob in (b"", b"small", bytes(range(256)) * 20_000):
            store.put_blob(digest_of(blob), io.BytesIO(blob))
            assert store.has_blob(digest_of(blob))
            assert self.read(store, digest_of(blob)) == blob

    def test_a_blob_may_come_twice(self, store: ArtifactStore) -> None:
        for _ in range(2):
            store.put_blob(digest_of(b"same"), io.BytesIO(b"same"))
        assert self.read(store, digest_of(b"same")) == b"same"

    def test_a_blob_under_a_false_digest_is_not_stored(self, store: ArtifactStore) -> None:
        claimed = digest_of(b"promised")
        with expect(IntegrityError):
            store.put_blob(claimed, io.BytesIO(b"delivered"))
        assert not store.has_blob(claimed)
        assert not store.has_blob(digest_of(b"delivered"))

    def test_manifests_come_back_by_digest_and_tag(self, store: ArtifactStore) -> None:
        digest = self.put(store, b"config", b"layer", tag="v1")
        assert digest == digest_of(manifest_of(b"config", b"layer"))
        assert store.get_manifest(digest) == manifest_of(b"config", b"layer")
        assert store.resolve("v1") == store.resolve(digest) == digest
        assert dict(store.tags()) == {"v1": digest}

    def test_a_manifest_needs_no_tag(self, store: ArtifactStore) -> None:
        digest = self.put(store, b"config")
        assert store.resolve(digest) == digest
        assert dict(store.tags()) == {}

    def test_a_tag_moves_and_the_older_manifest_stays(self, store: ArtifactStore) -> None:
        older = self.put(store, b"one", tag="latest")
        newer = self.put(store, b"two", tag="latest")
        assert store.resolve("latest") == newer != older
        assert store.get_manifest(older) == manifest_of(b"one")

    def test_two_tags_may_mean_one_manifest(self, store: ArtifactStore) -> None:
        digest = self.put(store, b"one", tag="a")
        assert self.put(store, b"one", tag="b") == digest
        assert dict(store.tags()) == {"a": digest, "b": digest}

    def test_a_manifest_of_missing_blobs_is_not_stored(self, store: ArtifactStore) -> None:
        before = self.put(store, b"one", tag="latest")
        manifest = manifest_of(b"one", b"never sent")
        with expect(NotFound):
            store.put_manifest(manifest, media_type=MANIFEST_TYPE, tag="latest")
        assert store.resolve("latest") == before
        with expect(NotFound):
            store.get_manifest(digest_of(manifest))

    def test_a_tag_moves_only_from_where_it_is_expected(self, store: ArtifactStore) -> None:
        first = self.put(store, b"one")
        store.put_manifest(
            manifest_of(b"one"), media_type=MANIFEST_TYPE, tag="latest", expected=None
        )
        self.put(store, b"two")
        wrong: tuple[str | None, ...] = (None, digest_of(manifest_of(b"two")), digest_of(b"none"))
        for expected in wrong:
            with expect(Conflict, first):
                store.put_manifest(
                    manifest_of(b"two"), media_type=MANIFEST_TYPE, tag="latest", expected=expected
                )
            assert store.resolve("latest") == first
        moved = store.put_manifest(
            manifest_of(b"two"), media_type=MANIFEST_TYPE, tag="latest", expected=first
        )
        assert store.resolve("latest") == moved
        assert dict(store.tags()) == {"latest": moved}

    def test_a_tag_that_must_be_there_and_is_not(self, store: ArtifactStore) -> None:
        digest = self.put(store, b"one")
        with expect(Conflict):
            store.put_manifest(
                manifest_of(b"one"), media_type=MANIFEST_TYPE, tag="gone", expected=digest
            )
        assert dict(store.tags()) == {}

    def test_damage_is_noticed(self, store: ArtifactStore) -> None:
        blob = b"precious" * 1000
        manifest = self.put(store, blob)
        if self.damage(store, digest_of(blob)):
            with expect(IntegrityError):
                self.read(store, digest_of(blob))
        if self.damage(store, manifest):
            with expect(IntegrityError):
                store.get_manifest(manifest)
