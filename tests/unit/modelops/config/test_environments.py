"""The built-in local environment and its overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops.config.environments import list_environments, load_environment
from modelops.config.paths import Paths
from modelops_contracts.errors import InvalidInput, NotFound


def write(paths: Paths, text: str) -> None:
    paths.environments.mkdir(parents=True, exist_ok=True)
    (paths.environments / "local.yaml").write_text(text)


def test_local_needs_no_file(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home")
    local = load_environment("local", paths)
    assert local.artifacts == paths.artifacts
    assert local.results_root(tmp_path / "p") == tmp_path / "p" / ".modelops" / "results"
    assert list_environments(paths) == ["local"]


def test_a_file_moves_bundles_and_results(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "home")
    write(
        paths,
        f"schema: mops.env/1\nname: local\nkind: local\nregistry: {{url: 'oci:{tmp_path}/a'}}\n"
        f"storage: {{url: 'file://{tmp_path}/my%20results'}}\n",
    )
    local = load_environment("local", paths)
    assert local.artifacts == tmp_path / "a"
    assert local.results_root(tmp_path) == tmp_path / "my results"
    assert local.origin.endswith("local.yaml")


def test_fields_that_nothing_honours_are_refused_together(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write(paths, "kind: kubernetes\nregistry: {urll: x}\nstorage: {url: 'az://a/b'}\n")
    with pytest.raises(InvalidInput) as caught:
        load_environment("local", paths)
    text = " / ".join(str(detail) for detail in caught.value.details)
    assert "registry.urll: unknown" in text
    assert "did you mean registry.url" in text
    assert "kind: must be 'local'" in text
    assert "storage.url: must start with file://" in text


def test_an_unknown_name_is_answered_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="nearest: local") as caught:
        load_environment("locla", Paths(tmp_path))
    assert caught.value.hint == "mops env list"


def test_a_known_environment_elsewhere_is_refused_not_replaced(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.older_environments.mkdir()
    (paths.older_environments / "dev.yaml").write_text("{}")
    assert list_environments(paths) == ["local", "dev"]
    with pytest.raises(InvalidInput, match="dev is not local"):
        load_environment("dev", paths)
