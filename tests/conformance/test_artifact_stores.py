"""The OCI layout directory keeps the contract of the port."""

from __future__ import annotations

import hashlib
import io
import json
import multiprocessing
import stat
from pathlib import Path

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_contracts.errors import Conflict, InvalidInput, NotFound
from modelops_contracts.ports import ArtifactStore
from modelops_contracts.testing.artifact_store import (
    MANIFEST_TYPE,
    ArtifactStoreConformance,
    digest_of,
    manifest_of,
)


def blob_path(store: LayoutStore, digest: str) -> Path:
    return store.root / "blobs/sha256" / digest.removeprefix("sha256:")


class TestLayoutStore(ArtifactStoreConformance):
    @pytest.fixture
    def store(self, tmp_path: Path) -> LayoutStore:
        return LayoutStore(tmp_path / "artifacts", "team/seir")

    def damage(self, store: ArtifactStore, digest: str) -> bool:
        assert isinstance(store, LayoutStore)
        path = blob_path(store, digest)
        data = path.read_bytes()
        path.chmod(0o644)
        path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
        return True

    def test_reading_creates_nothing(self, store: LayoutStore) -> None:
        assert dict(store.tags()) == {}
        assert not store.root.exists()

    def test_the_directory_is_an_oci_layout(self, store: LayoutStore) -> None:
        digest = self.put(store, b"config", b"layer", tag="v1")
        layout = json.loads((store.root / "oci-layout").read_text())
        assert layout == {"imageLayoutVersion": "1.0.0"}
        index = json.loads((store.root / "index.json").read_text())
        assert index["schemaVersion"] == 2
        (entry,) = index["manifests"]
        assert entry == {
            "mediaType": MANIFEST_TYPE,
            "digest": digest,
            "size": len(manifest_of(b"config", b"layer")),
            "annotations": {"org.opencontainers.image.ref.name": "v1"},
        }
        for path in (store.root / "blobs/sha256").iterdir():
            assert path.name == hashlib.sha256(path.read_bytes()).hexdigest()
            assert stat.S_IMODE(path.stat().st_mode) == 0o444

    def test_older_manifests_stay_in_the_index(self, store: LayoutStore) -> None:
        older = self.put(store, b"one", tag="latest")
        newer = self.put(store, b"two", tag="latest")
        self.put(store, b"two", tag="latest")
        index = json.loads((store.root / "index.json").read_text())
        assert [item["digest"] for item in index["manifests"]] == [older, newer]

    def test_unknown_tags_name_the_nearest(self, store: LayoutStore) -> None:
        self.put(store, b"one", tag="latest")
        with pytest.raises(NotFound) as caught:
            store.resolve("lateset")
        assert caught.value.hint == "tags: latest"

    def test_names_that_lead_elsewhere_are_refused(
        self, store: LayoutStore, tmp_path: Path
    ) -> None:
        for name in ("../x", "/x", "a/../../b", "UP", ""):
            with pytest.raises(InvalidInput):
                LayoutStore(tmp_path, name)
        for digest in ("sha256:../../x", "latest", "sha256:" + "A" * 64):
            with pytest.raises(InvalidInput):
                store.has_blob(digest)

    def test_a_crash_leaves_nothing_under_a_final_name(self, store: LayoutStore) -> None:
        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                raise OSError("disk gone")

        digest = digest_of(b"data")
        with pytest.raises(OSError, match="disk gone"):
            store.put_blob(digest, Breaking())
        assert not store.has_blob(digest)
        assert list((store.root / "blobs/sha256").iterdir()) == []


def _race(job: tuple[str, int]) -> bool:
    root, number = job
    store = LayoutStore(Path(root), "r")
    blob = str(number).encode()
    store.put_blob(digest_of(blob), io.BytesIO(blob))
    try:
        store.put_manifest(
            manifest_of(blob), media_type=MANIFEST_TYPE, tag=f"t{number // 4}", expected=None
        )
    except Conflict:
        return False
    return True


def test_exactly_one_of_many_writers_gets_a_new_tag(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        won = pool.map(_race, [(str(tmp_path), number) for number in range(40)], chunksize=1)
    assert [sum(won[start : start + 4]) for start in range(0, 40, 4)] == [1] * 10
    assert len(LayoutStore(tmp_path, "r").tags()) == 10
