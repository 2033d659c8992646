"""Frames between the engine and its guest, over a private socket pair.

A frame is ``u32 header length, u64 payload length`` (network byte order), a JSON header in UTF-8,
and the payload as raw bytes. A payload of several tables is their concatenation; the header's
``tables`` lists name and size of each.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

__all__ = ["Channel", "ChannelClosedError", "join_tables", "split_tables"]

Header = dict[str, Any]

_PREFIX = struct.Struct("!IQ")
_READ = 1 << 18
_SMALL = 1 << 16


class ChannelClosedError(Exception):
    """The other end is gone; a frame that had begun is lost."""


class Channel:
    """One end of the conversation. Not thread-safe: one reader, one writer."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._buffer = bytearray()

    def send(self, header: Mapping[str, Any], parts: Sequence[bytes] = ()) -> None:
        """Send one frame. Raises ChannelClosedError when nobody listens any more."""
        text = json.dumps(header, separators=(",", ":")).encode("utf-8")
        size = sum(len(part) for part in parts)
        prefix = _PREFIX.pack(len(text), size)
        try:
            if size <= _SMALL:
                self._socket.sendall(b"".join((prefix, text, *parts)))
                return
            self._socket.sendall(prefix + text)
            for part in parts:
                self._socket.sendall(part)
        except (TimeoutError, BrokenPipeError, ConnectionResetError) as error:
            raise ChannelClosedError(str(error)) from error

    def receive(self, on_wait: Callable[[], None] | None = None) -> tuple[Header, bytes]:
        """The next frame.

        When the socket has a timeout, ``on_wait`` is called each time it passes without a byte;
        it ends the wait by raising. Raises ChannelClosedError at the end of the conversation.
        """
        self._fill(_PREFIX.size, on_wait)
        header_size, payload_size = _PREFIX.unpack_from(self._buffer)
        del self._buffer[: _PREFIX.size]
        self._fill(header_size, on_wait)
        header = json.loads(self._buffer[:header_size].decode("utf-8"))
        del self._buffer[:header_size]
        return header, self._take(payload_size, on_wait)

    def wait_at_most(self, seconds: float | None) -> None:
        """How long one read or one send may take; None is for ever."""
        self._socket.settimeout(seconds)

    def close(self) -> None:
        self._socket.close()

    def _fill(self, size: int, on_wait: Callable[[], None] | None) -> None:
        while len(self._buffer) < size:
            self._buffer += self._read(_READ, on_wait)

    def _take(self, size: int, on_wait: Callable[[], None] | None) -> bytes:
        if len(self._buffer) >= size:
            payload = bytes(self._buffer[:size])
            del self._buffer[:size]
            return payload
        chunks = [bytes(self._buffer)]
        missing = size - len(self._buffer)
        self._buffer.clear()
        while missing:
            chunk = self._read(min(missing, _READ), on_wait)
            chunks.append(chunk)
            missing -= len(chunk)
        return b"".join(chunks)

    def _read(self, size: int, on_wait: Callable[[], None] | None) -> bytes:
        while True:
            try:
                chunk = self._socket.recv(size)
            except socket.timeout:  # noqa: UP041  (before 3.10 another class)
                if on_wait is not None:
                    on_wait()
                continue
            except ConnectionResetError as error:
                raise ChannelClosedError(str(error)) from error
            if not chunk:
                raise ChannelClosedError("end of stream")
            return chunk


def join_tables(tables: Mapping[str, bytes]) -> tuple[list[tuple[str, int]], list[bytes]]:
    """Names and sizes for the header, and the parts of the payload, in one order."""
    names = sorted(tables)
    return [(name, len(tables[name])) for name in names], [tables[name] for name in names]


def split_tables(sizes: Iterable[Sequence[Any]], payload: bytes) -> dict[str, bytes]:
    """The inverse of :func:`join_tables`."""
    tables: dict[str, bytes] = {}
    start = 0
    for name, size in sizes:
        tables[str(name)] = payload[start : start + size]
        start += size
    return tables
