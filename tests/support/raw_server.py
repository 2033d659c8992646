"""A server whose answers are bytes that a test writes itself, right or wrong.

with RawServer(lambda request: answer(200, {}, b"{}")) as server:
    ...  # a client of http://{server.address}
"""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One request, as it came."""

    verb: str
    path: str
    headers: Mapping[str, str]
    body: bytes


# Gives the bytes to send back, or several pieces of them, possibly without end. An empty piece
# closes the connection.
Respond = Callable[[Request], bytes | Iterable[bytes]]


def answer(status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """Return an honest answer of this status."""
    lines = [f"HTTP/1.1 {status} .", *(f"{key}: {value}" for key, value in (headers or {}).items())]
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode("latin-1") + body


class RawServer:
    """A server on a free port of this machine, as a context manager; it keeps every request."""

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.seen: list[Request] = []
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    @property
    def address(self) -> str:
        """Return `host:port`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> RawServer:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop, and end the connections that are still written to."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in self._server.open_connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.open_connections: list[socket.socket] = []


def _handler(owner: RawServer) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            owner._server.open_connections.append(self.connection)
            with contextlib.suppress(OSError):
                while (request := _read(self.rfile)) is not None:
                    owner.seen.append(request)
                    for piece in _pieces(owner.respond(request)):
                        if not piece:
                            return
                        self.connection.sendall(piece)

    return Handler


def _pieces(found: bytes | Iterable[bytes]) -> Iterator[bytes]:
    yield from [found] if isinstance(found, bytes) else found


def _read(stream: Any) -> Request | None:
    first = stream.readline().decode("latin-1").split()
    if len(first) != 3:
        return None
    headers: dict[str, str] = {}
    while line := stream.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Request(first[0], first[1], headers, body)
