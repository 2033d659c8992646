"""What install.sh costs beside the uv it calls, and how much space the environment takes.

A wheel of this checkout and all it needs are put into a folder, then the script installs from it
without a network: once to warm uv's cache, then three times again, then three dry runs. uv is
called through a wrapper that writes down the CPU it used, so that ours can be told from its own.
Exit code 1 when a goal is missed.

    python benchmarks/install.py [--wheels FOLDER] [--runs 3]
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import uv
from _ratio import Ratio, report

ROOT = Path(__file__).resolve().parents[1]
REINSTALL_GOAL = 15.0  # seconds of CPU beyond uv's own
DRY_RUN_GOAL = 2.0  # seconds of CPU, uv's questions included
SIZE_GOAL = 700e6  # bytes, without optional engines
WRAPPER = '#!/bin/sh\n"{uv}" "$@"\ncode=$?\ntimes >>"{log}"\nexit "$code"\n'


@dataclass(frozen=True, slots=True)
class Place:
    """A home of its own, the wheels, and where the wrapper of uv writes."""

    root: Path
    wheels: Path

    @property
    def log(self) -> Path:
        return self.root / "uv-times"

    def prepare(self) -> None:
        (self.root / "home").mkdir()
        wrapper = self.root / "uv"
        wrapper.write_text(WRAPPER.format(uv=uv.find_uv_bin(), log=self.log))
        wrapper.chmod(0o755)

    def install(self, *options: str) -> tuple[float, float]:
        """Seconds of CPU of the whole run, and of uv in it."""
        self.log.write_text("")
        env = {
            "HOME": str(self.root / "home"),
            "PATH": "/usr/bin:/bin",
            "UV_PYTHON_DOWNLOADS": "never",
            "MODELOPS_PYTHON": sys.executable,
            "MODELOPS_UV": str(self.root / "uv"),
        }
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["/bin/sh", ROOT / "install.sh", "--offline", self.wheels, *options]
        subprocess.run(command, env=env, check=True, capture_output=True, stdin=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        children = self.log.read_text().splitlines()[1::2]  # the first line is the shell itself
        return spent, sum(map(read_times, children))


def read_times(line: str) -> float:
    """`0m1.50s 0m0.25s` -> 1.75."""
    words = [word.rstrip("s").split("m") for word in line.split()]
    return sum(60 * float(minutes) + float(seconds) for minutes, seconds in words)


def gather(folder: Path) -> None:
    """Our wheel and all it needs, from the index that pip is configured for."""
    build = [uv.find_uv_bin(), "build", "--quiet", "--wheel", "--no-build-isolation"]
    build += ["--python", sys.executable, "--out-dir", str(folder), str(ROOT)]
    subprocess.run(build, check=True)
    fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)]
    subprocess.run([*fetch, *map(str, folder.glob("modelops-*.whl"))], check=True)


def size_of(folder: Path) -> int:
    """Bytes of all files, each counted once, whatever uv shares with its cache."""
    files = (Path(place) / name for place, _, names in os.walk(folder) for name in names)
    return sum({(s.st_dev, s.st_ino): s.st_size for s in (f.lstat() for f in files)}.values())


def measure(place: Place, runs: int) -> list[Ratio]:
    place.install()
    again = [place.install() for _ in range(runs)]
    dry = [place.install("--dry-run")[0] for _ in range(runs)]
    ours = statistics.median(total - uvs for total, uvs in again)
    uvs = statistics.median(uvs for _, uvs in again)
    tried = statistics.median(dry)
    size = size_of(place.root / "home" / ".local" / "share" / "uv" / "tools" / "modelops")
    return [
        Ratio(
            "warm reinstall, beyond uv", ours / REINSTALL_GOAL, 1, f"{ours:.2f} s; uv {uvs:.2f} s"
        ),
        Ratio("--dry-run", tried / DRY_RUN_GOAL, 1, f"{tried:.2f} s"),
        Ratio("environment", size / SIZE_GOAL, 1, f"{size / 1e6:.0f} MB"),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheels", type=Path, help="a folder that holds them already")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        wheels = options.wheels or Path(folder) / "wheels"
        if options.wheels is None:
            gather(wheels)
        place = Place(Path(folder), wheels.resolve())
        place.prepare()
        report(measure(place, options.runs))
    return 0


if __name__ == "__main__":
    sys.exit(main())
