from __future__ import annotations

import io
import json
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from modelops_bundle.artifact.manifest import (
    BundleIndex,
    Layer,
    build_config,
    build_manifest,
    content_digest,
    read_index,
    safe_path,
    sha256_of,
)
from modelops_bundle.artifact.packing import pack_layer
from modelops_bundle.artifact.placement import MOST_LAYERS, Bucket, place_files
from modelops_bundle.artifact.unpacking import unpack_layer
from modelops_bundle.oci import media_types
from modelops_bundle.oci.reference import Reference, parse_reference
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError, InvalidInput
from modelops_contracts.registry import EnvironmentRecord

LAYER = Layer(media_types.LAYER_TAR, "sha256:" + "1" * 64, 10, "sha256:" + "1" * 64)


def row(path: str, data: bytes = b"x", mode: str = "0644") -> FileRow:
    return FileRow(path, len(data), sha256_of(data).removeprefix("sha256:"), mode)


def index_of(*rows: FileRow, links: dict[str, str] | None = None) -> BundleIndex:
    return BundleIndex(
        files=rows,
        layer_of={item.path: 0 for item in rows},
        layers=(LAYER,),
        content=content_digest(rows),
        environment=EnvironmentRecord(digest="sha256:" + "2" * 64),
        links=links or {},
    )


def round_trip(index: BundleIndex) -> BundleIndex:
    config = build_config(index)
    return read_index(build_manifest(index, config), config)


def test_both_documents_round_trip() -> None:
    index = index_of(row("a.py"), row("b", b"a.py", "link"), links={"b": "a.py"})
    assert round_trip(index) == index


@pytest.mark.parametrize(
    "path",
    ["../x", "/x", "a/../b", "a//b", "./a", "a\nb", "a\0b", ".git/config", ".GIT/hooks/x",
     ".modelops-bundle/config.yaml", ".modelops-bundle/env", "x" * 256, "a/" * 3000 + "b", ""],
)  # fmt: skip
def test_unsafe_paths_are_refused_before_anything_is_fetched(path: str) -> None:
    assert not safe_path(path)
    with pytest.raises(IntegrityError):
        round_trip(index_of(row(path)))


def test_the_registry_and_ordinary_names_are_safe() -> None:
    for path in (".modelops-bundle/registry.yaml", "a b/ö.csv", ".gitignore", "gitx/config"):
        assert safe_path(path)


@pytest.mark.parametrize(
    "index",
    [
        index_of(row("a"), row("A")),
        index_of(row("e\u0301"), row("\u00e9")),
        index_of(row("a"), row("a/b")),
        index_of(row("a", mode="0777")),
        index_of(row("l", mode="link"), links={"l": "/etc/passwd"}),
        index_of(row("l", mode="link"), links={"l": "../x"}),
        index_of(row("l", mode="link"), links={"l": "missing"}),
        index_of(row("l", mode="link")),
        replace(index_of(row("a")), layer_of={"a": 3}),
        replace(index_of(row("a")), content="sha256:" + "0" * 64),
    ],
)
def test_dishonest_indexes_are_refused(index: BundleIndex) -> None:
    with pytest.raises(IntegrityError):
        round_trip(index)


def test_other_artifacts_and_newer_formats_are_named() -> None:
    index = index_of(row("a"))
    config = build_config(index)
    manifest = json.loads(build_manifest(index, config))
    manifest["artifactType"] = "application/vnd.other"
    told = r"not a bundle: an artifact of type application/vnd\.other"
    with pytest.raises(InvalidInput, match=told):
        read_index(json.dumps(manifest).encode(), config)
    newer = config.replace(b'"format":2', b'"format":3')
    with pytest.raises(InvalidInput, match="newer version"):
        read_index(build_manifest(index, newer), newer)
    with pytest.raises(IntegrityError):
        read_index(build_manifest(index, config), config + b" ")


# --- layers ----------------------------------------------------------------------------------

FILES = {"a.txt": b"hello", "deep/b.bin": bytes(range(256)), "deep/" + "n" * 120: b""}


def packed(files: dict[str, bytes]) -> tuple[Layer, bytes, list[FileRow]]:
    rows = [row(path, data) for path, data in files.items()]
    bucket = Bucket(tuple(files))
    with pack_layer(bucket, rows, {}, lambda path: io.BytesIO(files[path])) as layer:
        return layer.layer, layer.open().read(), rows


def test_layers_round_trip(tmp_path: Path) -> None:
    layer, data, rows = packed(FILES)
    assert (sha256_of(data), len(data)) == (layer.digest, layer.size)
    unpack_layer(io.BytesIO(data), layer, rows, {}, tmp_path)
    for path, content in FILES.items():
        assert (tmp_path / path).read_bytes() == content


