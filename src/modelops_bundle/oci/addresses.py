"""Addresses that a registry names: where to go next, taken over only when they are sound."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

from modelops_bundle.oci.auth import is_loopback


class UnsoundAddress(Exception):  # noqa: N818  (each caller says what it means)
    """An address that nothing is sent to; its text says why, and repeats no query."""


def follow_address(before: str, named: str) -> str:
    """Return the address that an answer from `before` names, which may be relative to it.

    Raises `UnsoundAddress` for one that cannot be read, holds a login, or is not encrypted:
    https, or http from an address that was http itself or to this machine.
    """
    try:
        address = urljoin(before, named)
    except ValueError:
        raise UnsoundAddress("an address that cannot be read") from None
    parts = split_address(address)
    plain_is_fine = before.startswith("http:") or is_loopback(parts.netloc)
    if parts.scheme != "https" and not (parts.scheme == "http" and plain_is_fine):
        raise UnsoundAddress(f"{parts.scheme or 'nothing'}, which is not encrypted")
    return address


def split_address(address: str) -> SplitResult:
    """Return the parts of an address that has a host; raises `UnsoundAddress`."""
    try:
        parts = urlsplit(address)
        sound = parts.port != 0 and "@" not in parts.netloc
    except ValueError:
        sound = False
    if not sound:
        raise UnsoundAddress("an address that cannot be read")
    if parts.scheme in {"http", "https"} and not parts.hostname:
        raise UnsoundAddress("an address without a host")
    return parts
