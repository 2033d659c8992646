"""install.sh with the real uv and no network: all wheels come from a folder."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from modelops import __version__
from support.install import run, snapshot
from support.install_machine import GitServer, Machine
from support.install_wheels import commit_all, copy_checkout, git, toy_wheel
from support.testbed import ROOT


def test_install_again_uninstall(each_uv: Machine) -> None:
    machine = each_uv
    before = snapshot(machine.home)
    machine.install_offline().expect(0)
    machine.check_installed()
    first = (machine.tools / "modelops").stat().st_ino
    answer = json.loads(machine.install_offline("--json").expect(0).out)
    machine.check_installed()
    assert (machine.tools / "modelops").stat().st_ino != first
    assert answer["duplicates"] == []
    machine.install("--uninstall").expect(0)
    assert snapshot(machine.home) == before
    assert not (machine.tools / "modelops").exists()
    machine.install_offline().expect(0)
    machine.check_installed()


def test_over_every_old_layout(each_uv: Machine) -> None:
    machine = each_uv
    toys = machine.root / "toys"
    for name, package, command in (
        ("modelops", "modelops", "mops"),
        ("modelops-bundle", "modelops_bundle", "modelops-bundle"),
        ("calabaria", "calabaria", "cb"),
        ("modelops-calabaria", "modelops_calabaria", "cb"),
    ):
        wheel = toy_wheel(toys, name, package, command)
        machine.uv("tool", "install", "--force", wheel)
    broken = machine.tools / "modelops-contracts" / "bin"
    broken.mkdir(parents=True)
    minor = f"python3.{sys.version_info[1]}"
    user = toy_wheel(toys, "modelops-calabaria", "modelops_calabaria", "cb")
    (machine.bin / "cb").unlink()
    pip = [
        minor,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--user",
        "--no-index",
        "--no-warn-script-location",
        "--force-reinstall",
    ]
    run(
        [shutil.which(minor, path=machine.env["PATH"]) or minor, *pip[1:], user],
        env=machine.env,
        cwd=machine.root,
    ).expect(0)
    (machine.bin / "calabaria").symlink_to(machine.tools / "calabaria" / "bin" / "calabaria")
    (machine.bin / "others").write_text("#!/bin/sh\n")
    (machine.bin / "black").symlink_to(machine.tools / "black" / "bin" / "black")
    done = machine.install_offline("--json").expect(0)
    machine.check_installed()
    assert sorted(path.name for path in machine.bin.iterdir()) == [
        "black",
        "cb",
        "modelops-bundle",
        "mops",
        "others",
    ]
    assert sorted(path.name for path in machine.tools.iterdir() if path.name[0] != ".") == [
        "modelops"
    ]
    site = machine.home / ".local" / "lib" / minor / "site-packages"
    assert list(site.glob("modelops*")) == []
    assert len(json.loads(done.out)["removed"]) >= 5


def make_checkout(machine: Machine) -> Path:
    return copy_checkout(machine.root / "checkout")


def mark(checkout: Path, text: str) -> None:
    (checkout / "src" / "modelops_runner" / "mark.py").write_text(f"MARK = {text!r}\n")


def read_mark(machine: Machine) -> str:
    python = machine.tools / "modelops" / "bin" / "python"
    return run(
        [python, "-c", "import modelops_runner.mark as m; print(m.MARK)"],
        env=machine.env,
        cwd=machine.root,
    ).out.strip()


def test_from_a_checkout_and_its_edits(machine: Machine) -> None:
    checkout = make_checkout(machine)
    for text in ("one", "two"):
        mark(checkout, text)
        machine.install(script=checkout / "install.sh").expect(0)
        assert read_mark(machine) == text
    machine.check_installed()
    commit = git(checkout, "rev-parse", "HEAD")
    assert machine.receipt["commit"] == commit
    assert machine.receipt["version"] == f"{__version__}+g{commit[:7]}.dirty"
    assert machine.say_version() == {f"{__version__} ({commit[:7]}, dirty)"}
    assert len(list((machine.home / ".modelops" / "dist").iterdir())) == 1


@pytest.mark.parametrize(
    "each_uv", ["newest", pytest.param("oldest", marks=pytest.mark.nightly)], indirect=True
)
def test_from_git_by_branch_tag_and_commit(each_uv: Machine) -> None:
    machine = each_uv
    checkout = make_checkout(machine)
    mark(checkout, "main")
    commit_all(checkout)
    git(checkout, "checkout", "--quiet", "-b", "fix-x")
    mark(checkout, "fix")
    fixed = commit_all(checkout)
    git(checkout, "tag", "-a", "-m", "t", "v9")
    url = f"file://{checkout}"
    machine.install("--from", url, MODELOPS_BRANCH="fix-x").expect(0)
    assert read_mark(machine) == "fix"
    assert machine.receipt["commit"] == fixed
    assert machine.say_version() == {f"{__version__} ({fixed[:7]})"}
    log = "".join(path.read_text() for path in (machine.home / ".modelops" / "logs").iterdir())
    assert log.count(" tool install --force") == log.count(" tool install --force --offline") == 1
    machine.install("--from", url).expect(0)
    assert read_mark(machine) == "main"
    machine.install("--from", url, "--ref", "v9").expect(0)
    assert read_mark(machine) == "fix"
    assert "nearest: fix-x" in machine.install("--from", url, "--branch", "fix-y").expect(1).err
    git(checkout, "tag", "fix-x", "main")
    both = machine.install("--from", url, "--branch", "fix-x").expect(2)
    assert f"--ref {fixed} (the branch)" in both.err
    machine.install("--from", url, "--ref", fixed[:12]).expect(1)
    exact = machine.install("--from", url, "--ref", fixed, "--dry-run").expect(0)
    assert f"modelops @ git+{url}@{fixed}" in exact.err
    assert read_mark(machine) == "fix"
    machine.check_installed()


def test_private_git(machine: Machine, git_server: GitServer) -> None:
    """The public URL leads to the private server; the token comes from git's own configuration and is stored nowhere."""
    git_server.add("modelops/modelops", make_checkout(machine))
    alone = machine.root / "alone" / "install.sh"
    alone.parent.mkdir()
    shutil.copy2(ROOT / "install.sh", alone)
    config = git_server.write_config(machine.root / "gitconfig", token=None)
    machine.env["GIT_CONFIG_GLOBAL"] = str(config)
    refused = machine.install("--branch", "main", script=alone).expect(1)
    assert "a private repository needs git's credentials for github.com" in refused.err
    git_server.write_config(config, token="wrong")
    machine.install("--branch", "main", script=alone).expect(1)
    git_server.write_config(config, token="s3cret")
    assert (
        "nearest: main"
        in machine.install("--branch", "mainn", "--dry-run", script=alone).expect(1).err
    )
    machine.install("--branch", "main", script=alone).expect(0)
    machine.check_installed()
    stored = [
        path
        for path, (_, content) in snapshot(machine.home).items()
        if isinstance(content, bytes) and b"s3cret" in content
    ]
    assert stored == []


@pytest.mark.slow
def test_every_shell_installs(machine: Machine, shell: list[str]) -> None:
    done = run(
        [*shell, ROOT / "install.sh", "--offline", machine.wheels.folder],
        env=machine.env,
        cwd=machine.root,
    )
    done.expect(0)
    machine.check_installed()
