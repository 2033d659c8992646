"""A machine for install.sh with the real uv and no network: all wheels come from a folder."""

from __future__ import annotations

import fcntl
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uv

from support.install import COMMANDS, SCRIPT, Outcome, run
from support.install_wheels import GIT_ENV
from support.testbed import ROOT, find_testbed, skip_or_fail

UV = uv.find_uv_bin()
MINOR = f"python3.{sys.version_info[1]}"


@dataclass(frozen=True, slots=True)
class Wheels:
    """Our wheel, all it needs, a warm cache for uv, and the oldest uv that install.sh takes."""

    folder: Path
    cache: Path
    ours: Path
    oldest_uv: str


def gather_wheels(place: Path) -> Wheels:
    """Build our wheel and fetch all it needs, once for all processes that name this folder."""
    place.mkdir(exist_ok=True)
    folder = place / "wheels"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "failed").exists() and not (place / "ready").exists():
            build = [UV, "build", "--quiet", "--wheel", "--no-build-isolation"]
            build += ["--python", sys.executable, "--out-dir", str(folder), str(ROOT)]
            subprocess.run(build, check=True)
            fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
            fetch += [*map(str, folder.glob("*.whl")), "hatchling>=1.27"]
            done = subprocess.run(fetch, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                done = fetch_oldest_uv(place / "oldest")
            (place / ("failed" if done.returncode else "ready")).write_text(done.stderr[-500:])
    if (place / "failed").exists():
        skip_or_fail(f"the package index gives no wheels: {(place / 'failed').read_text()}")
    ours = next(folder.glob("modelops-*.whl"))
    return Wheels(folder, place / "cache", ours, str(place / "oldest" / "bin" / "uv"))


def fetch_oldest_uv(folder: Path) -> subprocess.CompletedProcess[str]:
    """Install the version that install.sh names as its minimum into a folder."""
    found = re.search(r"MIN_UV=([0-9.]+)", SCRIPT.read_text())
    assert found is not None
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder)]
    command = [*install, f"uv=={found.group(1)}"]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass(slots=True)
class Machine:
    """A home on this machine with the real uv, git and python on PATH."""

    root: Path
    wheels: Wheels
    env: dict[str, str]
    uv_program: str = UV

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
        env = self.env | {"UV_OFFLINE": "1"}
        return run([self.uv_program, *arguments], env=env, cwd=self.root).expect(0)

    @property
    def receipt(self) -> dict[str, Any]:
        """What install.sh wrote down."""
        text = (self.home / ".modelops" / "install.json").read_text()
        receipt: dict[str, Any] = json.loads(text)
        return receipt

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


def make_machine(root: Path, wheels: Wheels, uv_program: str = UV) -> Machine:
    """An empty home; on PATH only uv, one Python and the system's programs."""
    programs = root / "programs"
    programs.mkdir()
    (programs / "uv").symlink_to(uv_program)
    (programs / MINOR).symlink_to(Path(sys.base_prefix) / "bin" / MINOR)
    toys = root / "toys"
    toys.mkdir()
    config = root / "uv.toml"  # no variable says this
    config.write_text(f'no-index = true\nfind-links = ["{wheels.folder}", "{toys}"]\n')
    env = {
        "UV_CONFIG_FILE": str(config),
        "HOME": str(root / "home with blank"),
        "PATH": f"{programs}:/usr/bin:/bin",
        "UV_CACHE_DIR": str(wheels.cache),
        "UV_PYTHON_DOWNLOADS": "never",
        "MODELOPS_PYTHON": str(programs / MINOR),
        "SHELL": "/bin/bash",
        **GIT_ENV,
    }
    made = Machine(root, wheels, env, uv_program)
    made.home.mkdir()
    return made


@dataclass(frozen=True, slots=True)
class GitServer:
    """Answers like a private host: https://github.com/ORG/NAME.git is at address/ORG/NAME.git."""

    address: str
    root: Path

    def add(self, name: str, source: Path) -> Path:
        """A repository ORG/NAME with the files of a folder as its first commit on main."""
        bare = self.root / f"{name}.git"
        program = [sys.executable, str(find_testbed() / "git-server.py"), "--init"]
        subprocess.run([*program, bare, source], check=True, stdout=subprocess.DEVNULL)
        return bare

    def write_config(self, path: Path, *, token: str | None) -> Path:
        """A git configuration that leads github.com here, with a token or without."""
        text = f'[url "{self.address}/"]\n\tinsteadOf = https://github.com/\n'
        if token is not None:
            helper = f"!f() {{ echo username=x; echo password={token}; }}; f"
            text += f'[credential "{self.address}"]\n\thelper = "{helper}"\n'
        path.write_text(text)
        return path

    @property
    def requests(self) -> str:
        """The log of what was asked."""
        return (self.root / "log").read_text() if (self.root / "log").exists() else ""


@contextmanager
def serve_git(root: Path, token: str) -> Iterator[GitServer]:
    """The testbed's git server, which knows one token that may read everything."""
    program = [sys.executable, str(find_testbed() / "git-server.py")]
    root.mkdir(parents=True, exist_ok=True)
    (root / "tokens").write_text(f"{token} */* ro\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = ["--root", root, "--tokens", root / "tokens", "--log", root / "log"]
    with subprocess.Popen([*program, *places, "--bind", f"127.0.0.1:{port}"]) as process:
        wait_for_port(port)
        yield GitServer(f"http://127.0.0.1:{port}", root)
        process.terminate()


def wait_for_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nothing listens on port {port}")
