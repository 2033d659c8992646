"""Where an OCI registry is, and how to be let in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from modelops_contracts.auth import Credential

__all__ = ["Registry", "split_address"]

_ADDRESS = re.compile(
    r"((?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?)"
    r"((?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*)/?"
)


@dataclass(frozen=True, slots=True)
class Registry:
    """An OCI registry: ``host[:port]``, and what stands before the name of each repository.

    ``plain_http`` None: without encryption on this machine only. ``credentials``: ``auto``
    (variables, ``login``, then the logins of docker and podman), ``docker`` (those logins only) or
    ``none``. ``login`` comes from a file of the existing suite. With ``requires_auth`` nothing is
    asked without a login. ``ca_file`` holds certificates to know the registry by.
    """

    host: str
    prefix: str = ""
    plain_http: bool | None = None
    credentials: str = "auto"
    login: Credential | None = None
    requires_auth: bool = False
    ca_file: Path | None = None

    def __str__(self) -> str:
        return f"{self.host}/{self.prefix}" if self.prefix else self.host

    def repository(self, name: str) -> str:
        """The name of a repository in the registry."""
        return f"{self.prefix}/{name}" if self.prefix else name


def split_address(text: object) -> tuple[str, str] | None:
    """Host and prefix of ``host[:port][/prefix]``; None for anything else."""
    found = _ADDRESS.fullmatch(text) if isinstance(text, str) else None
    return (found.group(1), found.group(2).strip("/")) if found is not None else None
