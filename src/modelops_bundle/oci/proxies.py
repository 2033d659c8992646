"""Which requests go through a proxy."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from modelops_bundle.oci.auth import is_loopback


@dataclass(frozen=True, slots=True)
class ProxySettings:
    """Addresses of proxies, as the variables HTTP_PROXY, HTTPS_PROXY and NO_PROXY give them.

    The addresses may hold a password, so no repr shows them. This machine is never reached through
    a proxy.
    """

    http: str | None = field(default=None, repr=False)
    https: str | None = field(default=None, repr=False)
    exceptions: tuple[str, ...] = ()

    def for_url(self, url: str) -> str | None:
        """Return the proxy for a request, None when it goes straight there."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        here = is_loopback(f"[{host}]" if ":" in host else host)
        if here or any(_covers(item, host, parts.port) for item in self.exceptions):
            return None
        return self.https if parts.scheme == "https" else self.http


def read_proxies(variables: Mapping[str, str]) -> ProxySettings:
    """Read the usual variables, in either case; the lower one wins, as with other programs."""

    def read(name: str) -> str | None:
        text = variables.get(name.lower()) or variables.get(name) or ""
        return (text if "://" in text else f"http://{text}") if text.strip() else None

    exceptions = variables.get("no_proxy") or variables.get("NO_PROXY") or ""
    names = tuple(item.strip().lower() for item in exceptions.split(",") if item.strip())
    return ProxySettings(read("HTTP_PROXY"), read("HTTPS_PROXY"), names)


def _covers(exception: str, host: str, port: int | None) -> bool:
    """True when an item of NO_PROXY (`*`, a name, `.name`, `name:port`, a network) is about it."""
    if exception == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(exception, strict=False)
    except ValueError:
        pass
    name, _, wanted = exception.partition(":")
    if wanted and wanted != str(port):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return host == name or host.endswith(f".{name}")