def test_the_bytes_of_a_layer_are_fixed() -> None:
    layer, _, _ = packed(FILES)
    assert (
        layer.diff_id == "sha256:3b2c2dfa88ea090bb602934abbc92a927846bb554ecd723c4628883f169a65c6"
    )
    assert layer.digest == "sha256:37536971c38649e9ec566c4e2fda7e5df5bec10a0ebb26fc6b4c3dcbe08512c1"


def tar_of(*members: tuple[tarfile.TarInfo, bytes]) -> tuple[Layer, bytes]:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    data = stream.getvalue()
    name = sha256_of(data)
    return Layer(media_types.LAYER_TAR, name, len(data), name), data


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, link
    return info


@pytest.mark.parametrize(
    "members",
    [
        [(member("a"), b"x"), (member("../evil"), b"y")],
        [(member("a"), b"x"), (member("extra"), b"y")],
        [(member("a"), b"y")],
        [(member("a"), b"xx")],
        [],
        [(member("a", tarfile.SYMTYPE, "/etc/passwd"), b"")],
        [(member("a", tarfile.LNKTYPE, "b"), b"")],
        [(member("a", tarfile.CHRTYPE), b"")],
        [(member("a"), b"x"), (member("a"), b"x")],
    ],
)
def test_hostile_layers_write_nothing_outside(
    tmp_path: Path, members: list[tuple[tarfile.TarInfo, bytes]]
) -> None:
    layer, data = tar_of(*members)
    (tmp_path / "in").mkdir()
    with pytest.raises(IntegrityError):
        unpack_layer(io.BytesIO(data), layer, [row("a")], {}, tmp_path / "in")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]
    assert {path.name for path in (tmp_path / "in").iterdir()} <= {"a"}


def test_a_layer_that_inflates_beyond_its_files_is_stopped(tmp_path: Path) -> None:
    import zstandard

    bomb = zstandard.ZstdCompressor().compress(bytes(200_000_000))
    layer = Layer(media_types.LAYER_ZSTD, sha256_of(bomb), len(bomb), "sha256:" + "0" * 64)
    with pytest.raises(IntegrityError):
        unpack_layer(io.BytesIO(bomb), layer, [row("a")], {}, tmp_path)


# --- placement -------------------------------------------------------------------------------


def test_large_files_stand_alone_and_small_ones_share() -> None:
    sizes = {"a/x.py": 10, "a/y.py": 10, "b/z.py": 10, "data/big.bin": 1024 * 1024}
    assert place_files(sizes) == (
        Bucket(("a/x.py", "a/y.py", "b/z.py")),
        Bucket(("data/big.bin",), single=True),
    )


def test_large_subtrees_split_by_directory() -> None:
    sizes = {f"{folder}/{n}": 1_000_000 for folder in "abc" for n in range(3)}
    assert [len(bucket.paths) for bucket in place_files(sizes)] == [3, 3, 3]


def test_many_files_of_one_directory_split_evenly() -> None:
    buckets = place_files({f"d/{n}.txt": 1 for n in range(2000)})
    assert sum(len(bucket.paths) for bucket in buckets) == 2000
    assert all(len(bucket.paths) <= 512 for bucket in buckets)


def test_there_are_never_too_many_layers() -> None:
    assert len(place_files({f"{n}.bin": 1_100_000 for n in range(500)})) <= MOST_LAYERS
    assert len(place_files({f"{n}/f{m}": 100_000 for n in range(300) for m in range(20)})) <= (
        MOST_LAYERS
    )


# --- references ------------------------------------------------------------------------------

DIGEST = "sha256:" + "a" * 64


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (DIGEST, Reference(digest=DIGEST)),
        ("seir", Reference(repository="seir")),
        ("team/seir:v1", Reference(repository="team/seir", tag="v1")),
        (f"seir@{DIGEST}", Reference(repository="seir", digest=DIGEST)),
        ("localhost:5000/seir:v1", Reference("localhost:5000", "seir", "v1")),
        (f"r.example.org/a/b:t@{DIGEST}", Reference("r.example.org", "a/b", "t", DIGEST)),
        ("oci:/var/x/seir:v1", Reference(layout="/var/x/seir", tag="v1")),
        (f"oci:/var/x.y:/seir@{DIGEST}", Reference(layout="/var/x.y:/seir", digest=DIGEST)),
    ],
)
def test_references(text: str, expected: Reference) -> None:
    assert parse_reference(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text", ["", "Seir", "a@sha256:12", "oci:relative", "seir:", "seir:a b", "h.x/UP", "a//b"]
)
def test_bad_references(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_reference(text)
