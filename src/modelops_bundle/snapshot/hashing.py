"""Sha256 beside other work: OpenSSL lets other threads run while it digests a block.

Two digests of one stream, or a digest of what is being sent, cost hardly more time than one of
them where there is a second processor.
"""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Iterator
from types import TracebackType
from typing import BinaryIO

# At most three blocks of a stream exist at a time: one read, one waiting, one being hashed.
BLOCK = 512 * 1024
_WORTH_A_THREAD = 1024 * 1024


class Sha256:
    """A sha256 that takes its blocks and lets the caller go on.

    `size` is how many bytes are to be expected; few are hashed at once, without a thread. As a
    context manager it ends its thread also when the stream is given up. One thread uses it.
    """

    def __init__(self, size: int, start: bytes = b"") -> None:
        self._hash = hashlib.sha256(start)
        self._aside = size >= _WORTH_A_THREAD
        self._blocks: queue.Queue[bytes | None] = queue.Queue(maxsize=1)
        self._thread: threading.Thread | None = None

    def update(self, block: bytes) -> None:
        """Add a block, which must not change any more."""
        if not self._aside:
            self._hash.update(block)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="sha256")
            self._thread.start()
        self._blocks.put(block)

    def hexdigest(self) -> str:
        """Return the digest of all blocks so far as 64 hex characters."""
        self._join()
        return self._hash.hexdigest()

    def __enter__(self) -> Sha256:
        """Nothing runs before the first block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the thread."""
        self._join()

    def _join(self) -> None:
        if self._thread is not None:
            self._blocks.put(None)
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while (block := self._blocks.get()) is not None:
            self._hash.update(block)


def read_blocks(stream: BinaryIO, size: int, block: int = BLOCK) -> Iterator[bytes]:
    """Yield up to `size` bytes of a stream, fewer when it ends before."""
    while size and (data := stream.read(min(block, size))):
        size -= len(data)
        yield data


def hash_framed(stream: BinaryIO, size: int, before: bytes, after: bytes) -> tuple[str, str, int]:
    """Return the sha256 of a stream, that of the stream between two strings, and its length.

    No more than `size` bytes are read; both digests are computed in one pass.
    """
    plain, length = hashlib.sha256(), 0
    with Sha256(size, before) as framed:
        for data in read_blocks(stream, size):
            framed.update(data)
            plain.update(data)
            length += len(data)
        framed.update(after)
        return plain.hexdigest(), framed.hexdigest(), length
