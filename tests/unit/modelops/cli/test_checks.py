"""The checks of `mops doctor`."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelops.cli._call import Call
from modelops.cli._tree import CONSOLES
from modelops.cli.mops import _installation_checks
from modelops.cli.mops._check import Check
from modelops.cli.mops._checks import (
    check_configuration,
    check_environment,
    check_home,
    check_secrets,
    find_checks,
    run_checks,
)
from modelops.cli.mops._installation_checks import (
    check_azure,
    check_completion,
    check_consoles,
    check_git,
    check_uv,
    read_version,
)
from modelops_contracts.errors import NotFound


def install(folder: Path) -> Path:
    folder.mkdir()
    for name in CONSOLES:
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return folder


def test_consoles_that_are_found_first(tmp_path: Path) -> None:
    ours = install(tmp_path / "ours")
    assert check_consoles(ours, f"{ours}{os.pathsep}/nowhere").status == "ok"


def test_a_link_to_ours_is_ours(tmp_path: Path) -> None:
    ours = install(tmp_path / "ours")
    links = tmp_path / "links"
    links.mkdir()
    for name in CONSOLES:
        (links / name).symlink_to(ours / name)
    assert check_consoles(ours, str(links)).status == "ok"


def test_a_stranger_before_ours_is_named(tmp_path: Path) -> None:
    ours, theirs = install(tmp_path / "ours"), install(tmp_path / "theirs")
    found = check_consoles(ours, f"{theirs}{os.pathsep}{ours}")
    assert found.status == "warn"
    assert str(theirs / "mops") in found.detail


def test_consoles_off_the_path_and_missing_ones(tmp_path: Path) -> None:
    ours = install(tmp_path / "ours")
    assert check_consoles(ours, "/nowhere").hint == f'export PATH="{ours}:$PATH"'
    (ours / "cb").unlink()
    assert check_consoles(ours, str(ours)).status == "fault"


def link(ours: Path, folder: Path) -> Path:
    folder.mkdir()
    for name in CONSOLES:
        (folder / name).symlink_to(ours / name)
    return folder


@pytest.mark.parametrize("state", ["gone", "dangling", "foreign"])
def test_a_link_that_is_gone_or_leads_elsewhere_is_a_fault_whose_command_mends_it(
    tmp_path: Path, state: str
) -> None:
    ours = install(tmp_path / "our tool")
    links = link(ours, tmp_path / "a bin")
    place = links / "cb"
    place.unlink()
    (links / "mops").unlink()
    if state == "dangling":
        place.symlink_to(tmp_path / "nowhere")
    elif state == "foreign":
        place.write_text("theirs")
        place.chmod(0o755)
    found = check_consoles(ours, str(links), links)
    assert found.status == "fault"
    assert str(place) in found.detail
    assert found.hint is not None
    subprocess.run(["/bin/sh", "-c", found.hint], check=True)
    assert check_consoles(ours, str(links), links).status == "ok"
    if state == "foreign":
        assert (links / "cb.before-modelops").read_text() == "theirs"


@pytest.mark.parametrize("answer", ["exit 1", "exec /nowhere", "echo something else"])
def test_a_uv_that_does_not_answer_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    program = tmp_path / "uv"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    monkeypatch.setattr("uv.find_uv_bin", lambda: str(program))
    found = check_uv()  # may not be executed
    assert (found.status, bool(found.hint)) == ("fault", True)
    program.chmod(0o755)
    assert check_uv().status == "fault"
    program.write_text("#!/bin/sh\necho uv 0.9.0\n")
    assert check_uv().detail == f"uv 0.9.0 at {program}"


def test_a_home_that_is_a_file_is_moved_away_not_opened(tmp_path: Path) -> None:
    home = tmp_path / "my home"
    home.write_text("")
    call: Any = SimpleNamespace(environment={"MODELOPS_HOME": str(home)})
    found = check_home(call)
    assert (found.status, found.detail) == ("fault", f"{home} is not a folder")
    assert found.hint is not None
    subprocess.run(["/bin/sh", "-c", found.hint], check=True)
    assert check_home(call).status == "ok"


def test_a_folder_in_the_home_that_is_not_ours_to_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sudo mops` leaves such a one."""
    home = tmp_path / "my home"
    (home / "artifacts").mkdir(parents=True, mode=0o755)
    home.chmod(0o755)
    call: Any = SimpleNamespace(environment={"MODELOPS_HOME": str(home)})
    assert check_home(call).status == "ok"
    real = os.access
    closed = home / "artifacts"
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and real(path, mode))
    assert check_home(call).hint == f"chmod u+rwX '{closed}'"
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    found = check_home(call)
    assert found.detail == f"{closed} cannot be written"
    assert found.hint == f"sudo chown -R \"$(id -un)\" '{closed}'"


def test_a_home_that_others_may_write_in_is_closed_by_the_command(tmp_path: Path) -> None:
    home = tmp_path / "my home"
    home.mkdir()
    home.chmod(0o777)
    call: Any = SimpleNamespace(environment={"MODELOPS_HOME": str(home)})
    found = check_home(call)
    assert found.status == "warn"
    assert found.hint is not None
    subprocess.run(["/bin/sh", "-c", found.hint], check=True)
    assert check_home(call).status == "ok"


