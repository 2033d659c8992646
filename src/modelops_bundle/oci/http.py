"""Requests to one registry: logins, redirects, waits, and an end to patience."""

from __future__ import annotations

import http.client
import random
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import (
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    SSLError,
)

from modelops_bundle.oci.addresses import UnsoundAddress, follow_address, split_address
from modelops_bundle.oci.answers import (
    Answer,
    Broken,
    cause_of,
    explain_refusal,
    final_error,
    json_of,
)
from modelops_bundle.oci.auth import Authenticator, CredentialSource, is_loopback
from modelops_bundle.oci.connections import BLOCK, Connections, read_most
from modelops_bundle.oci.deadline import within
from modelops_bundle.oci.docker_hub import serving_host
from modelops_bundle.oci.proxies import ProxySettings
from modelops_contracts.errors import (
    AccessDenied,
    IntegrityError,
    Interrupted,
    InvalidInput,
    Unavailable,
)

_LARGEST_ANSWER = 8 * 1024 * 1024
_LARGEST_TOKEN = 1024 * 1024
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_CLOUDS = (".azurecr.io", ".amazonaws.com", ".pkg.dev", "gcr.io", "ghcr.io", "docker.io")


_UNTRUSTED = (
    "registry.ca_file of the environment, or MODELOPS_CA_BUNDLE, names the certificate to trust; "
    "for another name or date ask who runs the registry"
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for what, in seconds."""

    first_answer: float = 4.0  # leaves a second of the promised 5 to the start of the program
    connect: float = 2.0
    read: float = 30.0
    tries: int = 4
    first_wait: float = 0.5
    longest_wait: float = 4.0
    longest_asked_wait: float = 30.0
    stalled: float = 60.0


@dataclass(frozen=True, slots=True)
class Body:
    """What a request sends: `open` gives its `size` bytes from the start, each time anew."""

    open: Callable[[], Iterable[bytes]]
    size: int


def _tell_nobody(text: str) -> None:
    """Drop a message."""


class RegistryHttp:
    """One registry as seen by one command. All threads share it.

    `plain_http` None means http on this machine and https everywhere else. Until the registry has
    answered for the first time everything together takes no longer than `patience.first_answer`.
    `tell` gets a line for every wait above a second. `ca_file` says how to know this registry: it
    is reached through TLS then; `also_trust` is for all of them.
    """

    def __init__(
        self,
        host: str,
        *,
        plain_http: bool | None = None,
        ca_file: Path | None = None,
        also_trust: Path | None = None,
        proxies: ProxySettings | None = None,
        sources: Sequence[CredentialSource] = (),
        login_required: bool = False,
        parallel: int = 8,
        patience: Patience | None = None,
        tell: Callable[[str], None] = _tell_nobody,
    ) -> None:
        self.host = host
        self.patience = patience or Patience()
        self.stopped = threading.Event()
        self.tell = tell
        if plain_http and host.partition(":")[0].lower().endswith(_CLOUDS):
            raise InvalidInput(f"plain_http: {host} is reached through https only")
        self._plain = is_loopback(host) and ca_file is None if plain_http is None else plain_http
        self.base = f"{'http' if self._plain else 'https'}://{serving_host(host)}"
        try:
            split_address(self.base)
        except UnsoundAddress as error:
            raise InvalidInput(f"the registry {host}: {error}", code="registry_host") from None
        trusted = tuple(path for path in (ca_file, also_trust) if path is not None)
        self._pool = Connections(parallel=parallel, ca_files=trusted, proxies=proxies)
        encrypted = not self._plain or is_loopback(host)
        self._login = Authenticator(
            host, sources, self._ask_token_service, encrypted=encrypted, required=login_required
        )
        self._answered = False
        self._deadline: float | None = None
        self._progress = time.monotonic()

    def request(
        self,
        verb: str,
        url: str,
        what: str,
        *,
        expect: Collection[int],
        action: str = "pull",
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        tries: int | None = None,
        stream: bool = False,
    ) -> Answer:
        """Send one request, repeating it where that may help; `what` names it in messages.

        An answer outside `expect` is raised as the error it means: `NotFound`, `AccessDenied`,
        `Unavailable`, `Conflict`, `IntegrityError` or `InvalidInput`. With `tries=1` a request
        that got lost raises `Broken` at once.
        """
        failures, renewed = 0, False
        while True:
            authorization = self._login.header(action)
            try:
                answer = self._send(verb, url, headers or {}, body, authorization, stream, what)
            except Broken as error:
                failures += 1
                self.pause(failures, error, tries=tries)
                continue
            if answer.status in expect:
                self._answered = True
                return answer
            if answer.status == 401 and not renewed and self._is_ours(answer.url):
                self._answered = renewed = True
                offer = answer.headers.get("WWW-Authenticate", "")
                self._login.answer(offer, action, refused=authorization)
                continue
            refusal = explain_refusal(self.host, answer, verb, what, conceal=self._login.conceal)
            if not isinstance(refusal, Broken):
                raise refusal
            failures += 1
            self.pause(failures, refusal, tries=tries)

    def pause(self, failures: int, error: Broken, *, tries: int | None = None) -> None:
        """Wait before the next try, or raise `error` when there is none."""
        patience = self.patience
        if failures >= (tries or patience.tries):
            raise error
        wait = min(patience.longest_wait, patience.first_wait * 2 ** (failures - 1))
        wait *= random.uniform(0.8, 1.2)  # noqa: S311  (spreads load, guards nothing)
        if error.wait is not None:
            if error.wait > patience.longest_asked_wait:
                raise error
            wait = error.wait
        now = time.monotonic()
        if not self._answered and self._deadline is not None and now + wait >= self._deadline:
            raise error
        if now - self._progress > patience.stalled:
            raise error
        if wait > 1.0:
            self.tell(f"{error.message}; next try in {wait:.0f} s")
        if self.stopped.wait(wait):
            raise Interrupted("stopped")

    def moved(self) -> None:
        """Note that bytes are moving."""
        self._progress = time.monotonic()
        if self.stopped.is_set():
            raise Interrupted("stopped")

    def broken(self, what: str, cause: object) -> Broken:
        """Return the error of a request that got lost."""
        return Broken(
            f"{self.host}: {what}: {cause}",
            hint="check the network and the address of the registry, then try again",
            code="registry_unavailable",
        )

    def follow(self, before: str, named: str, what: str) -> str:
        """Return the address that an answer from `before` names; `Unavailable` if it is unsound."""
        try:
            return follow_address(before, named)
        except UnsoundAddress as error:
            raise final_error(self.broken(what, f"redirected to {error}")) from None

    def close(self) -> None:
        """Give up all connections."""
        self._pool.clear()

    def _timeout(self, what: str) -> urllib3.Timeout:
        patience = self.patience
        if self._answered:
            return urllib3.Timeout(connect=patience.connect, read=patience.read)
        now = time.monotonic()
        if self._deadline is None:
            self._deadline = now + patience.first_answer
            if self._pool.proxy_for(self.base) is None:  # else the proxy knows the name
                self._look_up(what)
        left = max(0.05, self._deadline - time.monotonic())
        return urllib3.Timeout(connect=min(patience.connect, left), read=min(patience.read, left))

    def _look_up(self, what: str) -> None:
        """Find out whether the name is known; the system's own search has no time limit."""
        parts = urlsplit(self.base)
        search = partial(socket.getaddrinfo, parts.hostname, parts.port or 443)
        try:
            within(self.patience.first_answer, search, "look up registry")
        except TimeoutError:
            cause = "the name service does not answer"
            raise final_error(self.broken(what, cause)) from None
        except OSError as error:
            raise final_error(self.broken(what, error)) from None

    def _send(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None,
        authorization: str | None,
        stream: bool,
        what: str,
    ) -> Answer:
        url = urljoin(self.base, url)
        for _ in range(6):
            answer = self._send_once(verb, url, headers, body, authorization, stream, what)
            target = answer.headers.get("Location")
            if answer.status not in _REDIRECTS or verb not in {"GET", "HEAD"} or not target:
                return answer
            answer.raw.release_conn()
            url = self.follow(url, target, what)
        raise final_error(self.broken(what, "too many redirects"))

    def _send_once(
        self,
        verb: str,
        url: str,
        headers: Mapping[str, str],
        body: Body | None,
        authorization: str | None,
        stream: bool,
        what: str,
    ) -> Answer:
        if self.stopped.is_set():
            raise Interrupted("stopped")
        sent = {"Accept-Encoding": "identity", "User-Agent": "modelops", **headers}
        if authorization is not None and self._is_ours(url):
            sent["Authorization"] = authorization
        if body is not None:
            sent["Content-Length"] = str(body.size)
        timeout = self._timeout(what)
        try:
            answer = self._in_time(partial(self._exchange, verb, url, sent, body, timeout, stream))
        except (HTTPError, http.client.HTTPException, OSError) as error:
            raise self._lost(what, error) from error
        self._progress = time.monotonic()
        if len(answer.data) > _LARGEST_ANSWER and answer.status < 300:
            raise IntegrityError(f"{self.host}: {what}: the answer is longer than any honest one")
        return answer

    def _in_time(self, exchange: Callable[[], Answer]) -> Answer:
        """Hold the first answer to its time: byte by byte it passes all other limits."""
        if self._answered or self._deadline is None:
            return exchange()
        return within(self._deadline - time.monotonic(), exchange, "first answer")

    def _exchange(
        self, verb: str, url: str, headers: Mapping[str, str], body: Body | None,
        timeout: urllib3.Timeout, stream: bool,
    ) -> Answer:  # fmt: skip
        content = _in_pieces(body, self.moved) if body is not None else None
        raw = self._pool.request(
            verb, url, headers=headers, body=content, timeout=timeout,
            preload_content=False, redirect=False,
        )  # fmt: skip
        data = b""
        if not (stream and raw.status < 300):
            data = read_most(raw, 0 if verb == "HEAD" else _LARGEST_ANSWER)
        return Answer(raw.status, raw.headers, data, raw, url)

    def _is_ours(self, url: str) -> bool:
        ours, theirs = urlsplit(self.base), urlsplit(url)
        return (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)

    def _lost(self, what: str, error: Exception) -> Unavailable:
        cause = cause_of(error)
        found = self.broken(what, cause)
        if isinstance(error, SSLError) and "CERTIFICATE_VERIFY_FAILED" in cause:
            found.hint = _UNTRUSTED
        hopeless = isinstance(error, SSLError | NameResolutionError) or (
            isinstance(error, NewConnectionError) and not self._answered
        )
        return final_error(found) if hopeless else found

    def _ask_token_service(
        self, verb: str, url: str, headers: Mapping[str, str], form: str | None
    ) -> Mapping[str, object]:
        try:
            what = f"token from {split_address(url).netloc}"
        except UnsoundAddress as error:
            raise final_error(self.broken("token service", error)) from None
        failures = 0
        while True:
            try:
                raw = self._pool.request(
                    verb, url, headers={"User-Agent": "modelops", **headers}, body=form,
                    timeout=urllib3.Timeout(connect=self.patience.connect, read=self.patience.read),
                    redirect=False, preload_content=False,
                )  # fmt: skip
                data = read_most(raw, _LARGEST_TOKEN)
            except (HTTPError, http.client.HTTPException, OSError) as error:
                failures += 1
                self.pause(failures, self.broken(what, cause_of(error)))
                continue
            if raw.status == 200:
                return json_of(data)
            refusal = explain_refusal(
                self.host,
                Answer(raw.status, raw.headers, data, raw, url),
                verb,
                what,
                conceal=self._login.conceal,
            )
            if isinstance(refusal, InvalidInput):
                refusal = AccessDenied(refusal.message, code="registry_login")
            if not isinstance(refusal, Broken):
                raise refusal
            failures += 1
            self.pause(failures, refusal)


def _in_pieces(body: Body, moved: Callable[[], None]) -> Iterator[memoryview]:
    """Yield pieces small enough that each goes out within the time limit of one write."""
    for block in body.open():
        for start in range(0, len(block), BLOCK):
            yield memoryview(block)[start : start + BLOCK]
            moved()
