"""Every command that asks a registry, against each kind of real one, as people type them.

The environment is a file of the existing suite, with user name and password in it.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import pytest

from support.consoles import Consoles, check_against_schema
from support.format_one import push_format_one
from support.projects import FILES, make_registered
from support.proxies import SmallProxy
from support.registries import FLAVOURS, Flavour, RealRegistry, find_registry
from support.registry_faults import Fault, FaultyRegistry


def write_environment(home: Path, name: str, place: RealRegistry, prefix: str) -> None:
    lines = [f"provider: docker\n  login_server: {place.address}/{prefix}"]
    if place.login is not None:
        user, password = place.login
        lines.append(f"username: {user}\n  password: {password}\n  requires_auth: true")
    if place.flavour == "tls":
        lines.append("plain_http: false")
    folder = home / ".modelops" / "bundle-env"
    folder.mkdir(parents=True, exist_ok=True)
    text = f"environment: {name}\nregistry:\n  " + "\n  ".join(lines) + "\n"
    (folder / f"{name}.yaml").write_text(text)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_command_with_a_real_registry(tmp_path: Path, flavour: Flavour) -> None:
    place = find_registry(flavour)
    home, run = tmp_path / "home", secrets.token_hex(6)
    write_environment(home, "dev", place, f"tests/{run}/dev")
    write_environment(home, "prod", place, f"tests/{run}/prod")
    make_registered(tmp_path / "mine", name="seir")
    variables = {"MODELOPS_CA_BUNDLE": str(place.ca_file)} if place.ca_file else {}
    mine = Consoles(tmp_path / "mine", home, variables)

    def ask(line: str, code: int = 0) -> dict[str, object]:
        done = mine.run(f"mops bundle {line} --json")
        assert done.code == code, done
        check_against_schema(done.json)
        if place.login is not None:
            assert place.login[1] not in done.out + done.err
        value: dict[str, object] = done.json
        return value

    assert ask("env")["bundles"] == f"{place.address}/tests/{run}/dev"
    assert ask("status --remote")["sync"] == "not pushed"
    pushed = ask("push")
    assert ask("status --remote")["sync"] == "in sync"
    (tag,) = ask("manifest")["tags"]  # type: ignore[misc]
    assert (tag["tag"], tag["digest"]) == ("latest", pushed["digest"])  # type: ignore[index]
    assert ask("manifest --tags-only")["shown"] == 1
    assert ask("manifest seir:latest -n 3")["shown"] == 3
    log = ask("log")
    (own,) = log["pushes"]  # type: ignore[misc]
    assert (own["digest"], own["recorded"]) == (pushed["digest"], False)  # type: ignore[index]
    assert (log["complete"], bool(log["warnings"])) == (False, True), "it keeps no records"
    assert tag["pushed_at"] == own["time"]  # type: ignore[index]
    assert ask(f"ensure --ref seir:latest --dest {tmp_path}/out")["digest"] == pushed["digest"]
    assert ask(f"ensure --ref seir:latest --dest {tmp_path}/out")["up_to_date"] is True
    assert ask("verify --deep")["problems"] == []
    other = ask("push --env prod")
    assert (other["digest"], other["bytes_sent"]) == (pushed["digest"], 0), "mounted, not sent"
    (tmp_path / "mine/data/cases.csv").write_text("week,cases\n1,9\n")
    assert ask("status --remote")["sync"] == "ahead"
    assert ask("push --dry-run")["pushed"] is False
    assert ask("diff")["modified_locally"] == ["data/cases.csv"]
    reference = f"{place.address}/tests/{run}/dev/seir@{pushed['digest']}"
    assert ask(f"clone {reference} {tmp_path}/theirs")["digest"] == pushed["digest"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_a_bundle_of_the_existing_suite(tmp_path: Path, flavour: Flavour) -> None:
    place = find_registry(flavour)
    home, run = tmp_path / "home", secrets.token_hex(6)
    write_environment(home, "dev", place, f"tests/{run}")
    store = place.store(f"tests/{run}/seir")
    push_format_one(store, {path: text.encode() for path, text in FILES.items()})
    store.http.close()
    variables = {"MODELOPS_CA_BUNDLE": str(place.ca_file)} if place.ca_file else {}
    (tmp_path / "desk").mkdir()
    desk = Consoles(tmp_path / "desk", home, variables)
    cloned = desk.run("mops bundle clone seir:latest")
    assert cloned.code == 0, cloned
    assert (tmp_path / "desk/seir/models/sir.py").read_text() == FILES["models/sir.py"]
    theirs = Consoles(tmp_path / "desk/seir", home, variables)
    assert theirs.run("mops bundle register-model models/sir.py").code == 0
    pushed = theirs.run("mops bundle push")
    assert pushed.code == 0, pushed
    assert "existing suite cannot read it" in pushed.err
    again = theirs.run("mops bundle push")
    assert "existing suite" not in again.err


# --- failures are called what they are -------------------------------------------------------


def broken_lab(tmp_path: Path, address: str) -> Consoles:
    home = tmp_path / "home"
    folder = home / ".modelops" / "bundle-env"
    folder.mkdir(parents=True)
    (folder / "dev.yaml").write_text(
        f"environment: dev\nregistry: {{provider: docker, login_server: '{address}'}}\n"
    )
    make_registered(tmp_path / "mine", name="seir")
    return Consoles(tmp_path / "mine", home)


Trouble = Callable[[FaultyRegistry], None]


@pytest.mark.parametrize(
    ("trouble", "code", "words"),
    [
        (lambda r: r.script(Fault(status=500, times=None)), 5, "unknown (unreachable: "),
        (lambda r: r.script(Fault(action="cut", times=None)), 5, "unknown (unreachable: "),
        (lambda r: r.script(Fault(status=403, times=None)), 4, "unknown (no access: "),
        (lambda r: setattr(r, "login", ("me", "word")), 4, "unknown (no access: "),
    ],
    ids=["500", "cut", "403", "401"],
)
def test_a_failure_is_never_shown_as_not_pushed(
    tmp_path: Path, trouble: Trouble, code: int, words: str
) -> None:
    with FaultyRegistry() as registry:
        mine = broken_lab(tmp_path, registry.address)
        trouble(registry)
        done = mine.run("mops bundle status --remote --json")
        assert done.code == code, done
        assert done.json["sync"].startswith(words)
        assert done.json["models"], "what is known here is still said"
        shown = mine.run("mops bundle status --remote")
        assert f"Remote: {words}" in shown.out
        assert "not pushed" not in shown.out
        assert mine.run("mops bundle status --remote --exit-zero").code == 0
        assert mine.run("mops bundle status").code == 0


@pytest.mark.parametrize("line", ["manifest", "log", "ensure --ref seir:x --dest out", "verify"])
def test_nobody_there_is_exit_code_5(tmp_path: Path, line: str) -> None:
    mine = broken_lab(tmp_path, "127.0.0.1:9")
    done = mine.run(f"mops bundle {line}")
    assert done.code == 5, done
    assert "127.0.0.1:9" in done.err


def test_a_login_that_is_required_is_missed_before_anything_is_asked(tmp_path: Path) -> None:
    with FaultyRegistry() as registry:
        mine = broken_lab(tmp_path, registry.address)
        path = tmp_path / "home/.modelops/bundle-env/dev.yaml"
        path.write_text(path.read_text().replace("}", ", requires_auth: true}"))
        done = mine.run("mops bundle manifest")
        assert done.code == 4, done
        assert "requires_auth" in done.err
        assert registry.seen == []


def test_the_log_of_two_people(tmp_path: Path) -> None:
    with FaultyRegistry() as registry:
        mine = broken_lab(tmp_path, registry.address)
        first = mine.run("mops bundle push --json").json["digest"]
        assert mine.run("mops bundle clone seir ../theirs").code == 0
        theirs = Consoles(tmp_path / "theirs", tmp_path / "home")
        (tmp_path / "theirs/data/cases.csv").write_text("week,cases\n1,9\n")
        with registry.counting() as asked:
            second = theirs.run("mops bundle push --json").json["digest"]
        assert len(asked) <= 10, "\n".join(map(str, asked))
        log = mine.run("mops bundle log --json").json
        assert [row["digest"] for row in log["pushes"]] == [second, first]
        assert log["complete"] is True
        tags = json.loads(mine.run("mops bundle manifest --json").out)["tags"]
        assert tags[0]["pushed_at"] == log["pushes"][0]["time"]


def test_a_push_that_was_replaced_is_still_in_the_log(tmp_path: Path) -> None:
    with FaultyRegistry() as registry:
        mine = broken_lab(tmp_path, registry.address)
        first = mine.run("mops bundle push --json").json["digest"]
        assert mine.run("mops bundle clone seir ../theirs").code == 0
        theirs = Consoles(tmp_path / "theirs", tmp_path / "home")
        (tmp_path / "mine/data/cases.csv").write_text("mine\n")
        lost = mine.run("mops bundle push --json").json["digest"]
        # As when both have pushed within one request: the other has seen only the first.
        registry.tags["latest"] = first
        (tmp_path / "theirs/data/peak.csv").write_text("theirs\n")
        won = theirs.run("mops bundle push --json").json["digest"]
        log = mine.run("mops bundle log --json").json
        assert {row["digest"]: row["recorded"] for row in log["pushes"]} == {
            first: True, won: True, lost: False,
        }  # fmt: skip
        assert "not in the store's records" in mine.run("mops bundle log").out
        assert lost not in theirs.run("mops bundle log --json").out


def test_through_a_proxy(tmp_path: Path) -> None:
    name = "registry.example.org"
    with (
        FaultyRegistry() as registry,
        SmallProxy({name: registry.address}, login=("me", "s3cret-word")) as proxy,
    ):
        mine = broken_lab(tmp_path, name)
        path = tmp_path / "home/.modelops/bundle-env/dev.yaml"
        path.write_text(path.read_text().replace("}", ", plain_http: true}"))
        variables = {"HTTP_PROXY": f"http://me:s3cret-word@{proxy.address}"}
        pushed = mine.run("mops bundle push --json", extra=variables)
        assert pushed.code == 0, pushed
        assert registry.tags["latest"] == pushed.json["digest"]
        assert proxy.seen
        before = len(proxy.seen)
        past = mine.run("mops bundle manifest", extra={**variables, "NO_PROXY": "example.org"})
        assert (past.code, len(proxy.seen)) == (5, before), "nobody knows that name directly"
        wrong = {"HTTP_PROXY": f"http://me:other-s3cret@{proxy.address}"}
        refused = mine.run("mops bundle manifest -vv", extra=wrong)
        assert refused.code != 0
        assert "s3cret" not in refused.out + refused.err


@pytest.mark.parametrize("parallel", [1, 4])
def test_the_project_says_how_many_blobs_travel_at_a_time(tmp_path: Path, parallel: int) -> None:
    with FaultyRegistry() as registry:
        mine = broken_lab(tmp_path, registry.address)
        for number in range(6):
            (tmp_path / f"mine/data/{number}.bin").write_bytes(secrets.token_bytes(1024 * 1024))
        assert mine.run("mops bundle add data").code == 0
        path = tmp_path / "mine/.modelops-bundle/config.yaml"
        path.write_text(path.read_text() + f"transfer: {{parallel: {parallel}}}\n")
        pushed = mine.run("mops bundle push")
        assert pushed.code == 0, pushed
        connections = {item.thread for item in registry.requests("PUT", "/blobs/")}
        assert len(connections) == 1 if parallel == 1 else len(connections) > 1
