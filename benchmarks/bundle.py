"""What packaging costs on projects of 2,010 files (237 MB) and 10,000 files, as ratios in one run.

CPU is user plus system time of the whole process tree; repeats are interleaved and medians are
taken. The bundle commands run in a bare interpreter without a console. The 10,000 files have
350 MB in all; `--full` makes that 2 GB. Exit code 1 when something is above its goal.

    python benchmarks/bundle.py [--full] [--runs 5] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

LARGE_FILES = 10
LARGE_BYTES = 22_500_000
SMALL_BYTES = 6_000

STATUS = """
import sys
from pathlib import Path
from modelops_bundle.project.project import find_project
from modelops_bundle.status.reading import read_status
read_status(find_project(Path(sys.argv[1])))
"""
# The kernel's largest resident set of this program; getrusage would give that of its parent when
# that was larger.
PEAK = """
import re
from pathlib import Path
print(int(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text()).group(1)) / 1024)
"""
PUSH = """
import sys
from pathlib import Path
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import find_project
from modelops_bundle.transfer.push import push
push(find_project(Path(sys.argv[1])), LayoutStore(Path(sys.argv[2]), "bench"))
"""
FINGERPRINT = """
import ast, resource, sys
from pathlib import Path
from modelops_bundle.code.fingerprint import file_fingerprint
sources = [path.read_bytes() for path in Path(sys.argv[1]).rglob("*.py")] * 20
def spent(work):
    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for source in sources:
        work(source)
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime - start
parsing = spent(ast.parse)
ratio = spent(lambda source: file_fingerprint(ast.parse(source))) / parsing
def peak():
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
first = peak()
for _ in range(3):
    spent(lambda source: file_fingerprint(ast.parse(source)))
print(ratio, peak() / first)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of CPU and of wall-clock time."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Ratio:
    """One claim: what was measured, and the most it may be."""

    name: str
    value: float
    goal: float

    @property
    def over(self) -> bool:
        return self.value > self.goal


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="2 GB in the 10,000 files")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ratios = measure(Path(folder), options.runs)
        ratios += measure_many(Path(folder) / "many", options.runs, options.full)
    if options.json:
        print(json.dumps({item.name: {"ratio": item.value, "goal": item.goal} for item in ratios}))
    else:
        for item in ratios:
            mark = "over" if item.over else "ok"
            print(f"{item.name:<52} {item.value:8.2f}   goal {item.goal:6.2f}   {mark}")
    return 1 if any(item.over for item in ratios) else 0


def measure(folder: Path, runs: int) -> list[Ratio]:
    root, artifacts = folder / "project", folder / "artifacts"
    make_project(root, 2000)
    settle()
    python = [sys.executable, "-c"]
    status = [*python, STATUS, str(root)]
    push = [*python, PUSH, str(root), str(artifacts)]
    git = ["git", "-C", str(root), "status", "--porcelain"]
    hashing = ["sh", "-c", f"cd {root} && git ls-files -z | xargs -0 sha256sum > /dev/null"]
    copying = [
        "sh",
        "-c",
        f"cd {root} && tar -cf {folder}/copy.tar . && sha256sum {folder}/copy.tar",
    ]
    jobs: dict[str, tuple[list[str], Callable[[], object]]] = {
        "python": ([*python, "pass"], nothing),
        "status": (status, lambda: cost_of(status)),
        "git": (git, nothing),
        "hash": (hashing, nothing),
        "copy": (copying, nothing),
        "status cold": (status, lambda: forget(root)),
        "push cold": (push, lambda: (forget(root), remove(artifacts))),
        "push nothing": (push, lambda: cost_of(push)),
        "push edit": (push, lambda: touch_one(root)),
    }
    found = interleave(jobs, runs)
    fingerprints, growth = map(float, printed_by([*python, FINGERPRINT, str(root)]).split())
    cpu = {name: cost.cpu for name, cost in found.items()}
    wall = {name: cost.wall for name, cost in found.items()}
    py, edit = cpu["python"], wall["push edit"] / wall["push cold"]
    return [
        Ratio("status, nothing changed: CPU / python -c pass", cpu["status"] / py, 8),
        Ratio("status, nothing changed: CPU / git status", cpu["status"] / cpu["git"], 10),
        Ratio(
            "status, no caches: CPU / (1.5 sha256sum + 12 python)",
            cpu["status cold"] / (1.5 * cpu["hash"] + 12 * py),
            1,
        ),
        Ratio("push, nothing changed: CPU / python -c pass", cpu["push nothing"] / py, 16),
        Ratio(
            "push, cold, to a layout: CPU / (tar + sha256sum)", cpu["push cold"] / cpu["copy"], 3
        ),
        Ratio("push, one small edit: wall / push, cold", edit, 0.5),
        Ratio("fingerprinting: CPU / ast.parse", fingerprints, 3),
        Ratio("fingerprinting: memory after 4 times the files / 1", growth, 1.1),
    ]


