"""Where the real registries of the tests are: given by address, or started, or not to be had."""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from pwd import getpwuid
from typing import Literal

import pytest

from modelops_bundle.oci.auth import GivenCredential
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential

Flavour = Literal["plain", "auth", "tls"]
FLAVOURS: tuple[Flavour, ...] = ("plain", "auth", "tls")
LOGIN = ("mops", "s3cret")
# Read when the module is: the tests run without the variables of the shell.
TESTBED = os.environ.get("MODELOPS_TESTBED")
ROOT = Path(__file__).resolve().parents[2]


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
    folder = Path(TESTBED or ROOT.parent / "shared" / "testbed")
    script = folder / "testbed"
    if not script.exists():
        _go_without(f"no registry ({flavour}): MODELOPS_TEST_REGISTRY is not set and there is no "
                    f"{script}")  # fmt: skip
    data = testbed_data()
    done = subprocess.run(
        [script, "registry", flavour], capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "MOPS_TESTBED": str(data)},
    )  # fmt: skip
    if done.returncode != 0:
        _go_without(f"the registry ({flavour}) did not start: {done.stderr.strip()[-300:]}")
    address = done.stdout.split()[-2]
    login = None if flavour == "plain" else LOGIN
    ca_file = data / "registry" / "ca.crt" if flavour == "tls" else None
    return RealRegistry(flavour, address, login, ca_file)


def testbed_data() -> Path:
    """Return where the testbed keeps its data: below the real home, not that of a test."""
    given = os.environ.get("MOPS_TESTBED")
    return Path(given) if given else Path(getpwuid(os.getuid()).pw_dir) / ".cache" / "mops-testbed"


def _go_without(reason: str) -> None:
    if os.environ.get("MODELOPS_REQUIRE_SERVICES") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
