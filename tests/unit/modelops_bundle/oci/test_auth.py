"""Logins: where they come from, and what registries ask for."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from modelops_bundle.oci.auth import (
    TOKEN_USER,
    Authenticator,
    DockerLogins,
    GivenCredential,
    is_loopback,
    parse_challenges,
)
from modelops_bundle.oci.remote import RemoteStore
from modelops_contracts.auth import Credential
from modelops_contracts.errors import AccessDenied, InvalidInput

HOST = "registry.example.org"


def basic(user: str, secret: str) -> str:
    return base64.b64encode(f"{user}:{secret}".encode()).decode()


def write(tmp_path: Path, data: object) -> DockerLogins:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(data))
    return DockerLogins(path)


def put_helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    helper = tmp_path / "docker-credential-test"
    helper.write_text(f"#!/bin/sh\n{script}\n")
    helper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")


@pytest.mark.parametrize("name", [HOST, f"https://{HOST}", f"https://{HOST}/v1/"])
def test_logins_of_docker(tmp_path: Path, name: str) -> None:
    logins = write(tmp_path, {"auths": {name: {"auth": basic("me", "a:b")}}})
    assert logins.find(HOST) == Credential("me", "a:b")
    assert logins.find("other.example.org") is None


@pytest.mark.parametrize("host", ["docker.io", "index.docker.io", "registry-1.docker.io"])
@pytest.mark.parametrize("name", ["https://index.docker.io/v1/", "docker.io", "index.docker.io"])
def test_the_login_of_docker_s_own_registry(tmp_path: Path, host: str, name: str) -> None:
    logins = write(tmp_path, {"auths": {name: {"auth": basic("me", "secret")}}})
    assert logins.find(host) == Credential("me", "secret")


def test_docker_s_own_registry_is_reached_where_it_is() -> None:
    store = RemoteStore("docker.io", "seir")
    assert store.http.base == "https://registry-1.docker.io"
    assert store.location == "docker.io/library/seir"
    assert RemoteStore("docker.io", "team/seir").location == "docker.io/team/seir"
    assert RemoteStore("docker.io.example.org", "seir").location == "docker.io.example.org/seir"


def test_a_helper_knows_docker_s_own_registry_by_its_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_helper(
        tmp_path,
        monkeypatch,
        """read at; echo "{\\"Username\\":\\"$at\\",\\"Secret\\":\\"s\\"}" """,
    )
    logins = write(tmp_path, {"credsStore": "test"})
    assert logins.find("docker.io") == Credential("https://index.docker.io/v1/", "s")


def test_the_login_of_the_host_goes_before_that_of_a_part_of_it(tmp_path: Path) -> None:
    team, whole = {"auth": basic("team", "t")}, {"auth": basic("me", "m")}
    logins = write(tmp_path, {"auths": {f"{HOST}/team": team, HOST: whole}})
    assert logins.find(HOST) == Credential("me", "m")


def test_identity_tokens(tmp_path: Path) -> None:
    logins = write(tmp_path, {"auths": {HOST: {"auth": basic("x", ""), "identitytoken": "t"}}})
    assert logins.find(HOST) == Credential(TOKEN_USER, "t")


def test_no_file_and_a_broken_file(tmp_path: Path) -> None:
    assert DockerLogins(tmp_path / "none.json").find(HOST) is None
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(InvalidInput, match=r"broken\.json"):
        DockerLogins(tmp_path / "broken.json").find(HOST)


@pytest.mark.parametrize("settings", [{"credsStore": "test"}, {"credHelpers": {HOST: "test"}}])
def test_a_helper_is_asked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, object]
) -> None:
    answer = json.dumps({"Username": "me", "Secret": "word"})
    script = f"read host; echo $host >> {tmp_path}/asked; echo '{answer}'"
    put_helper(tmp_path, monkeypatch, script)
    logins = write(tmp_path, settings)
    for _ in range(2):
        assert logins.find(HOST) == Credential("me", "word")
    assert (tmp_path / "asked").read_text() == f"{HOST}\n"


def test_helpers_that_do_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logins = write(tmp_path, {"credsStore": "test"})
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(AccessDenied, match="not installed"):
        logins.find(HOST)
    put_helper(tmp_path, monkeypatch, "echo no JSON")
    with pytest.raises(AccessDenied, match="no usable answer"):
        logins.find(HOST)
    put_helper(tmp_path, monkeypatch, "exit 1")
    assert write(tmp_path, {"credsStore": "test"}).find(HOST) is None
    with pytest.raises(InvalidInput):
        write(tmp_path, {"credsStore": "../evil"}).find(HOST)
    monkeypatch.setattr("modelops_bundle.oci.auth.HELPER_SECONDS", 0.2)
    put_helper(tmp_path, monkeypatch, "exec sleep 5")
    with pytest.raises(AccessDenied, match="did not answer within"):
        write(tmp_path, {"credsStore": "test"}).find(HOST)


def test_challenges() -> None:
    header = 'Bearer realm="https://a/t?x=1",service="s, t",scope="repository:r:pull,push"'
    bearer, basic_ = parse_challenges(header + ', Basic realm="b"')
    assert bearer.scheme == "bearer"
    assert bearer.parameters == {
        "realm": "https://a/t?x=1", "service": "s, t", "scope": "repository:r:pull,push",
    }  # fmt: skip
    assert (basic_.scheme, basic_.parameters) == ("basic", {"realm": "b"})
    assert parse_challenges("Negotiate")[0].scheme == "negotiate"
    assert parse_challenges("") == ()


def test_this_machine() -> None:
    names = ("localhost", "localhost:5000", "127.0.0.1:1", "127.9.9.9", "[::1]:5000")
    assert all(is_loopback(name) for name in names)
    others = ("localhost.example.org", "10.0.0.1", "1127.0.0.1", "127.0.0.1.example.org")
    assert not any(is_loopback(name) for name in others)


def test_no_secret_without_encryption() -> None:
    source = GivenCredential(Credential("me", "word"))
    login = Authenticator(HOST, [source], lambda *_: {}, encrypted=False)
    with pytest.raises(AccessDenied, match="without encryption") as caught:
        login.answer('Basic realm="x"', "pull", refused=None)
    assert "word" not in str(caught.value)


def test_tokens_are_kept_until_shortly_before_they_end() -> None:
    now, asked = [0.0], []

    def ask(verb: str, url: str, headers: object, form: str | None) -> dict[str, object]:
        asked.append((verb, url, form))
        return {"access_token": f"t{len(asked)}", "expires_in": 300}

    login = Authenticator(HOST, [], ask, encrypted=True, clock=lambda: now[0])
    assert login.header("pull") is None
    login.answer(f'Bearer realm="https://{HOST}/token",service="s"', "pull", refused=None)
    assert asked == [("GET", f"https://{HOST}/token?service=s", None)]
    now[0] = 239.0
    assert login.header("pull") == "Bearer t1"
    now[0] = 241.0
    assert login.header("pull") == "Bearer t2"
    login.answer('Bearer realm="https://x/"', "pull", refused="Bearer t1")
    assert len(asked) == 2, "another thread has renewed it already"


def test_identity_tokens_are_exchanged() -> None:
    seen: list[tuple[str, str | None]] = []

    def ask(verb: str, url: str, headers: object, form: str | None) -> dict[str, object]:
        seen.append((verb, form))
        return {"access_token": "t"}

    source = GivenCredential(Credential(TOKEN_USER, "refresh me"))
    login = Authenticator(HOST, [source], ask, encrypted=True)
    login.answer('Bearer realm="https://x/token",service="s",scope="r"', "push", refused=None)
    assert seen == [("POST", "grant_type=refresh_token&refresh_token=refresh+me&service=s&scope=r")]


def test_schemes_that_nobody_knows() -> None:
    login = Authenticator(HOST, [], lambda *_: {}, encrypted=True)
    with pytest.raises(AccessDenied, match="negotiate"):
        login.answer("Negotiate", "pull", refused=None)


@pytest.mark.parametrize("text", ["[]", "1", '"x"'])
def test_a_docker_file_of_another_kind(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InvalidInput, match="not a readable docker configuration"):
        DockerLogins(tmp_path / "config.json").find(HOST)


@pytest.mark.parametrize("data", [{"auths": None}, {"auths": {HOST: None}}, {"credHelpers": []}])
def test_empty_sections_of_a_docker_file(tmp_path: Path, data: object) -> None:
    assert write(tmp_path, data).find(HOST) is None


def test_a_login_that_is_required_is_asked_for_at_once() -> None:
    login = Authenticator(HOST, [], lambda *_: {}, encrypted=True, required=True)
    with pytest.raises(AccessDenied, match="requires_auth"):
        login.header("pull")
    known = GivenCredential(Credential("me", "word"))
    login = Authenticator(HOST, [known], lambda *_: {}, encrypted=True, required=True)
    assert login.header("pull") is None


def test_a_password_is_sent_for_every_action_once_the_registry_wants_one() -> None:
    login = Authenticator(
        HOST, [GivenCredential(Credential("me", "word"))], lambda *_: {}, encrypted=True
    )
    assert login.header("push") is None, "not before it was asked for"
    login.answer('Basic realm="x"', "pull", refused=None)
    assert login.header("push") == login.header("pull") == f"Basic {basic('me', 'word')}"
