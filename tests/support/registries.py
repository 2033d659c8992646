"""Where the real registries of the tests are: given by address, or started, or not to be had."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from modelops_bundle.oci.auth import GivenCredential
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential
from support.testbed import data_folder, start_part

Flavour = Literal["plain", "auth", "tls"]
FLAVOURS: tuple[Flavour, ...] = ("plain", "auth", "tls")
LOGIN = ("mops", "s3cret")


@dataclass(frozen=True, slots=True)
class RealRegistry:
    """A running registry; `login` and `ca_file` where it asks for them."""

    flavour: Flavour
    address: str
    login: tuple[str, str] | None = None
    ca_file: Path | None = None

    def store(self, repository: str | None = None, **options: object) -> RemoteStore:
        """Return a store for a repository that nobody else uses."""
        name = repository or f"tests/{secrets.token_hex(6)}"
        sources = [GivenCredential(Credential(*self.login))] if self.login else []
        settings = {"sources": sources, "ca_file": self.ca_file, **options}
        return RemoteStore(self.address, name, **settings)  # type: ignore[arg-type]


@cache
def find_registry(flavour: Flavour) -> RealRegistry:
    """Return a running registry; skip the test where there is none to be had.

    `MODELOPS_TEST_REGISTRY` gives the address of a plain one. The others, and that one when it is
    not given, are started through the testbed's script.
    """
    given = os.environ.get("MODELOPS_TEST_REGISTRY")
    if given and flavour == "plain":
        return RealRegistry("plain", given)
    address = start_part("registry", flavour, timeout=120).split()[-2]
    login = None if flavour == "plain" else LOGIN
    ca_file = data_folder() / "registry" / "ca.crt" if flavour == "tls" else None
    return RealRegistry(flavour, address, login, ca_file)
