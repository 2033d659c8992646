"""Environment files of the existing suite (``bundle-env/<name>.yaml``): read, never written."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from modelops.config.registries import Registry, split_address
from modelops_contracts.auth import Credential
from modelops_contracts.bundle_environment import BundleEnvironment, RegistryConfig, StorageConfig
from modelops_contracts.errors import InvalidInput

__all__ = ["OlderEnvironment", "read_older_environment"]


@dataclass(frozen=True, slots=True)
class OlderEnvironment:
    """Where such a file keeps bundles: in a registry or a folder; ``storage`` holds large files."""

    registry: Registry | None
    artifacts: Path | None
    storage: StorageConfig | None


def read_older_environment(file: Path) -> OlderEnvironment:
    """Read one file. Raises InvalidInput with every mistake; no value is repeated in it."""
    found = BundleEnvironment.from_yaml(file)
    place = found.registry
    if place.provider == "layout":
        folder = Path(str(place.path)).expanduser().absolute()
        return OlderEnvironment(None, folder, found.storage)
    return OlderEnvironment(_registry_of(place, file), None, found.storage)


def _registry_of(place: RegistryConfig, file: Path) -> Registry:
    scheme = re.match(r"(https?)://", place.login_server)
    address = split_address(place.login_server.removeprefix(scheme.group(0) if scheme else ""))
    if address is None:
        raise InvalidInput(
            f"{file}: $.registry.login_server: must be host[:port][/prefix], without a user name",
            code="env.invalid",
        )
    if bool(place.username) != bool(place.password):
        given, lacking = ("username", "password") if place.username else ("password", "username")
        raise InvalidInput(
            f"{file}: $.registry.{lacking}: is required beside {given}", code="env.invalid"
        )
    plain = True if scheme is not None and scheme.group(1) == "http" else place.plain_http
    login = Credential(place.username, place.password or "") if place.username else None
    return Registry(
        *address, plain_http=plain, login=login, requires_auth=place.requires_auth,
    )  # fmt: skip
