"""Blobs that are no layers: objects in a storage account or a folder, read through obstore."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, BinaryIO

from modelops_contracts.errors import AccessDenied, InvalidInput, NotFound, Unavailable

_ADDRESS = re.compile(r"(azure|az|s3|gs|file)://([^/?#]*)/([^?#]+)")
_CHUNK = 1024 * 1024
_TRIES = 3
#: Else the library tries for three minutes, and says nothing meanwhile.
_RETRY: Any = {"max_retries": _TRIES - 1, "retry_timeout": timedelta(seconds=60)}
# Where the library asks for the identity of the machine when nothing else is known.
_MACHINE = re.compile(r"169\.254\.169\.254|metadata\.google\.internal")
_DENIED = frozenset({"UnauthenticatedError", "PermissionDeniedError"})
#: The account and key that every emulator of Azure's storage has; they are public.
_EMULATOR = "UseDevelopmentStorage=true"


def is_known_address(address: str) -> bool:
    """True for `azure://container/key`, `s3://…`, `gs://…` and `file:///path`."""
    found = _ADDRESS.fullmatch(address)
    return found is not None and ".." not in found.group(3).split("/")


@dataclass(frozen=True, slots=True)
class StorageLogin:
    """How to reach a storage account; what is missing, the library's own variables may give.

    `connection` is a connection string of Azure.
    """

    connection: str | None = field(default=None, repr=False)
    endpoint: str | None = None
    access_key: str | None = field(default=None, repr=False)
    secret_key: str | None = field(default=None, repr=False)


class ExternalBlobs:
    """Where blobs of bundles are that were seen, by digest, and a way to read them."""

    def __init__(self, login: StorageLogin | None = None) -> None:
        self._login = login or StorageLogin()
        self._addresses: dict[str, str] = {}

    def note(self, addresses: Mapping[str, str]) -> None:
        """Remember where blobs are: address by digest."""
        self._addresses.update(addresses)

    def __contains__(self, digest: str) -> bool:
        return digest in self._addresses

    def size(self, digest: str) -> int | None:
        """Return the size of a blob, None when it is not there."""
        import obstore

        store, key = self._opened(self._addresses[digest])
        try:
            return int(obstore.head(store, key)["size"])
        except _failures() as error:
            found = _translated(self._addresses[digest], error)
            if isinstance(found, NotFound):
                return None
            raise found from error

    def open(self, digest: str, offset: int = 0) -> BinaryIO:
        """Return the bytes of a blob from an offset on; the caller verifies them.

        Raises `NotFound`, `AccessDenied` and `Unavailable`.
        """
        import obstore

        address = self._addresses[digest]
        store, key = self._opened(address)

        def begin(start: int) -> Iterator[Any]:
            options: Any = {"range": {"offset": start}} if start else None
            try:
                answer = obstore.get(store, key, options=options)
            except _failures() as error:
                raise _translated(address, error) from error
            return iter(answer.stream(min_chunk_size=_CHUNK))

        return io.BufferedReader(_Pieces(address, begin, offset))

    def _opened(self, address: str) -> tuple[Any, str]:
        found = _ADDRESS.fullmatch(address)
        assert found is not None, address
        scheme, container, key = found.groups()
        if scheme in {"azure", "az"}:
            return _open_azure(container, self._login), key
        if scheme == "file":
            from obstore.store import LocalStore

            return LocalStore(), key
        return _open_bucket(scheme, container, self._login), key


class _Pieces(io.RawIOBase):
    """A stream of an object's pieces; what breaks is taken up again where it broke.

    The library gives every request half a minute, however large the object is.
    """

    def __init__(self, address: str, begin: Callable[[int], Iterator[Any]], offset: int) -> None:
        super().__init__()
        self._address = address
        self._begin = begin
        self._offset = offset
        self._failures = 0
        self._pieces = begin(offset)
        self._left = b""

    def readable(self) -> bool:
        """True: this is a stream to read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read into a buffer."""
        while not self._left:
            try:
                self._left = bytes(next(self._pieces))
            except StopIteration:
                return 0
            except _failures() as error:
                self._failures += 1
                if self._failures == _TRIES:
                    raise _translated(self._address, error) from error
                self._pieces = self._begin(self._offset)
                continue
            self._offset += len(self._left)
            self._failures = 0
        data, self._left = self._left[: len(buffer)], self._left[len(buffer) :]
        buffer[: len(data)] = data
        return len(data)


def _open_azure(container: str, login: StorageLogin) -> Any:
    from obstore.store import AzureStore

    given = _read_connection(login.connection or "")
    config: Any = {"use_emulator": True}
    if login.connection == _EMULATOR:
        return AzureStore(container, config=config, client_options=_PLAIN, retry_config=_RETRY)
    pairs = {
        "account_name": given.get("AccountName") or login.access_key,
        "account_key": given.get("AccountKey") or login.secret_key,
        "sas_key": given.get("SharedAccessSignature"),
        "endpoint": given.get("BlobEndpoint") or login.endpoint,
    }  # fmt: skip
    config = {key: value for key, value in pairs.items() if value}
    plain = str(config.get("endpoint", "")).startswith("http://")
    options = _PLAIN if plain else None
    return AzureStore(container, config=config, client_options=options, retry_config=_RETRY)


def _open_bucket(scheme: str, bucket: str, login: StorageLogin) -> Any:
    from obstore.store import GCSStore, S3Store

    if scheme == "gs":
        return GCSStore(bucket, retry_config=_RETRY)
    pairs = {
        "endpoint": login.endpoint, "access_key_id": login.access_key,
        "secret_access_key": login.secret_key,
    }  # fmt: skip
    config: Any = {key: value for key, value in pairs.items() if value}
    plain = str(login.endpoint or "").startswith("http://")
    options = _PLAIN if plain else None
    return S3Store(bucket, config=config, client_options=options, retry_config=_RETRY)


_PLAIN: Any = {"allow_http": True}


def _failures() -> tuple[type[Exception], ...]:
    from obstore.exceptions import BaseError

    return (BaseError, OSError, ValueError)


def _read_connection(text: str) -> dict[str, str]:
    parts = (part.partition("=") for part in text.split(";") if "=" in part)
    return {name.strip(): value.strip() for name, _, value in parts}


def _translated(address: str, error: Exception) -> Exception:
    """Return what a library's error means; its text may hold a signed URL and is not repeated."""
    name = type(error).__name__
    if isinstance(error, FileNotFoundError) or name == "NotFoundError":
        return NotFound(f"{address} not found", code="external_missing")
    if isinstance(error, PermissionError) or name in _DENIED:
        return AccessDenied(
            f"{address}: no access ({name})", code="external_denied",
            hint="storage of the environment file, or the variables of the storage's own tools",
        )  # fmt: skip
    if _MACHINE.search(str(error)):
        return AccessDenied(
            f"{address}: no login for the storage is known", code="external_denied",
            hint="storage of the environment file, or the variables of the storage's own tools",
        )  # fmt: skip
    if isinstance(error, ValueError):
        return InvalidInput(f"{address}: the storage settings are not usable ({name})")
    return Unavailable(
        f"{address} cannot be read ({name})", code="external_unavailable",
        hint="check the network and the storage settings of the environment, then try again",
    )  # fmt: skip
