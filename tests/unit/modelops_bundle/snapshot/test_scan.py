from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from modelops_bundle.snapshot import scan
from modelops_bundle.snapshot.index import StatIndex, bundle_mode, is_racy
from modelops_bundle.snapshot.scan import WorkingFiles
from modelops_contracts.errors import Conflict, InvalidInput

OLD = 1_600_000_000


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def quiet(path: Path, moment: float = OLD) -> None:
    """Give a file an old modification time; its ctime is always now."""
    os.utime(path, (moment, moment))


def digest(root: Path, index: StatIndex, name: str = "a") -> str:
    row = WorkingFiles(root, index).row(name)
    assert row is not None
    return row.sha256


@pytest.fixture
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that every file was left alone for long enough before it was hashed."""
    monkeypatch.setattr("modelops_bundle.snapshot.index._QUIET_NS", -(10**18))
    monkeypatch.setattr("modelops_bundle.snapshot.index._COARSE_QUIET_NS", -(10**18))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    read: list[str] = []
    original = scan.hash_file

    def counting(file: Path) -> str:
        read.append(file.name)
        return original(file)

    monkeypatch.setattr(scan, "hash_file", counting)
    return read


def test_rows_say_size_digest_and_mode(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "run").write_bytes(b"two")
    (tmp_path / "run").chmod(0o700)
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "folder").mkdir()
    files = WorkingFiles(tmp_path, StatIndex(None))
    rows = files.rows(["a", "run", "link", "folder", "gone", "a/x"])
    found = {name: (row.size, row.sha256, row.mode) if row else None for name, row in rows.items()}
    assert found == {
        "a": (3, sha(b"one"), "0644"),
        "run": (3, sha(b"two"), "0755"),
        "link": (1, sha(b"a"), "link"),
        "folder": None, "gone": None, "a/x": None,
    }  # fmt: skip
    assert files.digest("link") == "sha256:" + sha(b"one")


@pytest.mark.usefixtures("trusting")
def test_an_unchanged_file_is_read_once(tmp_path: Path, counted: list[str]) -> None:
    (tmp_path / "a").write_bytes(b"one")
    for _ in range(3):
        index = StatIndex(tmp_path / "index.json")
        assert digest(tmp_path, index) == sha(b"one")
        index.save()
    assert counted == ["a"]


@pytest.mark.usefixtures("trusting")
@pytest.mark.parametrize("trick", ["in place", "mtime restored", "replaced", "link", "mode"])
def test_edits_of_the_same_size_are_seen(tmp_path: Path, trick: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    quiet(path)
    index = StatIndex(tmp_path / "index.json")
    digest(tmp_path, index)
    if trick == "replaced":
        (tmp_path / "b").write_bytes(b"two")
        quiet(tmp_path / "b")
        (tmp_path / "b").rename(path)
    elif trick == "link":
        path.unlink()
        (tmp_path / "b").write_bytes(b"two")
        path.symlink_to("b")
    elif trick == "mode":
        path.chmod(0o755)
    else:
        path.write_bytes(b"two")
        if trick == "mtime restored":
            quiet(path)
    row = WorkingFiles(tmp_path, index).row("a")
    assert row is not None
    if trick == "mode":
        assert (row.sha256, row.mode) == (sha(b"one"), "0755")
    elif trick == "link":
        assert row.mode == "link"
    else:
        assert row.sha256 == sha(b"two")


def test_a_file_as_young_as_the_clock_tick_is_never_believed(
    tmp_path: Path, counted: list[str]
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"one")
    future = 4_000_000_000
    quiet(path, future)  # a clock that was set back
    index = StatIndex(None)
    digest(tmp_path, index)
    digest(tmp_path, index)
    assert counted == ["a", "a"]


def test_the_racy_rule() -> None:
    def status(nanoseconds: int) -> os.stat_result:
        seconds = nanoseconds // 10**9
        values = [0o100644, 1, 1, 1, 0, 0, 3, seconds, seconds, seconds]
        times = {"st_mtime_ns": nanoseconds, "st_ctime_ns": nanoseconds, "st_atime_ns": 0}
        return os.stat_result(values, times)

    fine = 1_000_000_123
    assert is_racy(status(fine), fine + 19_000_000)
    assert not is_racy(status(fine), fine + 21_000_000)
    coarse = 5 * 10**9
    assert is_racy(status(coarse), coarse + 10**9)
    assert not is_racy(status(coarse), coarse + 3 * 10**9)
    assert bundle_mode(status(fine)) == "0644"


def test_a_file_that_never_rests_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"x")

    def grow(file: Path) -> str:
        with file.open("ab") as stream:
            stream.write(b"x")
        return "0" * 64

    monkeypatch.setattr(scan, "hash_file", grow)
    with pytest.raises(Conflict, match="a keeps changing"):
        digest(tmp_path, StatIndex(None))


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match="pipe"):
        WorkingFiles(tmp_path, StatIndex(None)).row("pipe")


@pytest.mark.parametrize("text", ["", "{", '{"format": 99, "rows": []}', '{"format": 1}', "[1]"])
def test_a_damaged_index_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "index.json").write_text(text)
    (tmp_path / "a").write_bytes(b"one")
    assert digest(tmp_path, StatIndex(tmp_path / "index.json")) == sha(b"one")


def test_many_files_are_hashed_in_parallel_with_the_same_answer(tmp_path: Path) -> None:
    names = [f"f{n}" for n in range(64)]
    for name in names:
        (tmp_path / name).write_text(name)
    rows = WorkingFiles(tmp_path, StatIndex(None)).rows(names)
    assert {name: row.sha256 for name, row in rows.items() if row} == {
        name: sha(name.encode()) for name in names
    }
