"""A clone appears whole or not at all, and a killed one leaves nothing for long."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.recovery.full_disk import DiskFull
from modelops_bundle.transfer import clone as cloning
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.push import push
from support.projects import make_registered, write_files
from support.small_disks import small_disk


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    store = LayoutStore(tmp_path / "store", "little")
    push(make_registered(tmp_path / "theirs"), store)
    return store


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob(".*"))


def be_killed(store: LayoutStore, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clone in another process that is killed when files arrive."""
    child = os.fork()
    if not child:
        real = cloning.fetch_layers

        def fetch(*arguments: Any, **options: Any) -> None:
            real(*arguments, **options)
            os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(cloning, "fetch_layers", fetch)
        try:
            clone(store, "latest", folder, repository="little")
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL


@pytest.mark.parametrize("second", ["mine", "other"])
def test_the_next_clone_removes_what_a_killed_one_left(
    store: LayoutStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    be_killed(store, tmp_path / "desk/mine", monkeypatch)
    assert len(hidden(tmp_path / "desk")) == 1
    clone(store, "latest", tmp_path / "desk" / second, repository="little")
    assert hidden(tmp_path / "desk") == []


def test_a_clone_that_runs_is_left_alone(
    store: LayoutStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, waiting, go_on = cloning.fetch_layers, threading.Event(), threading.Event()

    def fetch(*arguments: Any, **options: Any) -> None:
        real(*arguments, **options)
        waiting.set()
        assert go_on.wait(30)

    monkeypatch.setattr(cloning, "fetch_layers", fetch)
    wanted, name = (store, "latest", tmp_path / "desk/a"), {"repository": "x"}
    first = threading.Thread(target=clone, args=wanted, kwargs=name)
    first.start()
    assert waiting.wait(30)
    monkeypatch.setattr(cloning, "fetch_layers", real)
    clone(store, "latest", tmp_path / "desk/b", repository="x")
    go_on.set()
    first.join()
    assert sorted(path.name for path in (tmp_path / "desk").iterdir()) == ["a", "b"]
    assert (tmp_path / "desk/a/models/sir.py").exists()


def test_what_only_looks_like_a_left_clone_is_kept(store: LayoutStore, tmp_path: Path) -> None:
    desk = tmp_path / "desk"
    write_files(desk, {
        ".a.0123456789ab.clone/notes.txt": "mine", ".b.0123456789ab.clone/lock": "my own lock",
        ".c.0123456789ab.tmp/lock": '{"command": "mops bundle clone"}',
        ".d.0123456789ab.clone": '{"command": "mops bundle clone"}',
    })  # fmt: skip
    before = hidden(desk)
    clone(store, "latest", desk / "a", repository="little")
    assert hidden(desk) == before


def test_a_full_disk_is_named_with_its_numbers(store: LayoutStore, tmp_path: Path) -> None:
    theirs = make_registered(tmp_path / "large")
    write_files(theirs.root, {"data/cases.csv": "".join(f"{n},{n}\n" for n in range(60_000))})
    push(theirs, store, "large", allow_stale=True)
    with small_disk(tmp_path / "disk", 400) as disk:
        with pytest.raises(
            DiskFull, match=r"the clone needs up to \d+ bytes in .*disk.* \d+ are free"
        ):
            clone(store, "large", disk.path / "mine", repository="little")
        assert list(disk.path.iterdir()) == []


def test_a_name_of_255_bytes(store: LayoutStore, tmp_path: Path) -> None:
    clone(store, "latest", tmp_path / ("ä" * 127), repository="little")
    assert (tmp_path / ("ä" * 127) / "models/sir.py").exists()
