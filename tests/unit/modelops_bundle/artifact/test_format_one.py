"""Bundles that the existing suite has pushed are read, verified, and never written."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.cache.bundle_cache import fetch_index
from modelops_bundle.export import apply_export, plan_export
from modelops_bundle.oci.external import ExternalBlobs, StorageLogin, is_known_address
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.opening import open_bundle
from modelops_bundle.project.project import Project
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import push
from modelops_bundle.transfer.push_plan import plan_push
from modelops_bundle.transfer.verify import verify
from modelops_contracts.errors import (
    AccessDenied,
    Conflict,
    IntegrityError,
    InvalidInput,
    NotFound,
    Unavailable,
)
from modelops_contracts.registry import REGISTRY_PATH
from modelops_contracts.testing.artifact_store import MANIFEST_TYPE, digest_of
from support.azurite import find_azurite
from support.format_one import push_format_one
from support.projects import FILES, make_registered

FILES_IN_BYTES = {path: text.encode() for path, text in FILES.items()}
LARGE = bytes(range(256)) * 9000


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "artifacts", "little")


def as_pushed(project: Project) -> dict[str, bytes]:
    """The files of a project as the existing suite would push them."""
    return {**FILES_IN_BYTES, REGISTRY_PATH: project.registry_path.read_bytes()}


def test_it_is_cloned_and_verified(store: LayoutStore, tmp_path: Path) -> None:
    digest = push_format_one(store, {**FILES_IN_BYTES, "empty.txt": b"", "copy.py": b""})
    done = clone(store, "latest", tmp_path / "theirs", repository="little")
    assert (done.manifest, done.files) == (digest, len(FILES) + 2)
    for path, data in FILES_IN_BYTES.items():
        assert (tmp_path / "theirs" / path).read_bytes() == data
    assert (tmp_path / "theirs/empty.txt").read_bytes() == b""
    for deep in (False, True):
        assert verify(store, "latest", deep=deep).problems == ()


def test_it_is_pulled_and_exported(store: LayoutStore, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "little")
    newer = {**as_pushed(project), "data/cases.csv": b"week,cases\n1,7\n"}
    push_format_one(store, as_pushed(project))
    pull(project, store)
    push_format_one(store, newer)
    pull(project, store)
    assert (project.root / "data/cases.csv").read_bytes() == b"week,cases\n1,7\n"
    plan = plan_export(store, "latest", tmp_path / "out")
    apply_export(plan, store, cache_dir=tmp_path / "cache")
    assert (tmp_path / "out/data/cases.csv").read_bytes() == b"week,cases\n1,7\n"


def test_it_is_opened_with_the_digests_that_results_go_by(
    store: LayoutStore, tmp_path: Path
) -> None:
    project = make_registered(tmp_path / "little")
    digest = push_format_one(store, as_pushed(project))
    before = LayoutStore(tmp_path / "new", "little")
    ours = push(project, before).manifest
    with open_bundle(digest, store=store, cache_dir=tmp_path / "cache") as old:
        with open_bundle(ours, store=before, cache_dir=tmp_path / "cache") as new:
            assert dict(old.model_digests) == dict(new.model_digests)
            assert dict(old.target_digests) == dict(new.target_digests)
            assert old.environment == new.environment
        assert not (old.root / ".modelops-bundle/parse.json").exists()


def test_the_first_push_over_it_warns(store: LayoutStore, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "little")
    push_format_one(store, as_pushed(project))
    pull(project, store)
    plan = plan_push(project, store)
    told = [item for item in plan.findings if item.code == "format_one"]
    assert len(told) == 1
    assert told[0].severity == "warning"
    assert "existing suite cannot read it" in told[0]
    assert push(project, store).pushed
    assert not [item for item in plan_push(project, store).findings if item.code == "format_one"]


def test_a_colleagues_push_of_format_one_is_not_undone(store: LayoutStore, tmp_path: Path) -> None:
    project = make_registered(tmp_path / "little")
    push_format_one(store, {**as_pushed(project), "data/cases.csv": b"theirs"})
    with pytest.raises(Conflict) as caught:
        push(project, store)
    assert caught.value.exit_code == 3


# --- files in a storage account --------------------------------------------------------------


def test_files_in_a_folder(store: LayoutStore, tmp_path: Path) -> None:
    (tmp_path / "blobs/ab").mkdir(parents=True)
    place = tmp_path / "blobs/ab/x y"
    place.write_bytes(LARGE)
    files = {**FILES_IN_BYTES, "data/large.bin": LARGE}
    push_format_one(store, files, outside={"data/large.bin": f"file://{place}"})
    assert not store.has_blob(digest_of(LARGE))
    clone(store, "latest", tmp_path / "theirs", repository="little")
    assert (tmp_path / "theirs/data/large.bin").read_bytes() == LARGE
    assert verify(store, "latest", deep=True).problems == ()
    place.write_bytes(LARGE[:-1] + b"!")
    with pytest.raises(IntegrityError, match="arrived damaged"):
        clone(store, "latest", tmp_path / "again", repository="little")
    assert not (tmp_path / "again").exists()
    assert [item.text for item in verify(store, "latest", deep=True).problems]
    place.unlink()
    with pytest.raises(NotFound):
        clone(store, "latest", tmp_path / "again", repository="little")
    assert [item.text for item in verify(store, "latest").problems] == ["is missing"]


def test_files_in_an_azure_container(tmp_path: Path) -> None:
    azurite = find_azurite()
    container = azurite.make_container()
    azurite.put(container, "ab/cd/large", LARGE)
    for connection in azurite.connections:
        login = StorageLogin(connection)
        store = LayoutStore(tmp_path / "a", "little", external=ExternalBlobs(login))
        files = {**FILES_IN_BYTES, "large.bin": LARGE}
        push_format_one(store, files, outside={"large.bin": f"azure://{container}/ab/cd/large"})
        folder = tmp_path / f"theirs-{len(connection)}"
        clone(store, "latest", folder, repository="little")
        assert (folder / "large.bin").read_bytes() == LARGE
        with store.external.open(digest_of(LARGE), len(LARGE) - 5) as stream:
            assert stream.read() == LARGE[-5:]
        assert store.external.size(digest_of(LARGE)) == len(LARGE)
        assert "AccountKey" not in repr(login)


def test_a_wrong_key_and_nobody_there_are_told_apart() -> None:
    azurite = find_azurite()
    container = azurite.make_container()
    azurite.put(container, "x", b"data")
    addresses = {digest_of(b"data"): f"azure://{container}/x"}
    wrong = azurite.connections[-1].replace("AccountKey=", "AccountKey=AAAA")
    blobs = ExternalBlobs(StorageLogin(wrong))
    blobs.note(addresses)
    with pytest.raises(AccessDenied) as denied:
        blobs.open(digest_of(b"data"))
    assert "AAAA" not in str(denied.value)
    missing = ExternalBlobs(StorageLogin(azurite.connections[-1]))
    missing.note({digest_of(b"data"): f"azure://{container}/y"})
    assert missing.size(digest_of(b"data")) is None
    with pytest.raises(NotFound):
        missing.open(digest_of(b"data"))


@pytest.mark.parametrize(
    ("address", "known"),
    [
        ("azure://container/ab/cd", True), ("s3://bucket/key", True), ("gs://bucket/key", True),
        ("file:///srv/blobs/x", True), ("http://evil.example.org/x", False),
        ("azure://container", False), ("file:///srv/../etc/passwd", False), ("", False),
        ("s3://bucket/key?sig=abc", False),
    ],
)  # fmt: skip
def test_addresses(address: str, known: bool) -> None:
    assert is_known_address(address) is known


# --- dishonest and foreign -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "changes", "error"),
    [
        ("../escape", {}, IntegrityError), ("/abs", {}, IntegrityError),
        (".git/hooks/pre-commit", {}, IntegrityError),
        (".modelops-bundle/config.yaml", {}, IntegrityError),
        ("x", {"digest": "sha256:" + "0" * 64}, IntegrityError),
        ("x", {"digest": "md5:1"}, IntegrityError), ("x", {"size": -1}, IntegrityError),
        ("x", {"size": "many"}, IntegrityError), ("x", {"storage": "tape"}, InvalidInput),
        ("x", {"storage": "blob", "blobRef": None}, InvalidInput),
        ("x", {"storage": "blob", "blobRef": "http://evil/x"}, InvalidInput),
    ],
)  # fmt: skip
def test_what_no_honest_bundle_has_is_refused_before_anything_is_fetched(
    store: LayoutStore, tmp_path: Path, path: str, changes: dict[str, Any], error: type[Exception]
) -> None:
    push_format_one(store, {**FILES_IN_BYTES, path: b"evil"}, changes={path: changes})
    with pytest.raises(error):
        clone(store, "latest", tmp_path / "theirs", repository="little")
    assert not (tmp_path / "theirs").exists()
    assert not (tmp_path / "escape").exists()


def test_more_bytes_than_the_index_says(store: LayoutStore, tmp_path: Path) -> None:
    push_format_one(store, {"x": b"12345"}, changes={"x": {"size": 3}})
    with pytest.raises(IntegrityError):
        clone(store, "latest", tmp_path / "theirs", repository="little")


INDEX = {"schemaVersion": 2, "manifests": [{}, {}]}
IMAGE = {"config": {"mediaType": "application/vnd.oci.image.config.v1+json"}, "layers": []}
CHART = {"config": {"mediaType": "application/vnd.cncf.helm.config.v1+json"}, "layers": []}
SIGNATURE = {**IMAGE, "artifactType": "application/vnd.example.signature"}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (INDEX, "an index of 2 manifests"), (IMAGE, "a container image"),
        (CHART, "its type is application/vnd.cncf.helm.config.v1+json"),
        (SIGNATURE, "an artifact of type application/vnd.example.signature"),
    ],
)  # fmt: skip
def test_what_is_no_bundle_is_named(
    store: LayoutStore, document: dict[str, Any], words: str
) -> None:
    config = b"{}"
    store.put_blob(digest_of(config), io.BytesIO(config))
    tree = json.loads(json.dumps(document))
    if "config" in tree:
        tree["config"] |= {"digest": digest_of(config), "size": 2}
        digest = store.put_manifest(json.dumps(tree).encode(), media_type=MANIFEST_TYPE)
    else:
        data = json.dumps(tree).encode()
        digest = digest_of(data)
        store.put_blob(digest, io.BytesIO(data))
    with pytest.raises(InvalidInput, match=re.escape(f"not a bundle: {words}")):
        fetch_index(store, digest)


def test_storage_that_does_not_answer_is_said_so(store: LayoutStore) -> None:
    login = StorageLogin(
        "DefaultEndpointsProtocol=http;AccountName=a;AccountKey=czNjcmV0LXdvcmQ=;"
        "BlobEndpoint=http://127.0.0.1:9/a"
    )
    blobs = ExternalBlobs(login)
    blobs.note({digest_of(b"x"): "azure://c/x"})
    with pytest.raises(Unavailable) as caught:
        blobs.open(digest_of(b"x"))
    assert "czNjcmV0" not in str(caught.value)
