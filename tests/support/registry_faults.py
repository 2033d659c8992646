"""A registry in memory that speaks the OCI distribution protocol, and misbehaves as scripted.

    with FaultyRegistry() as registry:
        registry.script(Fault("PATCH", status=500, skip=1))
        ...  # a client of http://{registry.address}

Without faults it does what the specification says, so that clients can be tested against it. Every
request is logged, with its headers, before faults are applied.
"""

from __future__ import annotations

import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from support.registry_protocol import Fault, Handler, Seen, Server

__all__ = ["Fault", "FaultyRegistry", "Seen"]


@dataclass(slots=True)
class _Scripted:
    fault: Fault
    seen: int = 0
    done: int = 0

    def due(self) -> bool:
        self.seen += 1
        if self.seen <= self.fault.skip:
            return False
        if self.fault.times is not None and self.done >= self.fault.times:
            return False
        self.done += 1
        return True


class FaultyRegistry:
    """A registry on a free port of this machine, as a context manager.

    `login` asks for Basic authentication; with `bearer` a token service hands out tokens that
    live `token_seconds`. `chunk_minimum` is announced and enforced, `page` limits lists of tags,
    `relative` makes the addresses of uploads relative. Without `referrers` it is like registries
    from before they were specified; without `filters` it leaves the choice of a type to the client.

    With `certificate` (its file, and that of its key) it is reached through TLS, under `name`. With
    `identity` a token of that text is exchanged for a refresh token, as Azure's registries do it.
    """

    def __init__(
        self,
        *,
        login: tuple[str, str] | None = None,
        bearer: bool = False,
        token_seconds: float = 300.0,
        chunk_minimum: int = 0,
        page: int = 1000,
        relative: bool = False,
        referrers: bool = True,
        filters: bool = True,
        name: str | None = None,
        certificate: tuple[Path, Path] | None = None,
        identity: str | None = None,
    ) -> None:
        self.login = login
        self.bearer = bearer
        self.token_seconds = token_seconds
        self.chunk_minimum = chunk_minimum
        self.page = page
        self.relative = relative
        self.referrers = referrers
        self.filters = filters
        self.name = name
        self.certificate = certificate
        self.identity = identity
        self.refresh_tokens: set[str] = set()
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.tags: dict[str, str] = {}
        self.uploads: dict[str, bytearray] = {}
        self.seen: list[Seen] = []
        self.tokens: dict[str, float] = {}
        self.tokens_given = 0
        self.lock = threading.RLock()
        self._faults: list[_Scripted] = []
        self._over = threading.Event()
        self._server: Server | None = None

    @property
    def address(self) -> str:
        """`127.0.0.1:port`."""
        assert self._server is not None, "the registry is not running"
        return f"127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        """Where clients reach it."""
        scheme = "http" if self.certificate is None else "https"
        return f"{scheme}://{self.name or self.address}"

    def script(self, *faults: Fault) -> None:
        """Replace the faults; the first that is due for a request happens."""
        with self.lock:
            self._faults = [_Scripted(fault) for fault in faults]

    def requests(self, verb: str = "", path: str = "") -> list[Seen]:
        """Return what was asked so far, in order."""
        with self.lock:
            return [
                item for item in self.seen if verb in {"", item.verb} and re.search(path, item.path)
            ]

    @contextmanager
    def counting(self) -> Iterator[list[Seen]]:
        """Collect the requests made inside the context."""
        start, found = len(self.seen), list[Seen]()
        yield found
        found += self.seen[start:]

    def __enter__(self) -> FaultyRegistry:
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.registry = self
        if self.certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self.certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._server is not None
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def due(self, verb: str, path: str, size: int) -> Fault | None:
        """Return the fault that happens to a request, if any."""
        with self.lock:
            for item in self._faults:
                if item.fault.fits(verb, path, size) and item.due():
                    return item.fault
        return None

    def wait(self, seconds: float) -> None:
        """Do nothing for a while, or until the registry is stopped."""
        self._over.wait(seconds)
