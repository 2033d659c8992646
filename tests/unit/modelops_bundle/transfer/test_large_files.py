"""Large files: hashed as they are read, sent as they are, received in one pass, resumed."""

from __future__ import annotations

import errno
import hashlib
import io
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelops_bundle.artifact import packing
from modelops_bundle.artifact.manifest import Layer
from modelops_bundle.artifact.packing import frame_of, tar_chunks
from modelops_bundle.cache.receiving import OtherFrame, is_one_plain_file, receive_file
from modelops_bundle.oci import media_types
from modelops_bundle.oci.http import Patience
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.snapshot.index import FileRow, StatIndex
from modelops_bundle.snapshot.scan import WorkingFiles
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import Conflict, IntegrityError, Unavailable
from support.projects import make_registered
from support.registry_faults import Fault, FaultyRegistry

QUICK = Patience(first_answer=0.5, read=0.5, first_wait=0.01, longest_wait=0.02)
DATA = random.Random(11).randbytes(5 * 1024 * 1024 + 77)
ROW = FileRow("data/large.bin", len(DATA), hashlib.sha256(DATA).hexdigest(), "0644")
TAR = b"".join(tar_chunks([ROW], {}, lambda path: io.BytesIO(DATA)))


def layer_of(data: bytes) -> Layer:
    name = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Layer(media_types.LAYER_TAR, name, len(data), name)


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = make_registered(tmp_path / "mine")
    (made.root / ROW.path).write_bytes(DATA)
    write_tracked(made.root, [*read_tracked(made.root), ROW.path])
    return made


def open_store(registry: FaultyRegistry, cache: Path | None = None) -> RemoteStore:
    return RemoteStore(registry.address, "little", patience=QUICK, cache_dir=cache)


def receive(registry: FaultyRegistry, folder: Path, data: bytes, row: FileRow = ROW) -> Path:
    layer = layer_of(data)
    registry.blobs[layer.digest] = data
    receive_file(open_store(registry), layer, row, folder / "part", folder / "files")
    return folder / "files" / row.path


# --- sending ---------------------------------------------------------------------------------


def test_the_pass_that_hashes_a_file_finds_its_layer_too(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / ROW.path).write_bytes(DATA)
    files = WorkingFiles(tmp_path, StatIndex(None))
    files.frame = lambda path, size, mode: frame_of(FileRow(path, size, "", mode))
    assert files.row(ROW.path) == ROW
    assert files.framed == {ROW: hashlib.sha256(TAR).hexdigest()}


