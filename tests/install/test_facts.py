"""Behaviour of uv that install.sh is built around: a uv that changes it must be noticed.

Each with the newest uv and with the oldest that the script takes.
"""

from __future__ import annotations

import functools
import http.server
import json
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.install import Outcome, run
from support.install_machine import Machine
from support.install_wheels import toy_wheel
from support.testbed import skip_or_fail


def call(machine: Machine, *words: str | Path, **env: str) -> Outcome:
    return run([machine.uv_program, *words], env=machine.env | env, cwd=machine.root)


@pytest.fixture
def calabaria(each_uv: Machine) -> Machine:
    """A tool of the older suite is installed."""
    tool = toy_wheel(each_uv.root / "toys", "modelops-calabaria", "modelops_calabaria", "cb")
    each_uv.uv("tool", "install", tool)
    return each_uv


@pytest.mark.parametrize("each_uv", ["newest"], indirect=True)
def test_a_forced_install_that_fails_to_build_loses_the_old_one(calabaria: Machine) -> None:
    """1: so the old one is renamed away first, and put back. (The oldest uv keeps it here.)"""
    project = calabaria.root / "project"
    project.mkdir()
    (project / "setup.py").write_text("raise SystemExit('no')\n")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'
        '[project]\nname = "modelops-calabaria"\nversion = "2"\n'
    )
    failed = call(calabaria, "tool", "install", "--force", "--offline", project)
    assert failed.code != 0
    assert not (calabaria.bin / "cb").exists()


def test_force_overwrites_any_file(calabaria: Machine) -> None:
    """2: so we look first."""
    (calabaria.bin / "cb").unlink()
    (calabaria.bin / "cb").write_text("somebody else's")
    other = toy_wheel(calabaria.root / "toys", "other", "other", "cb")
    calabaria.uv("tool", "install", "--force", other)
    assert (calabaria.bin / "cb").is_symlink()


def test_uninstalling_removes_links_that_lead_elsewhere(calabaria: Machine) -> None:
    """3: so links are restored after an old tool is removed."""
    other = toy_wheel(calabaria.root / "toys", "other", "other", "cb")
    calabaria.uv("tool", "install", "--force", other)
    assert calabaria.tools / "other" in (calabaria.bin / "cb").readlink().parents
    calabaria.uv("tool", "uninstall", "modelops-calabaria")
    assert not (calabaria.bin / "cb").is_symlink()


def test_a_link_made_by_hand_is_as_good_as_uvs_own(calabaria: Machine) -> None:
    """4: so links can be restored at all."""
    (calabaria.bin / "cb").unlink()
    (calabaria.bin / "cb").symlink_to(calabaria.tools / "modelops-calabaria" / "bin" / "cb")
    assert "modelops-calabaria v0.1.0" in call(calabaria, "tool", "list").expect(0).out
    calabaria.uv("tool", "uninstall", "modelops-calabaria")
    assert list(calabaria.bin.iterdir()) == []


def test_a_tool_renamed_away_and_back_works(calabaria: Machine) -> None:
    """5: so renaming is the way back."""
    (calabaria.tools / "modelops-calabaria").rename(calabaria.root / "away")
    assert (calabaria.bin / "cb").is_symlink()
    (calabaria.root / "away").rename(calabaria.tools / "modelops-calabaria")
    answer = run([calabaria.bin / "cb"], env=calabaria.env, cwd=calabaria.root)
    assert answer.expect(0).out == "old\n"
    assert "modelops-calabaria v0.1.0" in call(calabaria, "tool", "list").expect(0).out


def test_a_request_without_an_upper_bound_admits_the_newest_python(each_uv: Machine) -> None:
    """6: so ours ends below the first Python that nobody tested."""
    words = ["python", "list", "--only-downloads", "--output-format", "json"]

    def newest(request: str) -> tuple[int, int]:
        found = call(each_uv, *words, request, UV_PYTHON_DOWNLOADS="automatic").expect(0).out
        parts = [one["version_parts"] for one in json.loads(found)]
        return max((part["major"], part["minor"]) for part in parts)

    assert newest(">=3.12") >= (3, 14)
    assert newest(">=3.11,<3.14") == (3, 13)


@pytest.fixture
def private_index(each_uv: Machine) -> Iterator[tuple[str, Path]]:
    """An address whose certificate only one file knows, with a toy wheel."""
    if shutil.which("openssl") is None:
        skip_or_fail("there is no openssl here")
    toy_wheel(each_uv.root / "served", "other", "other", None)
    key, certificate = each_uv.root / "key.pem", each_uv.root / "cert.pem"
    config = each_uv.root / "openssl.cnf"
    config.write_text(
        "[req]\ndistinguished_name = dn\nx509_extensions = ext\nprompt = no\n[dn]\nCN = localhost\n"
        "[ext]\nsubjectAltName = DNS:localhost\nbasicConstraints = critical,CA:FALSE\n"
    )
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-config", str(config)]
    names = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*make, *names], check=True, stderr=subprocess.DEVNULL)
    handler = functools.partial(QuietHandler, directory=str(each_uv.root / "served"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_address[1]}/", certificate
        server.shutdown()
        thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Says nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


def test_uv_trusts_what_ssl_cert_file_names(
    each_uv: Machine, private_index: tuple[str, Path]
) -> None:
    """7: so install.sh sets it to the system's own list."""
    address, certificate = private_index
    each_uv.uv("venv", "--quiet", "--python", each_uv.env["MODELOPS_PYTHON"], each_uv.root / "v")
    words = ["pip", "install", "--python", str(each_uv.root / "v"), "--no-cache"]
    words += ["--no-index", "--find-links", address, "other"]
    refused = call(each_uv, *words, UV_HTTP_RETRIES="0")
    assert refused.code != 0
    assert "certificate" in refused.err
    call(each_uv, *words, SSL_CERT_FILE=str(certificate)).expect(0)


def test_scripts_below_a_folder_with_a_blank_have_the_long_form(calabaria: Machine) -> None:
    """10: so ownership is read from both forms."""
    text = (calabaria.tools / "modelops-calabaria" / "bin" / "cb").read_text()
    assert " " in str(calabaria.tools)
    assert text.startswith("#!/bin/sh\n'''exec' ")
