"""The consoles against registries, as people type: push, clone, edit, pull, verify, diff."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.consoles import Consoles
from support.projects import make_registered
from support.registries import find_registry
from support.registry_faults import Fault, FaultyRegistry

LOGIN = ("mops", "s3cret-word")


@dataclass
class Lab:
    """Two people with one environment."""

    home: Path
    folder: Path
    variables: dict[str, str]

    def of(self, name: str) -> Consoles:
        return Consoles(self.folder / name, self.home, self.variables)


def make_lab(tmp_path: Path, registry: str, **variables: str) -> Lab:
    home = tmp_path / "home"
    environments = home / ".modelops" / "environments"
    environments.mkdir(parents=True)
    (environments / "lab.yaml").write_text(f"name: lab\nkind: local\n{registry}")
    make_registered(tmp_path / "mine", name="seir")
    return Lab(home, tmp_path, variables)


@pytest.fixture
def registry() -> Iterator[FaultyRegistry]:
    with FaultyRegistry(login=LOGIN, bearer=True) as running:
        yield running


@pytest.fixture
def lab(tmp_path: Path, registry: FaultyRegistry) -> Lab:
    return make_lab(
        tmp_path,
        f"registry: {{url: '{registry.address}/team'}}\n",
        MODELOPS_REGISTRY_USERNAME=LOGIN[0],
        MODELOPS_REGISTRY_PASSWORD=LOGIN[1],
    )


def walk_through(lab: Lab) -> None:
    mine = lab.of("mine")
    pushed = mine.run("mops bundle push --env lab --json")
    assert pushed.code == 0, pushed
    assert pushed.json["pushed"] is True
    again = mine.run("mops bundle push --env lab")
    assert "Everything up to date" in again.out
    (lab.folder / "desk").mkdir()
    cloned = lab.of("desk").run("mops bundle clone seir:latest ../theirs --env lab --json")
    assert cloned.code == 0, cloned
    assert cloned.json["digest"] == pushed.json["digest"]
    theirs = lab.of("theirs")
    assert "nothing changed" in theirs.run("mops bundle status").out
    cases = lab.folder / "theirs" / "data" / "cases.csv"
    cases.write_text(cases.read_text() + "3,9\n")
    assert theirs.run("modelops-bundle push").code == 0
    diff = mine.run("mops bundle diff --env lab --json").json
    assert "data/cases.csv" in diff["modified_remotely"]
    dry = mine.run("mops bundle pull --env lab --dry-run --json")
    assert dry.json["written"] == ["data/cases.csv"]
    pulled = mine.run("mops bundle pull --env lab")
    assert pulled.code == 0, pulled
    assert "data/cases.csv" in pulled.out
    assert (lab.folder / "mine/data/cases.csv").read_text() == cases.read_text()
    verified = mine.run("mops bundle verify --env lab --deep")
    assert verified.code == 0, verified
    assert "is whole" in verified.out


def test_with_a_token_service(lab: Lab) -> None:
    walk_through(lab)


def test_with_a_real_registry(tmp_path: Path) -> None:
    found = find_registry("tls")
    assert found.login is not None
    place = f"{found.address}/tests/{secrets.token_hex(6)}"
    lab = make_lab(
        tmp_path,
        f"registry: {{url: '{place}', plain_http: false}}\n",
        MODELOPS_REGISTRY_USERNAME=found.login[0],
        MODELOPS_REGISTRY_PASSWORD=found.login[1],
        SSL_CERT_FILE=str(found.ca_file),
    )
    walk_through(lab)


def test_with_a_folder(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, f"registry: {{url: 'oci:{tmp_path}/shared'}}\n")
    assert lab.of("mine").run("mops bundle push --env lab").code == 0
    cloned = lab.of("mine").run(f"mops bundle clone oci:{tmp_path}/shared/seir:latest ../theirs")
    assert cloned.code == 0, cloned


def test_conflicts_have_an_exit_code_and_a_way_out(lab: Lab) -> None:
    mine = lab.of("mine")
    assert mine.run("mops bundle push --env lab").code == 0
    assert lab.of("mine").run("mops bundle clone seir ../theirs --env lab").code == 0
    for name, line in (("mine", "3,1\n"), ("theirs", "3,2\n")):
        path = lab.folder / name / "data/cases.csv"
        path.write_text(path.read_text() + line)
    assert mine.run("mops bundle push --env lab").code == 0
    theirs = lab.of("theirs")
    refused = theirs.run("mops bundle push")
    assert refused.code == 3
    assert "mops bundle pull" in refused.err
    conflict = theirs.run("mops bundle pull --json")
    assert conflict.code == 3
    assert "data/cases.csv" in conflict.json["error"]["message"]
    kept = theirs.run("mops bundle pull --keep-local")
    assert kept.code == 0, kept
    assert theirs.run("mops bundle push").code == 0


def test_a_wrong_password_is_exit_code_4_and_never_shown(lab: Lab) -> None:
    denied = lab.of("mine").run(
        "mops bundle push --env lab", extra={"MODELOPS_REGISTRY_PASSWORD": "guess-123"}
    )
    assert denied.code == 4
    assert "guess-123" not in denied.out + denied.err
    assert "docker login" in denied.err


def test_logins_of_docker_are_used(lab: Lab) -> None:
    import base64
    import json

    address = (lab.home / ".modelops/environments/lab.yaml").read_text().split("'")[1]
    auth = base64.b64encode(":".join(LOGIN).encode()).decode()
    (lab.home / ".docker").mkdir()
    logins = {"auths": {address.split("/")[0]: {"auth": auth}}}
    (lab.home / ".docker/config.json").write_text(json.dumps(logins))
    lab.variables.clear()
    pushed = lab.of("mine").run("mops bundle push --env lab")
    assert pushed.code == 0, pushed


def test_a_registry_that_is_not_there_is_exit_code_5(tmp_path: Path) -> None:
    lab = make_lab(tmp_path, "registry: {url: '127.0.0.1:9'}\n")
    for line in ("push", "pull"):
        gone = lab.of("mine").run(f"mops bundle {line} --env lab")
        assert gone.code == 5, gone
        assert "127.0.0.1:9" in gone.err
    assert lab.of("mine").run("mops bundle status --env lab").code == 0


def test_long_waits_are_shown(lab: Lab, registry: FaultyRegistry) -> None:
    registry.script(Fault("PUT", "/manifests/", status=429, headers={"Retry-After": "1.2"}))
    pushed = lab.of("mine").run("mops bundle push --env lab")
    assert pushed.code == 0, pushed
    assert "429" in pushed.err
    assert "next try" in pushed.err


def test_a_damaged_bundle_fails_verification(lab: Lab, registry: FaultyRegistry) -> None:
    assert lab.of("mine").run("mops bundle push --env lab").code == 0
    layer = next(key for key, data in registry.blobs.items() if not data.startswith(b"{"))
    del registry.blobs[layer]
    found = lab.of("mine").run("mops bundle verify --env lab --json")
    assert found.code == 1
    assert found.json["problems"] == [{"digest": layer, "text": "is missing"}]


def test_the_cache_is_shown_and_emptied(lab: Lab) -> None:
    from modelops_bundle.cache.bundle_cache import BundleCache
    from modelops_bundle.oci.layout import LayoutStore

    mine = lab.of("mine")
    digest = mine.run("mops bundle push --env local --json").json["digest"]
    store = LayoutStore(lab.home / ".modelops/artifacts", "seir")
    BundleCache(lab.home / ".modelops/cache/bundles").ensure(store, digest)
    shown = mine.run("mops bundle cache info --json").json
    assert [row["digest"] for row in shown["trees"]] == [digest]
    assert mine.run("mops bundle cache gc --json").json["removed"] == []
    emptied = mine.run("mops bundle cache gc --max-size 0")
    assert digest in emptied.out
    assert mine.run("mops bundle cache info --json").json["trees"] == []
