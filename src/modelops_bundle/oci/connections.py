"""Connections to registries, token services and storage: certificates to trust, and proxies."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, ProxyError

from modelops_bundle.oci.answers import cause_of, json_of
from modelops_bundle.oci.auth import is_loopback
from modelops_bundle.oci.proxies import ProxySettings
from modelops_contracts.errors import AccessDenied, InvalidInput, Unavailable

BLOCK = 256 * 1024
_CONNECT_SECONDS = 2.0
_READ_SECONDS = 15.0
_LARGEST_ANSWER = 1024 * 1024


class Connections:
    """Pools of connections, one for each proxy that is in use; for all threads.

    `ca_files` hold certificates that are trusted beside those of this machine.
    """

    def __init__(
        self, *, parallel: int, ca_files: tuple[Path, ...] = (), proxies: ProxySettings | None
    ) -> None:
        self._options: dict[str, Any] = {
            "num_pools": 8, "maxsize": parallel, "retries": False, "blocksize": BLOCK,
        }  # fmt: skip
        if ca_files:
            self._options["ssl_context"] = trusting(ca_files)
        self._proxies = proxies or ProxySettings()
        self._pools: dict[str | None, urllib3.PoolManager] = {}
        self._lock = threading.Lock()

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy that requests for a URL go through."""
        return self._proxies.for_url(url)

    def request(self, verb: str, url: str, **options: Any) -> urllib3.BaseHTTPResponse:
        """Send one request, as urllib3 does; `AccessDenied` when the proxy wants another login."""
        proxy = self.proxy_for(url)
        try:
            answer = self._pool(proxy).request(verb, url, **options)
        except ProxyError as error:
            if "407" in str(error.original_error):
                raise _unwelcome(url, proxy) from None
            raise
        if proxy is not None and answer.status == 407:
            answer.close()
            raise _unwelcome(url, proxy)
        return answer

    def clear(self) -> None:
        """Give up all connections."""
        for pool in self._pools.values():
            pool.clear()

    def _pool(self, proxy: str | None) -> urllib3.PoolManager:
        with self._lock:
            if proxy not in self._pools:
                self._pools[proxy] = self._open(proxy)
            return self._pools[proxy]

    def _open(self, proxy: str | None) -> urllib3.PoolManager:
        if proxy is None:
            return urllib3.PoolManager(**self._options)
        try:
            parts = urlsplit(proxy)
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            # The value is not repeated: it may hold a password.
            raise InvalidInput(
                "the proxy of HTTP_PROXY or HTTPS_PROXY must be http://host:port", code="proxy"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        headers = None
        if parts.username is not None:
            login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            headers = urllib3.make_headers(proxy_basic_auth=login)
        address = f"{parts.scheme}://{host}" + (f":{port}" if port else "")
        return urllib3.ProxyManager(address, proxy_headers=headers, **self._options)


def _unwelcome(url: str, proxy: str | None) -> AccessDenied:
    """Return the error of a proxy that lets nobody through without a login, or with this one."""
    parts = urlsplit(proxy or "")
    where = f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname
    wrong = (
        "refuses the user name or the password (407)"
        if parts.username
        else "asks for a login (407)"
    )
    name = "HTTPS_PROXY" if url.startswith("https:") else "HTTP_PROXY"
    return AccessDenied(
        f"the proxy {where} {wrong} (407)", code="proxy",
        hint=f"{name}=http://USER:PASSWORD@{where}",
    )  # fmt: skip


def read_most(raw: urllib3.BaseHTTPResponse, most: int) -> bytes:
    """Return the body of an answer and give its connection back.

    Of a body longer than `most` bytes one byte more than that is returned; what comes after it is
    not waited for.
    """
    data = raw.read(most + 1, decode_content=False)
    if len(data) > most:
        raw.close()
    raw.release_conn()
    return data


def trusting(ca_files: tuple[Path, ...]) -> Any:
    """Return a TLS context that trusts these certificates beside those of this machine."""
    import ssl

    context = ssl.create_default_context()
    for path in ca_files:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError):
            raise InvalidInput(
                f"{path} is no readable file of certificates (PEM)",
                hint="registry.ca_file of the environment, or MODELOPS_CA_BUNDLE, names it",
                code="ca_file",
            ) from None
    return context


def post_form(connections: Connections, url: str, form: Mapping[str, str]) -> Mapping[str, object]:
    """Send a form that holds a secret; return the JSON that comes back.

    Raises `AccessDenied` when it is refused or the way there is not encrypted, `Unavailable` when
    nobody answers. No message repeats what was sent.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not is_loopback(parts.netloc):
        raise AccessDenied(f"{parts.netloc} is reached without encryption", code="plain_http_login")
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "modelops"}
    try:
        answer = connections.request(
            "POST", url, body=urlencode(form), headers=headers, redirect=False,
            timeout=urllib3.Timeout(connect=_CONNECT_SECONDS, read=_READ_SECONDS),
            preload_content=False,
        )  # fmt: skip
        data = read_most(answer, _LARGEST_ANSWER)
    except (HTTPError, OSError) as error:
        raise Unavailable(
            f"{parts.netloc}: {cause_of(error)}", code="registry_unavailable",
            hint="check the network, then try again",
        ) from error  # fmt: skip
    if answer.status >= 500:
        raise Unavailable(f"{parts.netloc} answered {answer.status}", code="registry_unavailable")
    if answer.status != 200:
        raise AccessDenied(
            f"{parts.netloc} refuses the identity ({answer.status})", code="registry_login"
        )
    return json_of(data)
