"""Environment files: private, whole, and read as other tools wrote them."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

import modelops_contracts
from modelops_contracts import bundle_environment
from modelops_contracts.bundle_environment import (
    BundleEnvironment,
    RegistryConfig,
    StorageConfig,
    environments_dir,
)
from modelops_contracts.errors import InvalidInput, NotFound

FULL = BundleEnvironment(
    environment="dev",
    registry=RegistryConfig("acr", "host.example", "me", "hunter2", requires_auth=True),
    storage=StorageConfig("azure", "data", "AccountKey=hunter3", "https://e", "hunter4", "hunter5"),
    timestamp="2025-01-01T00:00:00",
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def test_round_trip_and_privacy(home: Path) -> None:
    os.umask(os.umask(0))
    path = FULL.save()
    assert path == home / ".modelops" / "bundle-env" / "dev.yaml"
    assert path.stat().st_mode & 0o777 == 0o600
    assert BundleEnvironment.load() == FULL
    assert BundleEnvironment.from_yaml_string(FULL.to_yaml_string()) == FULL
    assert pickle.loads(pickle.dumps(FULL)) == FULL


def test_saving_under_another_name(home: Path) -> None:
    FULL.save("Staging ")
    assert BundleEnvironment.load("staging").environment == "staging"
    assert BundleEnvironment.list_environments() == ["staging"]


def test_no_repr_shows_a_secret() -> None:
    assert "hunter" not in repr(FULL)


def test_the_home_directory_is_looked_up_every_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bundle_environment.ENVIRONMENTS_DIR
    assert modelops_contracts.ENVIRONMENTS_DIR == before == environments_dir()
    monkeypatch.setenv("HOME", str(tmp_path / "other"))
    after = tmp_path / "other" / ".modelops" / "bundle-env"
    assert after == bundle_environment.ENVIRONMENTS_DIR == modelops_contracts.ENVIRONMENTS_DIR


def test_missing() -> None:
    with pytest.raises(FileNotFoundError, match="Run 'mops infra up'"):
        BundleEnvironment.load("dev")
    FULL.save("development")
    with pytest.raises(NotFound, match="Known: development") as caught:
        BundleEnvironment.load("developmnt")
    assert caught.value.hint == "did you mean 'development'?"


@pytest.mark.parametrize("name", ["", "  ", "-dev", "a/b", "../dev", "dev\n\nx"])
def test_names(name: str) -> None:
    with pytest.raises(ValueError, match="environment name"):
        BundleEnvironment.load(name)


def test_a_file_of_another_tool_is_read() -> None:
    text = """
    environment: DEV
    timestamp: 2025-01-01T00:00:00
    registry:
      provider: docker
      login_server: localhost:5555
      resource_group: rg
    unrelated_section: {a: 1}
    """
    read = BundleEnvironment.from_yaml_string(text)
    assert read.environment == "dev"
    assert read.timestamp == "2025-01-01T00:00:00"
    assert read.registry == RegistryConfig("docker", "localhost:5555")
    assert read.storage is None


def test_a_layout_directory() -> None:
    text = "environment: local\nregistry: {provider: layout, path: /data/artifacts}\n"
    read = BundleEnvironment.from_yaml_string(text)
    assert read.registry.path == "/data/artifacts"
    assert BundleEnvironment.from_yaml_string(read.to_yaml_string()) == read


@pytest.mark.parametrize(
    ("text", "fragments"),
    [
        ("environment: dev\n", [r"\$\.registry: is required"]),
        ("[1]", ["must hold environment, registry and storage"]),
        (
            "registry: {provider: dockr, login_server: h}\nstorage: {provider: s3}\n",
            [
                r"\$\.environment: is required",
                r"\$\.registry\.provider: must be one of .* did you mean 'docker'",
                r"\$\.storage\.container: is required",
            ],
        ),
        (
            "environment: dev\nregistry: {provider: docker, login_serve: h}\n",
            [r"\$\.registry\.login_serve: unknown key; did you mean 'login_server'"],
        ),
        ("environment: dev\nregistry: {provider: layout}\n", [r"\$\.registry\.path"]),
        ("environment: dev\nregistry: [1]\n", [r"\$\.registry: must be a section"]),
        ("environment: dev\nregistry: {provider: docker\n", [r"environment:3"]),
    ],
)
def test_mistakes(text: str, fragments: list[str]) -> None:
    with pytest.raises(InvalidInput) as caught:
        BundleEnvironment.from_yaml_string(text)
    import re

    assert all(re.search(fragment, str(caught.value)) for fragment in fragments), caught.value
