"""Where logins come from, and in which order; what is never said."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from modelops import wiring
from modelops.config.registries import Registry
from modelops.config.sources import load_config
from modelops.logins import find_logins
from modelops_bundle.oci.auth import CredentialSource
from modelops_contracts.auth import Credential

HOST = "registry.example.org"
PLACE = Registry(HOST, login=Credential("file", "of-the-environment"))


def first(sources: tuple[CredentialSource, ...], host: str = HOST) -> str | None:
    found = (source.find(host) for source in sources)
    return next((login.username for login in found if login is not None), None)


def write_docker(folder: Path, user: str, name: str = "config.json") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    auth = base64.b64encode(f"{user}:word".encode()).decode()
    (folder / name).write_text(json.dumps({"auths": {HOST: {"auth": auth}}}))


def test_the_order_is_that_of_the_page(tmp_path: Path) -> None:
    """Each source is the answer once all those before it are gone."""
    write_docker(tmp_path / "docker", "docker")
    write_docker(tmp_path / "run/containers", "podman", "auth.json")
    variables = {
        "HOME": str(tmp_path), "DOCKER_CONFIG": str(tmp_path / "docker"),
        "XDG_RUNTIME_DIR": str(tmp_path / "run"),
        "REGISTRY_USERNAME": "second", "REGISTRY_PASSWORD": "word",
        "MODELOPS_REGISTRY_USERNAME": "first", "MODELOPS_REGISTRY_PASSWORD": "word",
    }  # fmt: skip
    assert first(find_logins(PLACE, variables)) == "first"
    del variables["MODELOPS_REGISTRY_PASSWORD"]
    assert first(find_logins(PLACE, variables)) == "second"
    del variables["REGISTRY_USERNAME"]
    assert first(find_logins(PLACE, variables)) == "file"
    place = Registry(HOST)
    assert first(find_logins(place, variables)) == "docker"
    del variables["DOCKER_CONFIG"]
    assert first(find_logins(place, variables)) == "podman"
    del variables["XDG_RUNTIME_DIR"]
    assert first(find_logins(place, variables)) is None
    write_docker(tmp_path / ".docker", "home")
    variables["X"] = "another call"
    assert first(find_logins(Registry(HOST, "x"), variables)) == "home"


def test_the_choice_of_the_environment_file(tmp_path: Path) -> None:
    variables = {
        "HOME": str(tmp_path), "MODELOPS_REGISTRY_USERNAME": "v",
        "MODELOPS_REGISTRY_PASSWORD": "w",
    }  # fmt: skip
    write_docker(tmp_path / ".docker", "docker")
    assert first(find_logins(Registry(HOST, credentials="docker"), variables)) == "docker"
    assert find_logins(Registry(HOST, credentials="none"), variables) == ()


def test_the_podman_files(tmp_path: Path) -> None:
    write_docker(tmp_path / "own", "given", "auth.json")
    write_docker(tmp_path / ".config/containers", "settings", "auth.json")
    variables = {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(tmp_path / "own/auth.json")}
    assert first(find_logins(Registry(HOST), variables)) == "given"
    assert first(find_logins(Registry(HOST), {"HOME": str(tmp_path)})) == "settings"


def test_azure_is_asked_for_its_own_registries_only(tmp_path: Path) -> None:
    variables = {
        "HOME": str(tmp_path), "AZURE_FEDERATED_TOKEN_FILE": str(tmp_path / "token"),
        "AZURE_CLIENT_ID": "c", "AZURE_TENANT_ID": "t",
    }  # fmt: skip
    names = [type(item).__name__ for item in find_logins(Registry("x.azurecr.io"), variables)]
    assert names[-2:] == ["AzureWorkload", "AzureProgram"]
    del variables["AZURE_CLIENT_ID"]
    names = [type(item).__name__ for item in find_logins(Registry("x.azurecr.io"), variables)]
    assert "AzureWorkload" not in names
    assert names[-1] == "AzureProgram"
    for host in (HOST, "x.azurecr.io.evil.org", "azurecr.io"):
        names = [type(item).__name__ for item in find_logins(Registry(host), variables)]
        assert not [name for name in names if name.startswith("Azure")], host


def test_helpers_run_once_for_all_stores_of_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper = tmp_path / "bin/docker-credential-test"
    helper.parent.mkdir()
    helper.write_text(
        f"#!/bin/sh\necho asked >> {tmp_path}/asked\n"
        'echo \'{"Username": "me", "Secret": "word"}\'\n'
    )
    helper.chmod(0o755)
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text('{"credsStore": "test"}')
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load_config({}, {"MODELOPS_HOME": str(tmp_path)}, tmp_path)
    for name in ("a", "b"):
        store = wiring.open_registry(config, Registry(HOST), name)
        sources = store.http._login._sources
        assert first(sources) == "me"
        store.http.close()
    assert (tmp_path / "asked").read_text() == "asked\n"


def test_variables_do_not_travel_to_another_registry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELOPS_REGISTRY_USERNAME", "me")
    monkeypatch.setenv("MODELOPS_REGISTRY_PASSWORD", "word")
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "environments"
    folder.mkdir()
    (folder / "lab.yaml").write_text(f"registry: {{url: {HOST}}}\n")
    lab = load_config({"environment": "lab"}, {"MODELOPS_HOME": str(tmp_path)}, tmp_path)
    local = load_config({}, {"MODELOPS_HOME": str(tmp_path)}, tmp_path)
    for config, reference, user in (
        (lab, f"{HOST}/x", "me"), (lab, "evil.example.net/x", None),
        (local, "other.example.net/x", "me"),
    ):  # fmt: skip
        store, _, _ = wiring.open_reference(config, reference)
        assert first(store.http._login._sources, store.host) == user
        store.http.close()
