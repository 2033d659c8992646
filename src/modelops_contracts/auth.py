"""Credentials and who provides them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from modelops_contracts.frozen import FrozenValue

__all__ = ["AuthProvider", "Credential"]


@dataclass(frozen=True, slots=True)
class Credential(FrozenValue):
    """A user name and a secret that no repr and no log shows."""

    username: str
    secret: str = field(repr=False)
    expires_at: datetime | float | None = None


@runtime_checkable
class AuthProvider(Protocol):
    """Gives credentials; raises AccessDenied when there are none to give."""

    def get_registry_credential(self, registry: str) -> Credential:
        """For an OCI registry, by host name."""
        ...

    def get_storage_credential(self, account: str, container: str) -> Credential:
        """For object storage."""
        ...