def measure_many(folder: Path, runs: int, full: bool) -> list[Ratio]:
    root = folder / "project"
    make_project(root, 9_900, 100, 19_400_000 if full else 2_900_000)
    settle()
    status = [sys.executable, "-c", STATUS, str(root)]
    cold = float(printed_by([sys.executable, "-c", STATUS + PEAK, str(root)]))
    cost_of(status)
    warm = float(printed_by([sys.executable, "-c", STATUS + PEAK, str(root)]))
    found = interleave(
        {
            "python": ([sys.executable, "-c", "pass"], nothing),
            "status": (status, nothing),
            "git": (["git", "-C", str(root), "status", "--porcelain"], nothing),
            "hash": (
                ["sh", "-c", f"cd {root} && git ls-files -z | xargs -0 sha256sum > /dev/null"],
                nothing,
            ),
        },
        runs,
    )
    cpu = {name: cost.cpu for name, cost in found.items()}
    title = "10,000 files"
    return [
        Ratio(f"status, {title}: CPU / python -c pass", cpu["status"] / cpu["python"], 14),
        Ratio(f"status, {title}: CPU / git status", cpu["status"] / cpu["git"], 10),
        Ratio(f"status, {title}: CPU / sha256sum", cpu["status"] / cpu["hash"], 1 / 8),
        Ratio(f"status, {title}: peak MiB", warm, 64),
        Ratio(f"status, {title}, no caches: peak MiB", cold, 64),
    ]


def printed_by(command: list[str]) -> str:
    return subprocess.run(
        command, capture_output=True, text=True, check=True, env=environment()
    ).stdout


def interleave(
    jobs: dict[str, tuple[list[str], Callable[[], object]]], runs: int
) -> dict[str, Cost]:
    spent: dict[str, list[Cost]] = {name: [] for name in jobs}
    for command, prepare in jobs.values():  # compiles, and fills the caches of the system
        prepare()
        cost_of(command)
    for _ in range(runs):
        for name, (command, prepare) in jobs.items():
            prepare()
            spent[name].append(cost_of(command))
    return {
        name: Cost(
            statistics.median(item.cpu for item in costs),
            statistics.median(item.wall for item in costs),
        )
        for name, costs in spent.items()
    }


def cost_of(command: list[str]) -> Cost:
    """Run a command with compiled bytecode at hand, as an installed program has it."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment())
    after, end = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, end - start)


def environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
    return {**kept, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "bundle-bytecode")}


def make_tracked(root: Path, files: dict[str, bytes]) -> None:
    """A project that tracks some files and registers nothing."""
    from modelops_bundle.project.project import init_project
    from modelops_bundle.project.tracking import read_tracked, write_tracked

    root.mkdir(parents=True)
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    init_project(root, name="bench")
    write_tracked(root, [*read_tracked(root), *files])


def make_project(
    root: Path, files: int, large_files: int = LARGE_FILES, large_bytes: int = LARGE_BYTES
) -> None:
    from modelops_bundle.project.project import init_project, open_project
    from modelops_bundle.project.tracking import read_tracked, write_tracked
    from modelops_bundle.registering import register

    chance = random.Random(1)
    block = chance.randbytes(large_bytes)
    for number in range(files):
        path = root / "data" / f"{number % 40:02d}" / f"{number:05d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(SMALL_BYTES // 2).hex().encode())
    for number in range(large_files):
        with (root / "data" / f"large-{number}.bin").open("wb") as stream:
            stream.write(number.to_bytes(8, "big"))
            stream.write(block[8:])
    (root / "models").mkdir()
    (root / "models/helpers.py").write_text(
        "".join(f"def f{n}(x):\n    return [x * {n} for x in range(x) if x > {n}]\n\n\n"
                for n in range(200))
    )  # fmt: skip
    (root / "models/sir.py").write_text(
        "from modelops_calabaria import BaseModel, model_output\nfrom models import helpers\n\n\n"
        "class Sir(BaseModel):\n    def build_sim(self, p, c): return p\n"
        "    def run_sim(self, s, seed): return helpers.f1(seed)\n"
        "    @model_output('cases')\n    def cases(self, raw, seed): return raw\n"
    )
    init_project(root, name="bench")
    project = open_project(root)
    register(project, "model", "models/sir.py", cwd=root)
    everything = [path for path in project.ignore_rules().walk() if path.startswith("data/")]
    write_tracked(root, [*read_tracked(root), *everything])
    git = ["git", "-C", str(root), "-c", "user.name=x", "-c", "user.email=x@example.org"]
    git += ["-c", "core.compression=0", "-c", "gc.auto=0"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], check=True)


def settle() -> None:
    """Let the files grow older than the tick of the clock, so that their times are believed."""
    time.sleep(2.1)


def nothing() -> None:
    """Leave everything as it is."""


def forget(root: Path) -> None:
    for name in ("index.json", "parse.json", "status.json", "push.json"):
        (root / ".modelops-bundle" / name).unlink(missing_ok=True)


def remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    shutil.rmtree(path.parent / "project/.modelops-bundle/baselines", ignore_errors=True)


def touch_one(root: Path) -> None:
    with (root / "data/00/00000.csv").open("a") as stream:
        stream.write("x")
    os.sync()


if __name__ == "__main__":
    sys.exit(main())
