"""install.sh with the real uv and no network: all wheels come from a folder."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uv

from support.install import COMMANDS, ROOT, Outcome, find_testbed, run, skip_or_fail, snapshot
from support.install_wheels import GIT_ENV, commit_all, copy_checkout, git, toy_wheel

UV = uv.find_uv_bin()


@dataclass(frozen=True, slots=True)
class Wheels:
    """Our wheel, all it needs, and a cache for uv that stays warm over the session."""

    folder: Path
    cache: Path
    ours: Path


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Wheels:
    base = tmp_path_factory.getbasetemp()
    place = (base if worker_id == "master" else base.parent) / "installer-wheels"
    place.mkdir(exist_ok=True)
    folder = place / "wheels"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "failed").exists() and not (place / "ready").exists():
            build = [
                UV,
                "build",
                "--quiet",
                "--wheel",
                "--no-build-isolation",
                "--python",
                sys.executable,
                "--out-dir",
                folder,
                ROOT,
            ]
            subprocess.run(build, check=True)
            fetch = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "--quiet",
                "--dest",
                folder,
                *folder.glob("*.whl"),
                "hatchling>=1.27",
            ]
            done = subprocess.run(fetch, capture_output=True, text=True, check=False)
            (place / ("failed" if done.returncode else "ready")).write_text(done.stderr[-500:])
    if (place / "failed").exists():
        skip_or_fail(f"the package index gives no wheels: {(place / 'failed').read_text()}")
    return Wheels(folder, place / "cache", next(folder.glob("modelops-*.whl")))


@dataclass(slots=True)
class Machine:
    """A home on this machine with the real uv, git and python on PATH."""

    root: Path
    wheels: Wheels
    env: dict[str, str]

    @property
    def home(self) -> Path:
        return self.root / "home with blank"

    @property
    def bin(self) -> Path:
        return self.home / ".local" / "bin"

    @property
    def tools(self) -> Path:
        return self.home / ".local" / "share" / "uv" / "tools"

    def install(self, *options: str, script: Path = ROOT / "install.sh", **env: str) -> Outcome:
        return run(["/bin/sh", script, *options], env=self.env | env, cwd=self.root)

    def install_offline(self, *options: str, **env: str) -> Outcome:
        return self.install("--offline", str(self.wheels.folder), *options, **env)

    def uv(self, *arguments: str | Path) -> Outcome:
        env = self.env | {"UV_OFFLINE": "1", "UV_NO_INDEX": "1"}
        return run([UV, *arguments], env=env, cwd=self.root).expect(0)

    def say_version(self) -> set[str]:
        said = [
            run([self.bin / name, "--version"], env=self.env, cwd=self.root).expect(0).out
            for name in COMMANDS
        ]
        return {line.partition(" ")[2].strip() for line in said}

    def check_installed(self) -> None:
        assert len(self.say_version()) == 1
        for name in COMMANDS:
            assert (self.bin / name).resolve() == (self.tools / "modelops" / "bin" / name).resolve()
        listed = self.uv("tool", "list").out
        assert [line.split()[0] for line in listed.splitlines() if line[0] != "-"] == ["modelops"]
        answer = run(
            [self.bin / "mops", "doctor", "--install", "--json"], env=self.env, cwd=self.root
        ).expect(0)
        assert json.loads(answer.out)["healthy"] is True


@pytest.fixture
def machine(tmp_path: Path, wheels: Wheels) -> Machine:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "uv").symlink_to(UV)
    minor = f"python3.{sys.version_info[1]}"
    (programs / minor).symlink_to(Path(sys.base_prefix) / "bin" / minor)
    env = {
        "HOME": str(tmp_path / "home with blank"),
        "PATH": f"{programs}:/usr/bin:/bin",
        "UV_CACHE_DIR": str(wheels.cache),
        "UV_PYTHON_DOWNLOADS": "never",
        "MODELOPS_PYTHON": str(programs / minor),
        "SHELL": "/bin/bash",
        **GIT_ENV,
    }
    made = Machine(tmp_path, wheels, env)
    made.home.mkdir()
    return made


def test_install_again_uninstall(machine: Machine) -> None:
    before = snapshot(machine.home)
    machine.install_offline().expect(0)
    machine.check_installed()
    first = (machine.tools / "modelops").stat().st_ino
    answer = json.loads(machine.install_offline("--json").expect(0).out)
    machine.check_installed()
    assert (machine.tools / "modelops").stat().st_ino != first
    assert answer["duplicates"] == []
    machine.install("--uninstall").expect(0)
    left = set(snapshot(machine.home)) - set(before)
    assert all(name.startswith(".local") and not name.startswith(".local/bin") for name in left), (
        left
    )
    assert not (machine.tools / "modelops").exists()
    machine.install_offline().expect(0)
    machine.check_installed()


def test_over_every_old_layout(machine: Machine) -> None:
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


def without_index(machine: Machine) -> None:
    machine.env |= {"UV_NO_INDEX": "1", "UV_FIND_LINKS": str(machine.wheels.folder)}


def test_from_a_checkout_and_its_edits(machine: Machine) -> None:
    without_index(machine)
    checkout = make_checkout(machine)
    for text in ("one", "two"):
        mark(checkout, text)
        machine.install(script=checkout / "install.sh").expect(0)
        assert read_mark(machine) == text
    machine.check_installed()
    receipt = json.loads((machine.home / ".modelops" / "install.json").read_text())
    assert receipt["commit"] == git(checkout, "rev-parse", "HEAD")
    assert len(list((machine.home / ".modelops" / "dist").iterdir())) == 1


def test_from_git_by_branch_tag_and_commit(machine: Machine) -> None:
    without_index(machine)
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
    assert json.loads((machine.home / ".modelops" / "install.json").read_text())["commit"] == fixed
    machine.install("--from", url).expect(0)
    assert read_mark(machine) == "main"
    machine.install("--from", url, "--ref", "v9").expect(0)
    assert read_mark(machine) == "fix"
    assert "nearest: fix-x" in machine.install("--from", url, "--branch", "fix-y").expect(1).err
    assert read_mark(machine) == "fix"
    machine.check_installed()


@pytest.fixture
def private_git(machine: Machine) -> Iterator[str]:
    """A server that asks for a token, as private repositories do."""
    testbed = find_testbed()
    bare = machine.root / "served" / "modelops" / "modelops.git"
    server = [sys.executable, str(testbed / "git-server.py")]
    subprocess.run(
        [*server, "--init", str(bare), str(make_checkout(machine))],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (machine.root / "tokens").write_text("s3cret modelops/* ro\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with subprocess.Popen(
        [
            *server,
            "--root",
            str(machine.root / "served"),
            "--tokens",
            str(machine.root / "tokens"),
            "--bind",
            address,
        ]
    ) as process:
        for _ in range(200):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", int(address.rpartition(":")[2]))) == 0:
                    break
            time.sleep(0.05)
        yield f"http://{address}"
        process.terminate()


def test_private_git(machine: Machine, private_git: str) -> None:
    """The public URL leads to the private server; the token comes from git's own configuration and is stored nowhere."""
    without_index(machine)
    alone = machine.root / "alone" / "install.sh"
    alone.parent.mkdir()
    shutil.copy2(ROOT / "install.sh", alone)
    config = machine.root / "gitconfig"
    config.write_text(f'[url "{private_git}/"]\n\tinsteadOf = https://github.com/\n')
    refused = machine.install(
        "--branch", "main", script=alone, GIT_CONFIG_GLOBAL=str(config)
    ).expect(1)
    assert "hint: a private repository" in refused.err
    helper = "!f() { echo username=x; echo password=s3cret; }; f"
    config.write_text(config.read_text() + f'[credential "{private_git}"]\n\thelper = "{helper}"\n')
    machine.install("--branch", "main", script=alone, GIT_CONFIG_GLOBAL=str(config)).expect(0)
    machine.check_installed()
    stored = [
        path
        for path, (_, content) in snapshot(machine.home).items()
        if isinstance(content, bytes) and b"s3cret" in content
    ]
    assert stored == []


