"""Locks on file systems that have none of their own: the same promises, as far as they go."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import Conflict

COUNT = """
import errno, fcntl, sys
from pathlib import Path
from modelops_contracts.atomic import FileLock

def none(*_):
    raise OSError(errno.ENOSYS, "Function not implemented")

fcntl.flock = none
counter = Path(sys.argv[1])
for _ in range(25):
    with FileLock(counter.with_name("lock"), timeout=60):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


@pytest.fixture(params=["ENOSYS", "ENOLCK", "EOPNOTSUPP"])
def no_flock(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    number = getattr(errno, request.param)

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)


def holder(path: Path, **facts: object) -> None:
    own = {"pid": os.getpid(), "host": os.uname().nodename, "command": "x", "since": "2026"}
    path.write_text(json.dumps({**own, **facts}))


@pytest.mark.usefixtures("no_flock")
def test_one_at_a_time_and_nothing_is_left(tmp_path: Path) -> None:
    with (
        FileLock(tmp_path / "lock", command="mops bundle add"),
        pytest.raises(Conflict) as caught,
        FileLock(tmp_path / "lock", timeout=0),
    ):
        pass
    told = str(caught.value)
    assert f"process {os.getpid()} on {os.uname().nodename} (mops bundle add, since 2" in told
    assert f"delete {tmp_path / 'lock.held'}" in told
    with FileLock(tmp_path / "lock", timeout=0):
        assert (tmp_path / "lock.held").exists()
    assert [item.name for item in tmp_path.iterdir()] == ["lock"]


@pytest.mark.usefixtures("no_flock")
def test_a_dead_process_of_this_machine_holds_nothing(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    holder(tmp_path / "lock.held", pid=ended.pid)
    with FileLock(tmp_path / "lock", timeout=0) as lock:
        assert lock.held
        assert json.loads((tmp_path / "lock.held").read_text())["pid"] == os.getpid()


@pytest.mark.usefixtures("no_flock")
@pytest.mark.parametrize("content", ["", "garbage", None])
def test_of_another_machine_nothing_is_known(tmp_path: Path, content: str | None) -> None:
    held = tmp_path / "lock.held"
    if content is None:
        holder(held, pid=1, host="another-machine")
    else:
        held.write_text(content)
    with (
        pytest.raises(Conflict, match=r"delete .*lock\.held"),
        FileLock(tmp_path / "lock", timeout=0),
    ):
        pass
    assert held.exists()


def test_other_failures_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", fail)
    with pytest.raises(OSError, match="Input/output"), FileLock(tmp_path / "lock"):
        pass


def test_no_count_is_lost(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT, str(counter)]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    assert counter.read_text() == "100"
