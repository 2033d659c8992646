"""What a process of its own costs: CPU seconds and the most memory it held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

#: ru_maxrss counts KiB on Linux and bytes on macOS.
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Spent:
    """User plus system seconds, resident bytes at the peak, exit code."""

    cpu: float
    peak: int
    code: int


def spend(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Spent:
    """Run a command to its end with its output thrown away."""
    launcher = os.fork()
    if launcher == 0:
        os.chdir(folder)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.execve(arguments[0], list(arguments), dict(environment))
    _, status, usage = os.wait4(launcher, 0)
    code = os.waitstatus_to_exitcode(status)
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT, code)


def spend_apart(arguments: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Spent:
    """The same from a small process: memory of whoever forks counts as the child's own peak."""
    done = subprocess.run(
        [sys.executable, __file__, *arguments],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
    )
    return Spent(**json.loads(done.stdout))


def quiet_environment(home: Path) -> dict[str, str]:
    """An empty home, and bytecode in a folder of its own."""
    kept = {key: value for key, value in os.environ.items() if key in {"PATH", "LANG", "TMPDIR"}}
    return {**kept, "HOME": str(home / "home"), "PYTHONPYCACHEPREFIX": str(home / "bytecode")}


if __name__ == "__main__":
    print(json.dumps(asdict(spend(sys.argv[1:], Path.cwd(), os.environ))))