def test_an_old_project_does_not_overwrite_our_packages(machine: Machine) -> None:
    """The lines that docs give for `uv sync` drop the older distributions, even when they are named by URL."""
    venv = machine.root / "venv"
    machine.uv("venv", "--quiet", "--python", machine.env["MODELOPS_PYTHON"], venv)
    python = venv / "bin" / "python"
    links = ["--find-links", machine.wheels.folder]
    machine.uv("pip", "install", "--quiet", "--python", python, machine.wheels.ours, *links)
    site = next((venv / "lib").glob("python3*")) / "site-packages"
    before = {
        name: value[1]
        for name, value in snapshot(site / "modelops_calabaria").items()
        if name.endswith(".py")
    }
    old = toy_wheel(machine.root / "toys", "modelops-calabaria", "modelops_calabaria", "cb")
    toys = machine.root / "toys"
    needs = f"modelops-calabaria @ {old.as_uri()}"
    project = toy_wheel(toys, "study", "study", None, requires=needs)
    overrides = machine.root / "overrides.txt"
    overrides.write_text(
        "".join(
            f'{name} ; python_version < "3"\n'
            for name in ("modelops-contracts", "modelops-calabaria", "modelops-bundle")
        )
    )
    machine.uv(
        "pip", "install", "--quiet", "--python", python, project, "--override", overrides, *links
    )
    assert {
        name: value[1]
        for name, value in snapshot(site / "modelops_calabaria").items()
        if name.endswith(".py")
    } == before
    machine.uv(
        "pip", "install", "--quiet", "--python", python, "--force-reinstall", "--no-deps", old
    )
    broken = run(
        [venv / "bin" / "mops", "doctor", "--install", "--json"], env=machine.env, cwd=machine.root
    )
    assert broken.code == 1
    assert "modelops-calabaria" in broken.out


