"""Worlds for install.sh: shells, and a PATH of stubs that write down how they were called."""

# ruff: noqa: E501 - the stub is a program of its own

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from support.testbed import ROOT, skip_or_fail

SCRIPT = ROOT / "install.sh"
COMMANDS = ("mops", "cb", "modelops-bundle")
COMMIT = "1f" * 20

#: Every shell that must run the script, by the command that starts it.
SHELLS: Mapping[str, tuple[str, ...]] = {
    "dash": ("dash",),
    "bash": ("bash",),
    "bash-posix": ("bash", "--posix"),
    "busybox": ("busybox", "ash"),
    "mksh": ("mksh",),
    "zsh": ("zsh", "--emulate", "sh"),
}
POSIX_TOOLS = [
    "awk",
    "basename",
    "cat",
    "printf",
    "chmod",
    "cmp",
    "cp",
    "cut",
    "date",
    "df",
    "dirname",
    "du",
    "env",
    "expr",
    "find",
    "grep",
    "head",
    "id",
    "ln",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "ps",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "sha256sum",
    "sleep",
    "sort",
    "tail",
    "touch",
    "tr",
    "uname",
    "wc",
]


def find_shell(name: str) -> list[str]:
    """The full command of a shell, or a skip with the reason."""
    program, *options = SHELLS[name]
    path = shutil.which(program)
    if path is None:
        skip_or_fail(f"there is no {program} here")
    return [str(path), *options]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended."""

    code: int
    out: str
    err: str

    def expect(self, code: int) -> Outcome:
        assert self.code == code, f"exit {self.code} instead of {code}\n{self.out}\n{self.err}"
        return self


def run(
    arguments: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path,
    stdin: str | int | None = subprocess.DEVNULL,
    timeout: float = 120,
    user: int | None = None,
) -> Outcome:
    """Run a program to its end in a process group of its own, which ends with it at the latest."""
    given = isinstance(stdin, str)
    with subprocess.Popen(
        [str(part) for part in arguments],
        env=dict(env),
        cwd=cwd,
        stdin=subprocess.PIPE if given else stdin,  # type: ignore[arg-type]
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        user=user,
        group=user,
        extra_groups=[] if user is not None else None,
    ) as process:
        try:
            out, err = process.communicate(stdin if given else None, timeout=timeout)  # type: ignore[arg-type]
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return Outcome(process.returncode, out, err)


STUB = r"""#!/bin/sh
name=${0##*/}
printf '%s\n' "$name $*" >>"$WORLD/calls"
if [ -n "${KILL_AT:-}" ]; then
    printf . >>"$WORLD/count"
    if [ "$(wc -c <"$WORLD/count")" -eq "$KILL_AT" ]; then
        case $KILL_THEN-$name in go-on-mv | go-on-ln | go-on-rm | go-on-cp | go-on-mkdir) "$WORLD/real/$name" "$@" ;; esac
        case $KILL_THEN-$name in go-on-uv) sleep 0.2 ;; esac
        kill -9 "$(cat "$WORLD/victim")"
        case $KILL_THEN-$name in go-on-uv) sleep 0.3 ;; *) exit 9 ;; esac
    fi
fi
case $name in mv | ln | rm | cp | mkdir) exec "$WORLD/real/$name" "$@" ;; esac
key=$name
for word in "$@"; do
    case $word in -* | *[!A-Za-z0-9-]*) ;; *) key=$key-$word ;; esac
    case $key in *-*-*) break ;; esac
done
for file in "$WORLD/inject/$key" "$WORLD/inject/$name"; do
    if [ -f "$file" ]; then . "$file"; fi
done
make_commands() {
    mkdir -p "$1/bin"
    printf '#!/bin/sh\ncase "$1" in -V) echo Python 3.12.9 ;; *) %s ;; esac\n' "${STUB_PROBE:-}" >"$1/bin/python"
    for command in ${STUB_COMMANDS:-mops cb modelops-bundle}; do
        sed "s/@VERSION@/${STUB_VERSION:-0.3.0}/; s/@COMMIT@/${STUB_COMMIT-1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f}/" "$WORLD/command" >"$1/bin/$command"
    done
    chmod 755 "$1"/bin/*
}
case $name in
    az) echo 2.60.0 ;;
    git) case $1 in
        ls-remote) cat "$WORLD/refs" ;;
        -C) echo 1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f ;;
    esac ;;
    uv)
        folder=
        for word; do case $word in */venv) folder=$word ;; */venv/bin/python) folder=${word%/bin/python} ;; */dist/*.whl) ;; */dist/*) folder=$word ;; esac; done
        case $1-${2:-} in
            --version-*) echo "uv ${STUB_UV:-0.13.9} (stub)" ;;
            venv-*) mkdir -p "$folder/bin" ;;
            pip-install) make_commands "$folder" ;;
            build-*) mkdir -p "$folder" && : >"$folder/modelops-${STUB_VERSION:-0.3.0}-py3-none-any.whl" ;;
            tool-install)
                rm -rf "$UV_TOOL_DIR/modelops" && make_commands "$UV_TOOL_DIR/modelops"
                for command in mops cb modelops-bundle; do ln -sf "$UV_TOOL_DIR/modelops/bin/$command" "$UV_TOOL_BIN_DIR/$command"; done
                : >"$UV_TOOL_DIR/modelops/uv-receipt.toml"
                ;;
            tool-uninstall)
                for file in "$UV_TOOL_DIR/$3"/bin/*; do rm -f "$UV_TOOL_BIN_DIR/${file##*/}"; done
                rm -rf "$UV_TOOL_DIR/$3"
                ;;
        esac ;;
    python3) case "$*" in *" -c "*) exit 0 ;; *) exit 1 ;; esac ;;
    curl | wget | dpkg | rpm) exit 1 ;;