def test_a_working_directory_that_is_gone_is_said_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    call = Call("mops doctor", {}, {"MODELOPS_HOME": str(tmp_path), "HOME": str(tmp_path)})
    with pytest.raises(NotFound, match="the working directory is gone") as caught:
        _ = call.start
    assert caught.value.hint == 'cd "$HOME"'
    faults = run_checks(find_checks(call, install_only=False), 5)
    told = {check.name: check for check in faults if check.status == "fault"}
    assert {"configuration", "project"} <= set(told)
    assert all(check.hint == 'cd "$HOME"' for name, check in told.items() if name != "consoles")


def test_an_environment_is_not_looked_for_where_the_settings_cannot_be_read(
    tmp_path: Path,
) -> None:
    (tmp_path / "config.yaml").write_text("a: [\n")
    call = Call("mops doctor", {}, {"MODELOPS_HOME": str(tmp_path), "HOME": str(tmp_path)})
    assert check_configuration(call).status == "fault"
    assert check_environment(call).status == "skipped"


@pytest.mark.parametrize(
    ("text", "version"),
    [("2.31.0", (2, 31, 0)), ("2.100.1-rc2", (2, 100, 1)), ("2.9", (2, 9)), ("x", ())],
)
def test_versions_are_compared_as_numbers(text: str, version: tuple[int, ...]) -> None:
    assert read_version(text) == version


@pytest.mark.parametrize(
    ("version", "status"), [("2.9.1", "warn"), ("2.100.0", "ok"), ("?", "warn")]
)
def test_git(tmp_path: Path, version: str, status: str) -> None:
    git = tmp_path / "git"
    git.write_text(f"#!/bin/sh\necho git version {version}\n")
    git.chmod(0o755)
    assert check_git(str(tmp_path)).status == status
    assert check_git("/nowhere").status == "warn"


def test_all_of_that_name_on_path_are_told_once(tmp_path: Path) -> None:
    ours, theirs = install(tmp_path / "ours"), install(tmp_path / "theirs")
    again = tmp_path / "again"
    again.symlink_to(theirs)
    search = os.pathsep.join(map(str, (ours, theirs, again, ours)))
    found = check_consoles(ours, search)
    assert found.status == "ok"
    assert found.detail.count(str(theirs / "cb")) == 1
    assert str(again) not in found.detail


def test_the_folder_of_the_links_is_named_where_install_sh_made_them(tmp_path: Path) -> None:
    ours = install(tmp_path / "ours")
    found = check_consoles(ours, "/nowhere", link(ours, tmp_path / "bin"))
    assert found.hint == f'export PATH="{tmp_path / "bin"}:$PATH"'


@pytest.mark.parametrize(
    ("version", "status"), [("2.31.0", "ok"), ("2.9.1", "warn"), ("2.100.0", "ok"), ("", "warn")]
)
def test_azure(tmp_path: Path, version: str, status: str) -> None:
    az = tmp_path / "az"
    az.write_text(f"#!/bin/sh\necho {version}\n")
    az.chmod(0o755)
    assert check_azure(str(tmp_path)).status == status
    assert check_azure("/nowhere").status == "skipped"


def test_azure_that_hangs_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_installation_checks, "AZ_SECONDS", 0.1)
    az = tmp_path / "az"
    az.write_text("#!/bin/sh\nexec sleep 30\n")
    az.chmod(0o755)
    assert check_azure(str(tmp_path)).status == "warn"


@pytest.mark.parametrize(
    ("shell", "said"),
    [
        ("/bin/bash", 'eval "$(mops completion bash)"'),
        ("/usr/bin/fish", "mops completion fish | source"),
        ("/bin/dash", "none for dash"),
        ("", "none for an unknown shell"),
    ],
)
def test_completion(shell: str, said: str) -> None:
    assert said in check_completion(shell).detail


def test_secrets_that_others_can_read(tmp_path: Path) -> None:
    call = SimpleNamespace(environment={"MODELOPS_HOME": str(tmp_path)})
    assert check_secrets(call).status == "ok"  # type: ignore[arg-type]
    secret = tmp_path / "secrets" / "token"
    secret.parent.mkdir(mode=0o700)
    secret.write_text("s")
    secret.chmod(0o640)
    assert str(secret) in check_secrets(call).detail  # type: ignore[arg-type]
    secret.chmod(0o600)
    assert check_secrets(call).status == "ok"  # type: ignore[arg-type]


def test_a_check_that_hangs_or_breaks_is_a_fault() -> None:
    def hang() -> Check:
        time.sleep(30)
        raise AssertionError

    def crash() -> Check:
        raise RuntimeError("no such thing")

    found = run_checks({"hang": hang, "crash": crash, "good": lambda: Check("good", "ok", "")}, 0.2)
    assert [(check.name, check.status) for check in found] == [
        ("hang", "fault"),
        ("crash", "fault"),
        ("good", "ok"),
    ]
    assert found[1].detail == "RuntimeError: no such thing"