def test_what_the_script_relies_on(machine: Machine) -> None:
    """Behaviour of uv that the script is built around; a uv that changes it must be noticed."""
    toys = machine.root / "toys"
    tool = toy_wheel(toys, "modelops-calabaria", "modelops_calabaria", "cb")
    other = toy_wheel(toys, "other", "other", "cb")
    machine.uv("tool", "install", tool)
    text = (machine.tools / "modelops-calabaria" / "bin" / "cb").read_text()
    assert text.startswith("#!/bin/sh\n'''exec' ")  # the home holds a blank
    failed = run(
        [UV, "tool", "install", "--force", "--offline", "--no-index", "modelops-calabaria==9"],
        env=machine.env,
        cwd=machine.root,
    )
    assert failed.code != 0
    (machine.bin / "cb").unlink()
    (machine.bin / "cb").write_text("somebody else's")
    machine.uv("tool", "install", "--force", other)
    assert (machine.bin / "cb").is_symlink()  # --force overwrites any file
    (machine.bin / "cb").unlink()
    (machine.bin / "cb").symlink_to(
        machine.tools / "other" / "bin" / "cb"
    )  # by hand: as good as uv's own
    machine.uv("tool", "uninstall", "modelops-calabaria")
    assert not (machine.bin / "cb").is_symlink()  # removed although it led to another tool
    (machine.bin / "cb").symlink_to(machine.tools / "other" / "bin" / "cb")
    (machine.tools / "other").rename(machine.root / "away")
    (machine.root / "away").rename(machine.tools / "other")
    assert run([machine.bin / "cb"], env=machine.env, cwd=machine.root).out == "old\n"
    machine.uv("tool", "uninstall", "other")
    assert list(machine.bin.iterdir()) == []


@pytest.mark.slow
def test_every_shell_installs(machine: Machine, shell: list[str]) -> None:
    done = run(
        [*shell, ROOT / "install.sh", "--offline", machine.wheels.folder],
        env=machine.env,
        cwd=machine.root,
    )
    done.expect(0)
    machine.check_installed()
