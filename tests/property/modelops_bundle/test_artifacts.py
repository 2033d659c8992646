"""What holds for every set of files, not only for the ones we thought of."""

from __future__ import annotations

import io
import tarfile
import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from modelops_bundle.artifact.manifest import Layer, content_digest, safe_path, sha256_of
from modelops_bundle.artifact.packing import pack_layer, tar_header
from modelops_bundle.artifact.placement import MOST_LAYERS, place_files
from modelops_bundle.artifact.unpacking import unpack_layer
from modelops_bundle.diff import compare_files, undone_by
from modelops_bundle.oci import media_types
from modelops_bundle.project import guard
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.snapshot.index import FileRow

names = st.text(st.characters(codec="utf-8", exclude_characters="/\0\r"), min_size=1, max_size=12)
paths = st.lists(names, min_size=1, max_size=3).map("/".join)
sizes = st.dictionaries(paths, st.integers(0, 3_000_000), max_size=60)
plain = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20)
contents = st.dictionaries(plain, st.binary(max_size=2000), min_size=1, max_size=8)


def row(path: str, data: bytes) -> FileRow:
    return FileRow(path, len(data), sha256_of(data).removeprefix("sha256:"), "0644")


def pack(files: dict[str, bytes]) -> dict[tuple[str, ...], tuple[Layer, bytes]]:
    found = {}
    for bucket in place_files({path: len(data) for path, data in files.items()}):
        rows = [row(path, files[path]) for path in bucket.paths]
        with pack_layer(bucket, rows, {}, lambda path: io.BytesIO(files[path])) as packed:
            found[bucket.paths] = (packed.layer, packed.open().read())
    return found


@given(
    st.one_of(paths, st.text(st.characters(codec="ascii", exclude_characters="\0"), min_size=1,
                             max_size=140)),
    st.integers(0, 2**40), st.sampled_from(["0644", "0755"]),
)  # fmt: skip
@example("a" * 100, 8**11 - 1, "0755")
@example("a" * 101, 8**11, "0644")
def test_headers_are_those_of_the_standard_library(path: str, size: int, mode: str) -> None:
    info = tarfile.TarInfo(path)
    info.size, info.mode = size, int(mode, 8)
    assert tar_header(FileRow(path, size, "", mode), {}) == info.tobuf(tarfile.PAX_FORMAT)


@settings(max_examples=20)
@given(contents, st.randoms(use_true_random=False))
def test_tars_of_other_programs_are_taken_apart(files: dict[str, bytes], random: object) -> None:
    """Any order, times, owners and directory-free layout, also after a beginning like ours."""
    rows = [row(path, data) for path, data in sorted(files.items())]
    shuffled = rows[1:]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    buffer = io.BytesIO()
    buffer.write(tar_header(rows[0], {}) + files[rows[0].path] + b"\0" * (-rows[0].size % 512))
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for item in shuffled:
            info = tarfile.TarInfo(item.path)
            info.size, info.mtime, info.uname = item.size, 1_700_000_000, "somebody"
            archive.addfile(info, io.BytesIO(files[item.path]))
    data = buffer.getvalue()
    layer = Layer(media_types.LAYER_TAR, sha256_of(data), len(data), sha256_of(data))
    with tempfile.TemporaryDirectory() as folder:
        unpack_layer(io.BytesIO(data), layer, rows, {}, Path(folder))
        assert {item.path: (Path(folder) / item.path).read_bytes() for item in rows} == files


@given(sizes)
def test_every_file_is_in_exactly_one_layer(files: dict[str, int]) -> None:
    buckets = place_files(files)
    placed = [path for bucket in buckets for path in bucket.paths]
    assert sorted(placed) == sorted(files)
    assert len(buckets) <= MOST_LAYERS


@given(sizes, st.randoms(use_true_random=False))
def test_placement_does_not_depend_on_order(files: dict[str, int], random: object) -> None:
    items = list(files.items())
    random.shuffle(items)  # type: ignore[attr-defined]
    assert place_files(dict(items)) == place_files(files)


