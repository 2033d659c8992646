"""A registry that costs next to nothing and a proxy that adds a round trip, each its own process.

The registry takes the bytes of every upload without looking at them. It keeps those of
repositories whose name begins with `kept`, in files, and hands them to the kernel when they are
asked for; of all others it remembers the size. Requests are counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import multiprocessing
import os
import re
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path

BLOCK = 1024 * 1024


class Registry:
    """What the connections of one registry share."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sizes: dict[tuple[str, str], int] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.uploads: dict[str, int] = {}
        self.numbers = itertools.count(1)
        self.requests = 0

    def serve(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Exchange(self, connection).run, daemon=True).start()

    def blob(self, digest: str) -> Path:
        return self.folder / digest.removeprefix("sha256:")


class Exchange:
    """One connection, request after request."""

    def __init__(self, registry: Registry, connection: socket.socket) -> None:
        self.registry = registry
        self.connection = connection
        self.stream = connection.makefile("rb", buffering=64 * 1024)
        self.block = memoryview(bytearray(BLOCK))

    def run(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while self.answer_one():
                pass
        self.connection.close()

    def answer_one(self) -> bool:
        line = self.stream.readline()
        if not line:
            return False
        verb, target, _ = line.decode().split()
        headers: dict[str, str] = {}
        while line := self.stream.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.size = int(headers.get("content-length", 0))
        self.verb, self.headers = verb, headers
        path, _, query = target.partition("?")
        self.route(path, query)
        return True

    def route(self, path: str, query: str) -> None:
        registry = self.registry
        if path == "/requests":
            self.reply(200, data=str(registry.requests).encode())
            return
        registry.requests += 1
        found = re.fullmatch(r"/v2/(.+)/(blobs|manifests|tags|referrers)/(.*)", path)
        name, kind, rest = found.groups() if found else ("", "", "")
        if kind == "tags":
            names = [tag for where, tag in registry.manifests if where == name and ":" not in tag]
            self.reply(200, json.dumps({"name": name, "tags": names}).encode())
        elif kind not in {"manifests", "blobs"}:
            self.reply(404)
        elif kind == "manifests":
            self.manifest(name, rest)
        elif not rest.startswith("uploads/"):
            self.blob(name, rest)
        elif rest == "uploads/":
            number = str(next(registry.numbers))
            registry.uploads[number] = 0
            self.reply(202, Location=f"/v2/{name}/blobs/uploads/{number}?x=1", Range="0-0")
        else:
            self.upload(name, rest.removeprefix("uploads/"), query)

    def upload(self, name: str, number: str, query: str) -> None:
        registry = self.registry
        part = registry.folder / f"upload-{number}"
        self.take(part if name.startswith("kept") else None)
        have = registry.uploads[number] = registry.uploads.get(number, 0) + self.size
        if self.verb != "PUT":
            place = f"/v2/{name}/blobs/uploads/{number}?x=1"
            self.reply(202, Location=place, Range=f"0-{max(0, have - 1)}")
            return
        digest = re.search("digest=(sha256(?::|%3A)[0-9a-f]+)", query).group(1).replace("%3A", ":")
        registry.sizes[name, digest] = have
        if name.startswith("kept"):
            part.touch()
            part.rename(registry.blob(digest))
        self.reply(201, Location=f"/v2/{name}/blobs/{digest}")

    def take(self, target: Path | None) -> None:
        """Read the body, into a file or away."""
        left = self.size
        with contextlib.ExitStack() as stack:
            stream = stack.enter_context(target.open("ab", buffering=0)) if target else None
            while left:
                count = self.stream.readinto1(self.block[: min(left, BLOCK)])
                if not count:
                    raise ConnectionResetError
                if stream is not None:
                    stream.write(self.block[:count])
                left -= count

    def blob(self, name: str, digest: str) -> None:
        size = self.registry.sizes.get((name, digest))
        if size is None:
            self.reply(404)
        elif self.verb == "HEAD":
            self.reply(200, length=size)
        else:
            found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
            start = int(found.group(1)) if found else 0
            extra = {"Content-Range": f"bytes {start}-{size - 1}/{size}"} if found else {}
            self.reply(206 if found else 200, length=size - start, **extra)
            with self.registry.blob(digest).open("rb") as stream:
                self.connection.sendfile(stream, start)

    def manifest(self, name: str, reference: str) -> None:
        known = self.registry.manifests
        if self.verb == "PUT":
            data = self.stream.read(self.size)
            digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
            known[name, reference] = known[name, digest] = data
            self.reply(201, **{"Docker-Content-Digest": digest})
            return
        found = known.get((name, reference))
        if found is None:
            self.reply(404)
            return
        digest = f"sha256:{hashlib.sha256(found).hexdigest()}"
        headers = {
            "Docker-Content-Digest": digest,
            "Content-Type": "application/vnd.oci.image.manifest.v1+json",
        }
        self.reply(200, found, **headers)

    def reply(
        self, status: int, data: bytes = b"", length: int | None = None, **headers: str
    ) -> None:
        lines = [
            f"HTTP/1.1 {status} x",
            f"Content-Length: {len(data) if length is None else length}",
        ]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        body = b"" if self.verb == "HEAD" else data
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def _run_registry(pipe: Connection, folder: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    pipe.send(listener.getsockname()[1])
    threading.Thread(target=Registry(Path(folder)).serve, args=(listener,), daemon=True).start()
    with contextlib.suppress(EOFError):
        pipe.recv()
    os._exit(0)


def _run_proxy(pipe: Connection, port: int, seconds: float) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        now = asyncio.get_running_loop().time

        async def deliver() -> None:
            data = b"x"
            while data:
                due, data = await waiting.get()
                await asyncio.sleep(max(0.0, due - now()))
                writer.write(data)
                await writer.drain()
            writer.close()

        task = asyncio.create_task(deliver())
        data = b"x"
        while data:
            data = await reader.read(256 * 1024)
            waiting.put_nowait((now() + seconds / 2, data))
        await task

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        with contextlib.suppress(OSError):
            await asyncio.gather(pump(reader, back), pump(there, writer))

    async def main() -> None:
        server = await asyncio.start_server(meet, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    def end_with_parent() -> None:
        with contextlib.suppress(EOFError):
            pipe.recv()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    asyncio.run(main())


@contextlib.contextmanager
def running(work: Callable[..., None], *arguments: object) -> Iterator[str]:
    """Run a server in a process of its own; give its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=work, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        yield f"127.0.0.1:{ours.recv()}"
    finally:
        ours.close()
        process.join(5)


def running_registry(folder: Path) -> contextlib.AbstractContextManager[str]:
    """A registry that keeps blobs of repositories named `kept…` in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return running(_run_registry, str(folder))


def delayed(address: str, seconds: float) -> contextlib.AbstractContextManager[str]:
    """The same server, with every byte half of `seconds` later each way."""
    return running(_run_proxy, int(address.rpartition(":")[2]), seconds)


def count_requests(address: str) -> int:
    """How many requests the registry has had."""
    with urllib.request.urlopen(f"http://{address}/requests") as answer:
        return int(json.load(answer))
