"""Files whole or not at all; locks that name their holder."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.errors import Conflict, explain_file_error


def test_writes_text_and_bytes_and_replaces(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "file"
    write_atomically(path, "ünï\r\n")
    assert path.read_bytes() == "ünï\r\n".encode()
    write_atomically(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert [item.name for item in path.parent.iterdir()] == ["file"]


def test_mode_holds_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_atomically(path, "new", mode=0o600)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere" / "target"
    target.parent.mkdir()
    target.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(target)
    write_atomically(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_failure_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_told_with_the_file_that_was_to_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(tmp_path / "file", "new")
    assert caught.value.filename == str(tmp_path / "file")
    message, hint = explain_file_error(caught.value)
    assert message.startswith(f"{tmp_path / 'file'}: No space left on device (3 bytes needed, ")
    disk = os.statvfs(tmp_path)
    free = int(message.split()[-2])
    assert abs(free - disk.f_bavail * disk.f_frsize) < 2**30  # others use the disk too
    assert hint is not None
    assert hint.startswith("free some space")


def test_readers_never_see_a_part(tmp_path: Path) -> None:
    path = tmp_path / "file"
    contents = {"a" * 100_000, "b" * 100_000}
    write_atomically(path, "a" * 100_000)
    seen: set[str] = set()
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20):
        for content in sorted(contents):
            write_atomically(path, content)
    stop.set()
    reader.join()
    assert seen <= contents


def test_the_second_lock_names_the_first(tmp_path: Path) -> None:
    path = tmp_path / "dir" / "lock"
    with FileLock(path, command="mops bundle push") as lock:
        assert lock.held
        with (
            pytest.raises(Conflict, match=rf"process {os.getpid()} \(mops bundle push, since 20"),
            FileLock(path, timeout=0),
        ):
            pass
    assert not lock.held
    with FileLock(path, timeout=0):
        pass


def test_a_lock_is_free_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), FileLock(tmp_path / "lock"):
        raise RuntimeError("inside")
    with FileLock(tmp_path / "lock", timeout=0):
        pass


def test_waiting_ends_when_the_holder_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    script = (
        "import sys\n"
        "from modelops_contracts.atomic import FileLock\n"
        "with FileLock(sys.argv[1], command='other'):\n"
        "    print('held', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(Conflict, match=rf"process {holder.pid} \(other"), FileLock(path, timeout=0):
        pass
    holder.kill()
    with FileLock(path, timeout=30):
        pass
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()


def test_a_lock_without_a_line_yet_is_told_all_the_same(tmp_path: Path) -> None:
    import fcntl

    path = tmp_path / "lock"
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(Conflict, match="another process"), FileLock(path, timeout=0):
            pass
