"""Logins for Azure's registries, against a token server of our own and a program named `az`."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from modelops_bundle.oci import azure
from modelops_bundle.oci.auth import Authenticator
from modelops_bundle.oci.azure import AZURE_USER, AzureProgram, AzureWorkload, PostForm, is_azure
from modelops_bundle.oci.connections import Connections, post_form
from modelops_contracts.auth import Credential
from modelops_contracts.errors import AccessDenied, Unavailable

HOST = "seir.azurecr.io"
SECRETS = ("federated-s3cret", "identity-s3cret", "refresh-s3cret")


class TokenServer:
    """Azure's authority and a registry's token service in one."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.status = 200
        self.wrong = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *args: Any) -> None:
                pass

            def do_POST(self) -> None:
                text = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {key: values[0] for key, values in parse_qs(text).items()}
                server.asked.append((self.path, form))
                data = json.dumps(server.answer(self.path)).encode()
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def answer(self, path: str) -> object:
        if self.wrong or self.status != 200:
            return ["nothing usable"]
        if path.endswith("/oauth2/exchange"):
            return {"refresh_token": "refresh-s3cret"}
        return {"access_token": "identity-s3cret"}


@pytest.fixture
def server() -> Iterator[TokenServer]:
    running = TokenServer()
    yield running
    running.http.shutdown()
    running.http.server_close()


@pytest.fixture
def post(server: TokenServer) -> PostForm:
    """Sends what is for the registry to the server of this test."""
    connections = Connections(parallel=1, proxies=None)

    def send(url: str, form: Mapping[str, str]) -> Mapping[str, object]:
        parts = urlsplit(url)
        here = f"{server.address}{parts.path}" if parts.netloc == HOST else url
        return partial(post_form, connections)(here, form)

    return send


def workload(post: PostForm, server: TokenServer, tmp_path: Path) -> AzureWorkload:
    (tmp_path / "token").write_text("federated-s3cret\n")
    return AzureWorkload(
        post, token_file=tmp_path / "token", client="client", tenant="tenant",
        authority=server.address,
    )  # fmt: skip


def put_az(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = tmp_path / "bin/az"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_only_names_of_azure() -> None:
    assert is_azure(HOST)
    assert is_azure("Seir.azurecr.io")
    for host in ("azurecr.io", f"{HOST}.evil.org", "evil.org/x.azurecr.io", "a.b.azurecr.io", ""):
        assert not is_azure(host), host


def test_the_identity_of_a_workload(server: TokenServer, post: PostForm, tmp_path: Path) -> None:
    source = workload(post, server, tmp_path)
    for _ in range(2):
        assert source.find(HOST) == Credential(AZURE_USER, "refresh-s3cret")
    assert source.find("registry.example.org") is None
    (path, first), (exchange, second) = server.asked
    assert path == "/tenant/oauth2/v2.0/token"
    assert (first["client_assertion"], first["client_id"]) == ("federated-s3cret", "client")
    assert exchange == "/oauth2/exchange"
    assert second == {
        "grant_type": "access_token", "service": HOST, "access_token": "identity-s3cret",
        "tenant": "tenant",
    }  # fmt: skip
    assert not any(secret in repr(source.find(HOST)) for secret in SECRETS)


def test_the_identity_of_az(
    server: TokenServer, post: PostForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = json.dumps({"accessToken": "identity-s3cret", "tenant": "mine"})
    put_az(tmp_path, monkeypatch, f"echo '{answer}'")
    source = AzureProgram(post)
    for _ in range(2):
        assert source.find(HOST) == Credential(AZURE_USER, "refresh-s3cret")
    assert (tmp_path / "asked").read_text() == "account get-access-token --output json\n"
    assert server.asked[0][1]["tenant"] == "mine"


def test_the_login_is_used_as_a_refresh_token(
    server: TokenServer, post: PostForm, tmp_path: Path
) -> None:
    asked: list[tuple[str, str | None]] = []

    def ask(verb: str, url: str, headers: object, form: str | None) -> dict[str, object]:
        asked.append((verb, form))
        return {"access_token": "t"}

    login = Authenticator(HOST, [workload(post, server, tmp_path)], ask, encrypted=True)
    login.answer(f'Bearer realm="https://{HOST}/oauth2/token",service="s"', "pull", refused=None)
    assert asked == [("POST", "grant_type=refresh_token&refresh_token=refresh-s3cret&service=s")]


def test_without_az_or_a_login_there_nobody_is_asked(
    post: PostForm, server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert AzureProgram(post).find(HOST) is None
    put_az(tmp_path, monkeypatch, "echo 'run az login' >&2; exit 1")
    assert AzureProgram(post).find(HOST) is None
    assert server.asked == []


def test_what_is_not_usable_is_said_without_secrets(
    post: PostForm, server: TokenServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_az(tmp_path, monkeypatch, "echo identity-s3cret")
    with pytest.raises(AccessDenied, match="no usable answer"):
        AzureProgram(post).find(HOST)
    monkeypatch.setattr(azure, "HELPER_SECONDS", 0.2)
    put_az(tmp_path, monkeypatch, "exec sleep 5")
    with pytest.raises(AccessDenied, match="did not answer within"):
        AzureProgram(post).find(HOST)
    (tmp_path / "token").unlink(missing_ok=True)
    source = AzureWorkload(
        post, token_file=tmp_path / "none", client="c", tenant="t", authority=server.address
    )
    with pytest.raises(AccessDenied, match="cannot be read"):
        source.find(HOST)
    for status, kind in ((401, AccessDenied), (503, Unavailable)):
        server.status = status
        with pytest.raises(kind) as caught:
            workload(post, server, tmp_path).find(HOST)
        assert not any(secret in str(caught.value) for secret in SECRETS)
    server.status, server.wrong = 200, True
    with pytest.raises(AccessDenied, match="gave no token"):
        workload(post, server, tmp_path).find(HOST)


def test_no_secret_leaves_without_encryption(tmp_path: Path) -> None:
    connections = Connections(parallel=1, proxies=None)
    (tmp_path / "token").write_text("federated-s3cret")
    source = AzureWorkload(
        partial(post_form, connections), token_file=tmp_path / "token", client="c", tenant="t",
        authority="http://login.example.org",
    )  # fmt: skip
    with pytest.raises(AccessDenied, match="not encrypted"):
        source.find(HOST)
    with pytest.raises(AccessDenied, match="without encryption"):
        post_form(connections, "http://login.example.org/x", {"a": "federated-s3cret"})
