"""The emulator of Azure's storage that the tests talk to: given by address, or started."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

from support.testbed import start_part

# The emulator's account and key are the same everywhere, and printed in its documentation.
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True, slots=True)
class Azurite:
    """A running emulator at `host:port`."""

    address: str

    @property
    def connections(self) -> list[str]:
        """Connection strings; the last one names key and endpoint."""
        full = (
            f"DefaultEndpointsProtocol=http;AccountName={_ACCOUNT};AccountKey={_KEY};"
            f"BlobEndpoint=http://{self.address}/{_ACCOUNT};"
        )
        short = ["UseDevelopmentStorage=true"] if self.address == "127.0.0.1:10000" else []
        return [*short, full]

    def make_container(self) -> str:
        """Make a container that nobody else uses; return its name."""
        name = f"tests-{secrets.token_hex(6)}"
        _request(self.address, name, "restype=container", b"")
        return name

    def put(self, container: str, key: str, data: bytes) -> None:
        """Store an object."""
        import obstore

        obstore.put(self._store(container), key, data)

    def _store(self, container: str) -> Any:
        from obstore.store import AzureStore

        config: Any = {
            "account_name": _ACCOUNT, "account_key": _KEY,
            "endpoint": f"http://{self.address}/{_ACCOUNT}",
        }  # fmt: skip
        return AzureStore(container, config=config, client_options={"allow_http": True})


@cache
def find_azurite() -> Azurite:
    """Return a running emulator; skip the test where there is none to be had.

    `MODELOPS_TEST_AZURITE` gives its address, else it is started through the testbed's script.
    """
    given = os.environ.get("MODELOPS_TEST_AZURITE")
    if given:
        return Azurite(given.removeprefix("http://").partition("/")[0])
    start_part("azurite", timeout=280)
    return Azurite("127.0.0.1:10000")


def _request(address: str, container: str, query: str, body: bytes) -> None:
    """Send a request that the storage library has no function for: it makes no containers."""
    import base64
    import hashlib
    import hmac
    import http.client
    from email.utils import formatdate

    moment = formatdate(usegmt=True)
    resource = f"/{_ACCOUNT}/{_ACCOUNT}/{container}\nrestype:container"
    signed = f"PUT\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:{moment}\nx-ms-version:2021-08-06\n{resource}"
    mac = hmac.new(base64.b64decode(_KEY), signed.encode(), hashlib.sha256).digest()
    there = http.client.HTTPConnection(address, timeout=10)
    there.request(
        "PUT", f"/{_ACCOUNT}/{container}?{query}", body=body or None,
        headers={
            "x-ms-date": moment, "x-ms-version": "2021-08-06", "Content-Length": "0",
            "Authorization": f"SharedKey {_ACCOUNT}:{base64.b64encode(mac).decode()}",
        },
    )  # fmt: skip
    answer = there.getresponse()
    assert answer.status == 201, answer.read()
    there.close()