esac
"""
COMMAND = """#!/bin/sh
case "$1" in
    --version) echo "${0##*/} @VERSION@" ;;
    version) echo '{"version": "@VERSION@", "commit": "@COMMIT@"}' ;;
    doctor) echo '{"healthy": true}' ;;
esac
"""


@dataclass(slots=True)
class World:
    """A home, a PATH of stubs, and the script; nothing of the real machine but its POSIX tools."""

    root: Path
    shell: list[str]
    home_name: str = "home"
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True)
        (self.root / "inject").mkdir()
        self.stubs.mkdir()
        for tool in POSIX_TOOLS:
            if found := shutil.which(tool):
                (self.stubs / tool).symlink_to(found)
        for name in ("uv", "az", "git"):
            self.add_stub(name)
        self.write(self.root / "command", COMMAND)
        self.write(
            self.root / "refs", f"{COMMIT}\trefs/heads/main\n{'2e' * 20}\trefs/heads/fix-x\n"
        )
        self.wheels = self.root / "wheels"
        self.wheel = self.wheels / "modelops-0.3.0-py3-none-any.whl"
        self.write(self.wheel, "")
        self.env = {
            "HOME": str(self.home),
            "PATH": str(self.stubs),
            "WORLD": str(self.root),
            "TMPDIR": str(self.root),
            "SHELL": "/bin/bash",
        }

    wheels: Path = field(init=False)
    wheel: Path = field(init=False)

    @property
    def home(self) -> Path:
        return self.root / self.home_name

    @property
    def stubs(self) -> Path:
        return self.root / "stubs"

    @property
    def bin(self) -> Path:
        return self.home / ".local" / "bin"

    @property
    def tools(self) -> Path:
        return self.home / ".local" / "share" / "uv" / "tools"

    @property
    def state(self) -> Path:
        return self.home / ".modelops"

    @property
    def calls(self) -> list[str]:
        file = self.root / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def forget_calls(self) -> None:
        (self.root / "calls").unlink(missing_ok=True)

    def write(self, path: Path, text: str, mode: int | None = None) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if mode is not None:
            path.chmod(mode)
        return path

    def add_stub(self, name: str) -> None:
        self.write(self.stubs / name, STUB, 0o755)

    def remove_stub(self, name: str) -> None:
        (self.stubs / name).unlink()

    def inject(self, key: str, script: str) -> None:
        """Let the stub do this first: `uv-tool-install`, `az`, ... (`exit` ends it)."""
        self.write(self.root / "inject" / key, script)

    def stop_injecting(self) -> None:
        for file in (self.root / "inject").iterdir():
            file.unlink()

    def install(self, *options: str, script: Path = SCRIPT, **env: str) -> Outcome:
        return run([*self.shell, script, *options], env=self.env | env, cwd=self.root)

    def install_wheel(self, *options: str, **env: str) -> Outcome:
        return self.install("--from", str(self.wheel), *options, **env)

    def patched(self, **constants: str) -> Path:
        """The script with other constants (waiting times)."""
        text = SCRIPT.read_text()
        for name, value in constants.items():
            head, found, tail = text.partition(f"{name}=")
            assert found, name
            text = head + found + value + tail[len(tail.split(maxsplit=1)[0]) :]
        return self.write(self.root / "patched.sh", text, 0o755)

    def old_tool(self, name: str, *commands: str, receipt: bool = True) -> None:
        """An installed uv tool of an older kind with its links."""
        for command in commands:
            target = self.tools / name / "bin" / command
            self.write(target, f"#!/bin/sh\necho {command} 0.1.0\n", 0o755)
            link = self.bin / command
            link.parent.mkdir(parents=True, exist_ok=True)
            link.unlink(missing_ok=True)
            link.symlink_to(target)
        if receipt:
            self.write(self.tools / name / "uv-receipt.toml", "[tool]\n")

    def check_installed(self) -> None:
        for name in COMMANDS:
            assert (self.bin / name).resolve() == (self.tools / "modelops" / "bin" / name).resolve()
            assert (
                run([self.bin / name, "--version"], env=self.env, cwd=self.root).out
                == f"{name} 0.3.0\n"
            )
        assert not (self.tools.parent / "modelops-previous").exists()
        assert not (self.state / "switch").exists()
        assert not (self.state / "install.lock").exists()
        assert list(self.state.glob("stage.*")) == []


def snapshot(folder: Path, *, times: bool = False) -> dict[str, tuple[object, ...]]:
    """What lies below a folder: kinds, modes, contents, targets of links, and times if asked."""
    found: dict[str, tuple[object, ...]] = {}
    for path in walk(folder):
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = str(path.readlink())
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(folder))] = (
            status.st_mode,
            content,
            *([status.st_mtime_ns] if times else []),
        )
    return found


def walk(folder: Path) -> Iterator[Path]:
    yield folder
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from walk(path)
        else:
            yield path
