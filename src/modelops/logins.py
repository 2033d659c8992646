"""Where the login of a registry may be found, in the order of asking."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops.config.registries import Registry
from modelops_contracts.auth import Credential

if TYPE_CHECKING:
    from modelops_bundle.oci.auth import CredentialSource

__all__ = ["find_logins"]

#: The variables that decide about it.
_READ = (
    "HOME", "MODELOPS_REGISTRY_USERNAME", "MODELOPS_REGISTRY_PASSWORD", "REGISTRY_USERNAME",
    "REGISTRY_PASSWORD", "DOCKER_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR",
    "XDG_CONFIG_HOME", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID",
    "AZURE_AUTHORITY_HOST", "PATH", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
    "https_proxy", "no_proxy", "MODELOPS_CA_BUNDLE",
)  # fmt: skip


def find_logins(place: Registry, variables: Mapping[str, str]) -> tuple[CredentialSource, ...]:
    """Sources of logins for a registry, asked one after the other until one has an answer.

    The same call gives the same sources within a process, so that a helper program runs once.
    """
    if place.credentials == "none":
        return ()
    return _sources(place, tuple((name, variables[name]) for name in _READ if name in variables))


@lru_cache(maxsize=16)
def _sources(place: Registry, items: tuple[tuple[str, str], ...]) -> tuple[CredentialSource, ...]:
    from modelops_bundle.oci.auth import DockerLogins, GivenCredential
    from modelops_bundle.oci.azure import is_azure

    variables = dict(items)
    sources: list[CredentialSource] = []
    if place.credentials == "auto":
        given = [login for login in (_from_variables(variables), place.login) if login is not None]
        sources += [GivenCredential(login) for login in given]
    sources += [DockerLogins(path) for path in _login_files(variables)]
    if place.credentials == "auto" and is_azure(place.host):
        sources += _azure_identities(variables)
    return tuple(sources)


def _from_variables(variables: Mapping[str, str]) -> Credential | None:
    for prefix in ("MODELOPS_REGISTRY", "REGISTRY"):
        user, secret = (variables.get(f"{prefix}_{name}") for name in ("USERNAME", "PASSWORD"))
        if user and secret:
            return Credential(user, secret)
    return None


def _login_files(variables: Mapping[str, str]) -> list[Path]:
    """Files that docker and podman keep logins in; most of them are not there."""
    home = Path(variables.get("HOME") or Path.home())
    docker = Path(variables.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    runtime, settings = variables.get("XDG_RUNTIME_DIR"), variables.get("XDG_CONFIG_HOME")
    podman = [
        variables.get("REGISTRY_AUTH_FILE"),
        f"{runtime}/containers/auth.json" if runtime else None,
        f"{settings or home / '.config'}/containers/auth.json",
    ]
    return [docker, *(Path(path) for path in podman if path)]


def _azure_identities(variables: Mapping[str, str]) -> list[Any]:
    """The workload's identity where Kubernetes mounts one, then that of the program `az`."""
    from functools import partial

    from modelops_bundle.oci.azure import AzureProgram, AzureWorkload
    from modelops_bundle.oci.connections import Connections, post_form
    from modelops_bundle.oci.proxies import read_proxies

    trusted = variables.get("MODELOPS_CA_BUNDLE")
    ca_files = (Path(trusted).expanduser(),) if trusted else ()
    connections = Connections(parallel=1, ca_files=ca_files, proxies=read_proxies(variables))
    post = partial(post_form, connections)
    found: list[Any] = []
    token_file = variables.get("AZURE_FEDERATED_TOKEN_FILE")
    client, tenant = variables.get("AZURE_CLIENT_ID"), variables.get("AZURE_TENANT_ID")
    if token_file and client and tenant:
        authority = variables.get("AZURE_AUTHORITY_HOST") or "https://login.microsoftonline.com"
        found.append(
            AzureWorkload(
                post, token_file=Path(token_file), client=client, tenant=tenant,
                authority=authority,
            )
        )  # fmt: skip
    return [*found, AzureProgram(post)]
