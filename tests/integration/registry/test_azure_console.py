"""The consoles against a registry of Azure: an identity is exchanged, files come from an account.

The registry's name leads to this machine through a proxy, and its certificate is our own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from modelops_bundle.oci.auth import GivenCredential
from modelops_bundle.oci.azure import AZURE_USER
from modelops_bundle.oci.proxies import ProxySettings
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential
from support.azurite import find_azurite
from support.certificates import make_certificate
from support.consoles import Consoles, Ran
from support.format_one import push_format_one
from support.projects import make_registered
from support.proxies import SmallProxy
from support.raw_server import RawServer, Request, answer
from support.registry_faults import FaultyRegistry

HOST = "team.azurecr.io"
FEDERATED, IDENTITY = "federated-canary-1", "identity-canary-2"
PROXY_LOGIN = ("proxy-user", "proxy-canary-3")


def give_identity(request: Request) -> bytes:
    """Answer as the authority does that knows the workload."""
    form = {key: values[0] for key, values in parse_qs(request.body.decode()).items()}
    known = request.path == "/tenant/oauth2/v2.0/token" and form["client_id"] == "client"
    if not known or form["client_assertion"] != FEDERATED:
        return answer(401)
    return answer(200, {}, json.dumps({"access_token": IDENTITY}).encode())


@dataclass
class Azure:
    """A person's home, a registry of Azure, and what both are reached through."""

    folder: Path
    registry: FaultyRegistry
    proxy: SmallProxy
    authority: RawServer
    certificate: Path
    outputs: list[str]

    def run(self, name: str, line: str, **extra: str) -> Ran:
        """Run a console in a folder with the variables that every way of logging in needs."""
        (self.folder / name).mkdir(exist_ok=True)
        user, word = PROXY_LOGIN
        variables = {
            "HTTPS_PROXY": f"http://{user}:{word}@{self.proxy.address}",
            "MODELOPS_CA_BUNDLE": str(self.certificate),
            "PATH": f"{self.folder}/bin:/usr/bin:/bin", **extra,
        }  # fmt: skip
        done = Consoles(self.folder / name, self.folder / "home", variables).run(line)
        self.outputs.append(f"{done.out}{done.err}")
        return done

    def workload(self) -> dict[str, str]:
        token_file = self.folder / "federated"
        token_file.write_text(f"{FEDERATED}\n")
        return {
            "AZURE_FEDERATED_TOKEN_FILE": str(token_file), "AZURE_CLIENT_ID": "client",
            "AZURE_TENANT_ID": "tenant",
            "AZURE_AUTHORITY_HOST": f"http://{self.authority.address}/",
        }  # fmt: skip

    def log_in_with_az(self) -> None:
        program = self.folder / "bin" / "az"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\necho \'{{"accessToken": "{IDENTITY}", "tenant": "t"}}\'\n')
        program.chmod(0o755)

    def check_secrets(self) -> None:
        secrets = [FEDERATED, IDENTITY, PROXY_LOGIN[1], *self.registry.refresh_tokens]
        secrets += self.registry.tokens
        for text in self.outputs:
            assert not [secret for secret in secrets if secret in text], text


@pytest.fixture
def azure(tmp_path: Path) -> Iterator[Azure]:
    certificate, key = make_certificate(tmp_path / "tls", HOST)
    environments = tmp_path / "home" / ".modelops" / "environments"
    environments.mkdir(parents=True)
    (environments / "lab.yaml").write_text(
        f"name: lab\nkind: local\nregistry: {{url: '{HOST}/team'}}\n"
    )
    make_registered(tmp_path / "mine", name="seir")
    settings = {"name": HOST, "certificate": (certificate, key), "identity": IDENTITY}
    with (
        FaultyRegistry(bearer=True, **settings) as registry,  # type: ignore[arg-type]
        SmallProxy({f"{HOST}:443": registry.address}, login=PROXY_LOGIN) as proxy,
        RawServer(give_identity) as authority,
    ):
        yield Azure(tmp_path, registry, proxy, authority, certificate, [])


@pytest.mark.parametrize("who", ["workload", "az"])
def test_push_and_clone_with_an_identity(azure: Azure, who: str) -> None:
    extra = azure.workload() if who == "workload" else {}
    if who == "az":
        azure.log_in_with_az()
    pushed = azure.run("mine", "mops bundle push --env lab --json -v", **extra)
    assert pushed.code == 0, pushed
    cloned = azure.run("desk", "mops bundle clone seir:latest theirs --env lab --json", **extra)
    assert cloned.code == 0, cloned
    assert cloned.json["digest"] == pushed.json["digest"]
    assert azure.registry.refresh_tokens
    assert len(azure.authority.seen) == (2 if who == "workload" else 0), "once a command"
    azure.check_secrets()


def test_an_identity_that_is_refused(azure: Azure) -> None:
    azure.registry.identity = "another"
    azure.log_in_with_az()
    done = azure.run("mine", "mops bundle push --env lab --json -v")
    assert done.code == 4, done
    assert "refuses the identity" in done.json["error"]["message"]
    azure.check_secrets()


def test_without_an_identity_nothing_is_sent(azure: Azure) -> None:
    done = azure.run("mine", "mops bundle push --env lab")
    assert done.code == 4, done
    assert HOST in done.err
    assert not azure.registry.blobs


@pytest.mark.parametrize("login", ["", "proxy-user:wrong-canary-4@"])
def test_a_proxy_that_wants_a_password_says_so(azure: Azure, login: str) -> None:
    proxy = f"http://{login}{azure.proxy.address}"
    done = azure.run("mine", "mops bundle push --env lab", HTTPS_PROXY=proxy, **azure.workload())
    assert done.code == 4, done
    assert "proxy" in done.err
    assert "HTTPS_PROXY" in done.err
    assert "canary" not in done.err
    assert len(azure.proxy.seen) == 1, "another try does not help"


def test_files_of_the_existing_suite_in_an_account(azure: Azure) -> None:
    azurite = find_azurite()
    container, large = azurite.make_container(), bytes(range(256)) * 8000
    azurite.put(container, "ab/cd/large", large)
    names = {f"{HOST}:443": azure.registry.address}
    azure.run("mine", "mops bundle push --env lab", **azure.workload())
    login = Credential(AZURE_USER, next(iter(azure.registry.refresh_tokens)))
    with SmallProxy(names) as proxy:
        store = RemoteStore(
            HOST, "old", sources=[GivenCredential(login)], ca_file=azure.certificate,
            proxies=ProxySettings(https=f"http://{proxy.address}"),
        )  # fmt: skip
        files = {"large.bin": large, "small.txt": b"small"}
        push_format_one(store, files, outside={"large.bin": f"azure://{container}/ab/cd/large"})
    older = azure.folder / "home" / ".modelops" / "bundle-env"
    older.mkdir()
    (older / "dev.yaml").write_text(json.dumps({
        "environment": "dev", "registry": {"provider": "acr", "login_server": HOST},
        "storage": {"provider": "azure", "container": container,
                    "connection_string": azurite.connections[-1]},
    }))  # fmt: skip
    cloned = azure.run("desk", "mops bundle clone old theirs --env dev -v", **azure.workload())
    assert cloned.code == 0, cloned
    assert (azure.folder / "desk/theirs/large.bin").read_bytes() == large
    azure.check_secrets()