@settings(max_examples=40)
@given(contents)
def test_layers_are_the_same_whatever_the_order_and_come_back(files: dict[str, bytes]) -> None:
    layers = pack(files)
    assert pack(dict(reversed(files.items()))) == layers
    with tempfile.TemporaryDirectory() as folder:
        for members, (layer, data) in layers.items():
            rows = [row(path, files[path]) for path in members]
            unpack_layer(io.BytesIO(data), layer, rows, {}, Path(folder))
        found = {path: (Path(folder) / path).read_bytes() for path in files}
    assert found == files


@settings(max_examples=40)
@given(contents, st.binary(max_size=50))
def test_editing_one_small_file_changes_one_layer(files: dict[str, bytes], data: bytes) -> None:
    edited = {**files, min(files): data}
    before = {item[0].digest for item in pack(files).values()}
    after = {item[0].digest for item in pack(edited).values()}
    assert len(after - before) == (1 if edited != files else 0)


@given(st.dictionaries(paths, st.binary(max_size=5), max_size=10))
def test_the_content_digest_knows_paths_and_contents_only(files: dict[str, bytes]) -> None:
    rows = [row(path, data) for path, data in files.items()]
    other = [FileRow(item.path, item.size, item.sha256, "0755") for item in reversed(rows)]
    assert content_digest(rows) == content_digest(other)


@given(st.lists(paths, max_size=8))
def test_tracked_lists_come_back(listed: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        write_tracked(Path(folder), listed)
        assert read_tracked(Path(folder)) == tuple(sorted(set(listed)))


@given(paths)
def test_a_safe_path_stays_below_its_directory(path: str) -> None:
    if safe_path(path):
        joined = Path("/root/tree") / path
        assert joined.is_relative_to("/root/tree")
        assert ".." not in joined.parts


states = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.sampled_from("12"), st.just("0644")), max_size=4
)


@given(states, states)
def test_a_comparison_explains_the_whole_difference(
    before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]
) -> None:
    changes = compare_files(before, after)
    rebuilt = {path: value for path, value in before.items() if path not in changes.deleted}
    rebuilt |= {path: after[path] for path in (*changes.added, *changes.modified)}
    assert rebuilt == after


@given(states, states, st.none() | states)
def test_nothing_is_undone_without_being_named(
    local: dict[str, tuple[str, str]],
    remote: dict[str, tuple[str, str]],
    base: dict[str, tuple[str, str]] | None,
) -> None:
    undone = undone_by(local, remote, base)
    if not undone:
        changed = {p for p in {*remote, *(base or {})} if remote.get(p) != (base or {}).get(p)}
        wanted = changed if base is not None else {*remote, *local}
        assert all(local.get(path) == remote.get(path) for path in wanted)


SECRETS = (
    b"-----BEGIN RSA PRIVATE KEY-----", b"AccountKey=" + b"a" * 24,
    b"SharedAccessSignature=sv=" + b"b" * 12, b"?sig=" + b"c" * 24,
    b"AKIA" + b"Q" * 16, b"ASIA" + b"7" * 16,
    b"AWS_Secret_Access_Key = " + b"d" * 40, b"ghp_" + b"e" * 36, b"github_pat_" + b"f" * 22,
    b"glpat-" + b"g" * 20, b"xoxb-1" + b"h" * 10, b"https://user:word@host.example/",
)  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from(SECRETS), st.binary(max_size=30)), max_size=6))
def test_looking_for_marks_first_hides_no_secret(parts: list[bytes]) -> None:
    data = b"x\n " + b" \n".join(parts)
    found = {rule for rule, pattern in guard._CONTENT if pattern.search(data)}
    expected = found if b"\0" not in data[:8192] else set()
    assert {rule for rule, _ in guard.check_content(data)} == expected


def test_every_secret_of_these_is_one() -> None:
    rules = {rule for secret in SECRETS for rule, _ in guard.check_content(b" " + secret + b" ")}
    assert rules == {rule for rule, _ in guard._CONTENT} == set(guard._MARKS)
