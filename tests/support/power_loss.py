"""What a disk may hold after a power loss: names and bytes that were synced, others perhaps.

    with recording(folder) as record:
        ...  # writes below the folder
    for state in record.crash_states():
        ...  # path -> bytes, None for a file whose bytes never reached the disk

A name that changed is certain once its directory was synced, the bytes of a file once it was; what
was not synced may have arrived or not, in any order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

Disk = dict[str, bytes | None]


@dataclass(frozen=True, slots=True)
class Op:
    """One operation: `rename` (path to other), `unlink`, `data` (bytes are safe), `names`."""

    kind: str
    path: str
    other: str = ""
    inode: int = 0
    data: bytes = b""


@dataclass(slots=True)
class Recording:
    """Operations below a folder in order, and what was on the disk before them."""

    root: Path
    names: dict[str, int] = field(default_factory=dict)
    safe: dict[int, bytes] = field(default_factory=dict)
    ops: list[Op] = field(default_factory=list)

    def crash_states(self) -> Iterator[Disk]:
        """Yield what may be left after each prefix of the operations, each state once."""
        seen: set[int] = set()
        for end in range(len(self.ops) + 1):
            done = self.ops[:end]
            loose = [number for number, op in enumerate(done) if self._is_loose(done, number)]
            for lost in self._losses(loose):
                state = self._state(done, lost)
                key = hash(frozenset(state.items()))
                if key not in seen:
                    seen.add(key)
                    yield state

    def _is_loose(self, done: Sequence[Op], number: int) -> bool:
        op = done[number]
        if op.kind not in {"rename", "unlink", "create"}:
            return False
        # A name that moved is certain where it went; that the old one is gone harms nobody here.
        folder = str(Path(op.other or op.path).parent)
        return not {"*", folder} & {item.path for item in done[number:] if item.kind == "names"}

    def _losses(self, loose: list[int]) -> Iterator[set[int]]:
        """Choose what did not arrive: nothing, all, the last, the first, all but the last."""
        yield set()
        if loose:
            yield set(loose)
            yield {loose[-1]}
            yield {loose[0]}
            yield set(loose[:-1])

    def _state(self, done: Sequence[Op], lost: set[int]) -> Disk:
        names, safe = dict(self.names), dict(self.safe)
        for number, op in enumerate(done):
            if op.kind == "data":
                safe[op.inode] = op.data
            elif number in lost:
                continue
            elif op.kind == "create":
                names[op.path] = op.inode
            elif op.kind == "unlink":
                names.pop(op.path, None)
            elif op.kind == "rename":
                names.pop(op.path, None)
                names[op.other] = op.inode
        return {path: safe.get(inode) for path, inode in names.items()}


@contextmanager
def recording(root: Path) -> Iterator[Recording]:
    """Record what is written below a folder while the context is open."""
    found = Recording(root)
    for path in root.rglob("*"):
        if path.is_file():
            found.names[str(path)] = path.stat().st_ino
            found.safe[path.stat().st_ino] = path.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        _Watch(found).install(patch)
        yield found


class _Watch:
    def __init__(self, record: Recording) -> None:
        self.record = record
        self.seen = set(record.safe)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        for name in ("replace", "rename", "unlink", "remove", "fsync", "sync"):
            patch.setattr(os, name, getattr(self, f"on_{name}")(getattr(os, name)))

    def note(self, *ops: Op) -> None:
        mine = str(self.record.root)
        self.record.ops += [op for op in ops if op.path.startswith(mine) or op.path == "*"]

    def on_replace(self, real: Any) -> Any:
        def replace(old: Any, new: Any, **folders: Any) -> None:
            source = _full(old, folders.get("src_dir_fd"))
            target = _full(new, folders.get("dst_dir_fd"))
            inode = os.lstat(source).st_ino
            self.created(source, inode)
            self.note(Op("rename", source, target, inode))
            real(old, new, **folders)

        return replace

    on_rename = on_replace

    def on_unlink(self, real: Any) -> Any:
        def unlink(path: Any, **folders: Any) -> None:
            if os.path.lexists(_full(path, folders.get("dir_fd"))):
                self.note(Op("unlink", _full(path, folders.get("dir_fd"))))
            real(path, **folders)

        return unlink

    on_remove = on_unlink

    def on_fsync(self, real: Any) -> Any:
        def fsync(descriptor: int) -> None:
            path = str(Path(f"/proc/self/fd/{descriptor}").readlink())
            if os.path.isdir(path):  # noqa: PTH112
                self.note(Op("names", path))
            else:
                inode = os.fstat(descriptor).st_ino
                self.created(path, inode)
                self.note(Op("data", path, inode=inode, data=Path(path).read_bytes()))
            real(descriptor)

        return fsync

    def on_sync(self, real: Any) -> Any:
        def sync() -> None:
            for path in sorted(self.record.root.rglob("*")):
                if path.is_file():
                    inode = path.stat().st_ino
                    self.created(str(path), inode)
                    self.note(Op("data", str(path), inode=inode, data=path.read_bytes()))
            self.note(Op("names", "*"))

        return sync

    def created(self, path: str, inode: int) -> None:
        """Note the name of a new file when it is first heard of."""
        if inode not in self.seen:
            self.seen.add(inode)
            self.note(Op("create", path, inode=inode))


def _full(path: Any, folder: int | None) -> str:
    text = os.fspath(path)
    if folder is not None:
        text = f"{Path(f'/proc/self/fd/{folder}').readlink()}/{text}"
    return os.path.abspath(text)  # noqa: PTH100


def lay_out(state: Disk, root: Path, place: Path) -> None:
    """Write what a disk holds into another folder; a file without safe bytes is empty."""
    for path, data in state.items():
        target = place / Path(path).relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data or b"")
