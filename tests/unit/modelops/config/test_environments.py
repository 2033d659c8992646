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


def write_other(paths: Paths, name: str, text: str) -> None:
    paths.environments.mkdir(parents=True, exist_ok=True)
    (paths.environments / f"{name}.yaml").write_text(text)


def test_bundles_may_be_kept_in_a_registry(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_other(paths, "lab", "name: lab\nkind: local\nregistry: {url: 'localhost:5000/team/x'}\n")
    lab = load_environment("lab", paths)
    assert lab.registry is not None
    assert (lab.registry.host, lab.registry.prefix) == ("localhost:5000", "team/x")
    assert lab.registry.repository("seir") == "team/x/seir"
    assert lab.bundles == "localhost:5000/team/x"
    assert not lab.registry.plain_http
    assert list_environments(paths) == ["local", "lab"]


@pytest.mark.parametrize(
    "url", ["https://host/x", "me:secret-word@host/x", "host/UPPER", "host:port", "", "host//x"]
)
def test_addresses_that_are_none_are_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    paths = Paths(tmp_path)
    write_other(paths, "lab", f"registry: {{url: '{url}'}}\n")
    with pytest.raises(InvalidInput, match=r"registry\.url") as caught:
        load_environment("lab", paths)
    assert "secret-word" not in str(caught.value)


def test_mistakes_about_a_registry_are_named_together(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    text = "name: other\nregistry: {url: host, plain_http: 'yes', credentials: hunter2}\n"
    write_other(paths, "lab", text)
    with pytest.raises(InvalidInput) as caught:
        load_environment("lab", paths)
    shown = " / ".join(str(detail) for detail in caught.value.details)
    assert "name: must be 'lab'" in shown
    assert "plain_http: must be true or false" in shown
    assert "hunter2" not in shown


def test_other_kinds_are_refused(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_other(paths, "lab", "kind: kubernetes\nkubernetes: {context: x}\n")
    with pytest.raises(InvalidInput, match="lab is not local"):
        load_environment("lab", paths)
