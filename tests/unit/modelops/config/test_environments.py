"""The built-in local environment and its overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops.config.environments import list_environments, load_environment
from modelops.config.paths import Paths
from modelops_contracts.auth import Credential
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


def write_older(paths: Paths, registry: str, *, name: str = "dev", more: str = "") -> None:
    paths.older_environments.mkdir(parents=True, exist_ok=True)
    text = f"environment: {name}\nregistry: {{{registry}}}\n{more}"
    (paths.older_environments / f"{name}.yaml").write_text(text)


def test_a_broken_file_of_the_existing_suite_is_refused_not_replaced(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    paths.older_environments.mkdir()
    (paths.older_environments / "dev.yaml").write_text("{}")
    assert list_environments(paths) == ["local", "dev"]
    with pytest.raises(InvalidInput, match=r"dev\.yaml.*environment.*registry"):
        load_environment("dev", paths)


def test_files_of_the_existing_suite_are_read(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_older(
        paths,
        "provider: acr, login_server: seir.azurecr.io, username: me, password: s3cret-word, "
        "requires_auth: true",
        more="storage: {provider: azure, container: data, connection_string: 'AccountKey=s3cret'}",
    )
    dev = load_environment("dev", paths)
    assert dev.registry is not None
    assert (dev.registry.host, dev.registry.requires_auth) == ("seir.azurecr.io", True)
    assert dev.registry.login == Credential("me", "s3cret-word")
    assert dev.storage is not None
    assert dev.storage.container == "data"
    assert dev.origin.endswith("bundle-env/dev.yaml")
    assert "s3cret" not in repr(dev) + str(dev)


@pytest.mark.parametrize(
    ("server", "host", "prefix", "plain"),
    [
        ("localhost:5000", "localhost:5000", "", None),
        ("registry.example.org/team", "registry.example.org", "team", None),
        ("https://registry.example.org/", "registry.example.org", "", None),
        ("http://registry.example.org", "registry.example.org", "", True),
    ],
)
def test_addresses_of_the_existing_suite(
    tmp_path: Path, server: str, host: str, prefix: str, plain: bool | None
) -> None:
    write_older(Paths(tmp_path), f"provider: docker, login_server: '{server}'")
    found = load_environment("dev", Paths(tmp_path)).registry
    assert found is not None
    assert (found.host, found.prefix, found.plain_http) == (host, prefix, plain)


def test_plain_http_and_a_folder(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    write_older(paths, "provider: docker, login_server: r.example.org, plain_http: true")
    found = load_environment("dev", paths).registry
    assert found is not None
    assert found.plain_http is True
    write_older(paths, f"provider: layout, path: {tmp_path}/shared", name="desk")
    desk = load_environment("desk", paths)
    assert (desk.registry, desk.artifacts) == (None, tmp_path / "shared")


@pytest.mark.parametrize(
    "registry",
    [
        "provider: docker, login_server: 'me:s3cret-word@host'",
        "provider: docker, login_server: host, username: me",
        "provider: docker, login_server: host, password: s3cret-word",
    ],
)
def test_half_a_login_is_refused_and_not_repeated(tmp_path: Path, registry: str) -> None:
    write_older(Paths(tmp_path), registry)
    with pytest.raises(InvalidInput) as caught:
        load_environment("dev", Paths(tmp_path))
    assert "s3cret-word" not in str(caught.value)


def test_newer_files_override_older_ones_one_by_one(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    older = "provider: docker, login_server: r.example.org, username: me, password: s3cret"
    write_older(paths, older, name="lab")
    write_other(paths, "lab", "registry: {plain_http: true, ca_file: /etc/ca.pem}\n")
    lab = load_environment("lab", paths).registry
    assert lab is not None
    assert (lab.host, lab.plain_http, lab.ca_file) == ("r.example.org", True, Path("/etc/ca.pem"))
    assert lab.login is not None
    write_other(paths, "lab", "registry: {url: elsewhere.example.org}\n")
    moved = load_environment("lab", paths).registry
    assert moved is not None
    assert (moved.host, moved.login) == ("elsewhere.example.org", None)
    write_older(paths, older, name="local")
    assert load_environment("local", paths).registry is not None


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