def test_a_new_large_file_is_not_read_to_be_packed(
    registry: FaultyRegistry, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed: list[str] = []
    honest = packing.tar_chunks

    def tell(rows: list[FileRow], *rest: object, **options: bool) -> Iterator[bytes]:
        packed.extend(row.path for row in rows)
        return honest(rows, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(packing, "tar_chunks", tell)
    push(project, open_store(registry))
    assert ROW.path not in packed
    assert registry.blobs[layer_of(TAR).digest] == TAR


def test_one_that_was_hashed_before_gives_the_same_layer(
    registry: FaultyRegistry, project: Project
) -> None:
    first = push(project, open_store(registry)).manifest
    again = RemoteStore(registry.address, "other", patience=QUICK)
    registry.blobs.clear()
    registry.tags.clear()
    assert push(project, again).manifest == first
    assert registry.blobs[layer_of(TAR).digest] == TAR


@pytest.mark.parametrize("change", ["edited", "longer", "shorter", "gone"])
def test_a_file_that_changes_before_it_is_sent_is_named(
    registry: FaultyRegistry, project: Project, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project.root / ROW.path
    store = open_store(registry)
    has_blob = RemoteStore.has_blob

    def meddle(self: RemoteStore, digest: str) -> bool:
        if digest == layer_of(TAR).digest:
            if change == "gone":
                file.unlink()
            else:
                changed = {"edited": DATA[:-1] + b"!", "longer": DATA + b"!", "shorter": DATA[:-1]}
                file.write_bytes(changed[change])
        return has_blob(self, digest)

    monkeypatch.setattr(RemoteStore, "has_blob", meddle)
    with pytest.raises(Conflict, match=r"data/large.bin changed while it was packed") as caught:
        push(project, store)
    assert caught.value.code == "file_changing"
    assert registry.tags == {}
    assert layer_of(TAR).digest not in registry.blobs


def test_packed_bytes_wait_in_the_cache(registry: FaultyRegistry, tmp_path: Path) -> None:
    made = make_registered(tmp_path / "mine")
    (made.root / "data/text.csv").write_text("1,2,3\n" * 500_000)
    write_tracked(made.root, [*read_tracked(made.root), "data/text.csv"])
    push(made, open_store(registry, tmp_path / "cache"))
    assert list((tmp_path / "cache" / "spool").iterdir()) == []  # the file there has no name


# --- receiving -------------------------------------------------------------------------------


def test_a_file_is_received(registry: FaultyRegistry, tmp_path: Path) -> None:
    assert receive(registry, tmp_path, TAR).read_bytes() == DATA
    assert not (tmp_path / "part").exists()


@pytest.mark.parametrize("have", [1, 700_000, len(DATA) - 1, len(DATA), len(DATA) + 5])
def test_a_part_is_gone_on_with(registry: FaultyRegistry, tmp_path: Path, have: int) -> None:
    (tmp_path / "part").write_bytes((DATA + b"extra")[:have])
    assert receive(registry, tmp_path, TAR).read_bytes() == DATA
    (seen,) = registry.requests("GET", "/blobs/")
    before, _ = frame_of(ROW)
    assert seen.headers["Range"] == f"bytes={len(before) + min(have, len(DATA))}-"


def test_a_part_that_is_wrong_is_thrown_away(registry: FaultyRegistry, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(b"x" * 1000)
    with pytest.raises(IntegrityError, match="damaged"):
        receive(registry, tmp_path, TAR)
    assert not (tmp_path / "part").exists()
    assert receive(registry, tmp_path, TAR).read_bytes() == DATA


@pytest.mark.parametrize("place", [600, len(TAR) // 2, len(TAR) - 1])
def test_a_flipped_bit_is_noticed(registry: FaultyRegistry, tmp_path: Path, place: int) -> None:
    layer = layer_of(TAR)
    damaged = bytearray(TAR)
    damaged[place] ^= 1
    registry.blobs[layer.digest] = bytes(damaged)
    with pytest.raises(IntegrityError, match="damaged"):
        receive_file(open_store(registry), layer, ROW, tmp_path / "part", tmp_path / "files")
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize("length", [len(TAR) - 1, len(TAR) + 1])
def test_another_length_is_noticed(registry: FaultyRegistry, tmp_path: Path, length: int) -> None:
    layer = layer_of(TAR)
    registry.blobs[layer.digest] = (TAR + b"\0")[:length]
    with pytest.raises(IntegrityError, match="damaged"):
        receive_file(open_store(registry), layer, ROW, tmp_path / "part", tmp_path / "files")


def test_an_index_that_lies_about_the_file_is_noticed(
    registry: FaultyRegistry, tmp_path: Path
) -> None:
    lie = FileRow(ROW.path, ROW.size, "0" * 64, ROW.mode)
    with pytest.raises(IntegrityError, match=r"data/large.bin does not have the content"):
        receive(registry, tmp_path, TAR, lie)
    assert not (tmp_path / "files").exists()


def test_another_programs_layer_is_taken_apart(registry: FaultyRegistry, tmp_path: Path) -> None:
    """The same file in a tar with a date and an owner is a different frame of the same length."""
    buffer = io.BytesIO()
    info = tarfile.TarInfo(ROW.path)
    info.size, info.mtime, info.uname = len(DATA), 1_700_000_000, "somebody"
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(info, io.BytesIO(DATA))
    other = buffer.getvalue()[: len(TAR)]
    assert is_one_plain_file(layer_of(other), [ROW])
    with pytest.raises(OtherFrame):
        receive(registry, tmp_path, other)


def test_a_part_on_another_disk_is_copied(
    registry: FaultyRegistry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rename(self: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "another disk")

    monkeypatch.setattr(Path, "rename", rename)
    assert receive(registry, tmp_path, TAR).read_bytes() == DATA
    assert not (tmp_path / "part").exists()


def test_a_clone_that_was_cut_goes_on(
    registry: FaultyRegistry, project: Project, tmp_path: Path
) -> None:
    push(project, open_store(registry))
    large = layer_of(TAR).digest
    registry.script(Fault("GET", large, "cut_body"), Fault("GET", large, "cut", times=None))
    target, partial = tmp_path / "theirs", tmp_path / "partial"
    with pytest.raises(Unavailable):
        clone(open_store(registry), "latest", target, repository="little", partial_dir=partial)
    assert not target.exists()
    registry.script()
    with registry.counting() as seen:
        clone(open_store(registry), "latest", target, repository="little", partial_dir=partial)
    (again,) = [item for item in seen if large in item.path]
    assert int(again.headers["Range"].removeprefix("bytes=").rstrip("-")) > len(DATA) // 4
    assert (target / ROW.path).read_bytes() == DATA
    assert list(partial.iterdir()) == []
