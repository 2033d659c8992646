"""A small HTTP proxy on this machine: forwards, tunnels, and writes down what it saw."""

from __future__ import annotations

import base64
import http.client
import select
import socket
import socketserver
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit


class SmallProxy:
    """A proxy as a context manager.

    `names` says where a host (`name:port`) really is; `login` is asked for when given.
    """

    def __init__(self, names: Mapping[str, str], *, login: tuple[str, str] | None = None) -> None:
        self.names = dict(names)
        self.login = login
        self.seen: list[str] = []
        self._server: Any = None

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> SmallProxy:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:  # fmt: skip
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    proxy: SmallProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that was cut is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Requests are kept in the proxy instead."""

    def do_CONNECT(self) -> None:
        if not self._is_welcome():
            return
        host, _, port = self._really(self.path).rpartition(":")
        with socket.create_connection((host, int(port)), timeout=10) as there:
            self.send_response(200)
            self.end_headers()
            self._shovel(there)
        self.close_connection = True

    def _shovel(self, there: socket.socket) -> None:
        pair = [self.connection, there]
        while True:
            ready, _, _ = select.select(pair, [], [], 10)
            if not ready:
                return
            for one in ready:
                data = one.recv(65536)
                if not data:
                    return
                pair[1 - pair.index(one)].sendall(data)

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not self._is_welcome():
            return
        parts = urlsplit(self.path)
        there = http.client.HTTPConnection(self._really(parts.netloc), timeout=10)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        headers = {key: value for key, value in self.headers.items() if "proxy" not in key.lower()}
        there.request(self.command, path, body=body, headers=headers)
        answer = there.getresponse()
        data = answer.read()
        self.send_response(answer.status)
        for key, value in answer.getheaders():
            if key.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(key, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
        self.send_header("Content-Length", length or "0")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)
        there.close()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_GET  # noqa: N815

    def _really(self, name: str) -> str:
        return self.server.proxy.names.get(name, name)

    def _is_welcome(self) -> bool:
        proxy = self.server.proxy
        proxy.seen.append(f"{self.command} {self.path}")
        if proxy.login is None:
            return True
        wanted = base64.b64encode(":".join(proxy.login).encode()).decode()
        if self.headers.get("Proxy-Authorization") == f"Basic {wanted}":
            return True
        self.send_response(407)
        self.send_header("Proxy-Authenticate", 'Basic realm="proxy"')
        self.send_header("Content-Length", "0")
        self.end_headers()
        return False
