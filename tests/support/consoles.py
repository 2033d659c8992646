"""Runs the consoles as processes with a home of their own, and makes a small project."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BIN = Path(sys.executable).parent
KEPT = ("PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONPYCACHEPREFIX", "PYTHONDONTWRITEBYTECODE")
JSON_SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "reference" / "json"


@dataclass(frozen=True, slots=True)
class Ran:
    """A process that has ended."""

    command: str
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout; an AssertionError when it is anything else."""
        assert self.out.endswith("\n"), self
        assert self.out.count("\n") == 1, self
        return json.loads(self.out)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The JSON lines on stdout."""
        return [json.loads(line) for line in self.out.splitlines()]


@dataclass(frozen=True, slots=True)
class Consoles:
    """The three consoles in one folder, with one home and no variable of the caller's shell."""

    folder: Path
    home: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        return {**kept, "HOME": str(self.home), **self.variables, **(extra or {})}

    def run(
        self,
        line: str,
        *,
        stdin: str | None = None,
        extra: Mapping[str, str] | None = None,
        timeout: float = 120,
    ) -> Ran:
        """Run a command line as typed (`mops jobs list --json`)."""
        console, *words = shlex.split(line)
        done = subprocess.run(
            [BIN / console, *words],
            cwd=self.folder,
            env=self.environment(extra),
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        return Ran(line, done.returncode, done.stdout, done.stderr)

    def start(self, line: str, **options: Any) -> subprocess.Popen[str]:
        """Start a command line in its own session, so that signals reach nobody else."""
        console, *words = shlex.split(line)
        return subprocess.Popen(
            [BIN / console, *words],
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
            **options,
        )

    def on_terminal(self, line: str, *, typed: str = "", timeout: float = 60) -> tuple[int, str]:
        """Run a command line on a pseudo-terminal; return its exit code and its screen."""
        console, *words = shlex.split(line)
        pid, screen = pty.fork()
        if pid == 0:
            os.chdir(self.folder)
            os.execve(BIN / console, [console, *words], self.environment({"TERM": "xterm"}))
        received = read_screen(screen, typed, timeout)
        _, status = os.waitpid(pid, 0)
        os.close(screen)
        return os.waitstatus_to_exitcode(status), received.decode("utf-8", "replace")


def read_screen(screen: int, typed: str, timeout: float) -> bytes:
    """Read until the program closes the terminal; type `typed` once it has said something."""
    received, waiting = b"", typed.encode()
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        if not select.select([screen], [], [], 0.2)[0]:
            continue
        try:
            part = os.read(screen, 65536)
        except OSError:  # the other side is gone
            break
        if not part:
            break
        received += part
        if waiting and b"[y/N]" in received:
            os.write(screen, waiting)
            waiting = b""
    return received


def make_consoles(tmp_path: Path, **variables: str) -> Consoles:
    """An empty folder to work in and an empty home beside it."""
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    return Consoles(folder, home, variables)


MODEL = '''"""Boxes of eggs: some break, by chance or on average."""

from collections.abc import Mapping

import numpy as np
import polars as pl

import modelops_calabaria as cb


class Eggs(cb.BaseModel):
    """Eggs that break on the way to the market, day by day."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec("risk", 0.01, 0.5, doc="chance of one egg to break on one day"),
            cb.ParameterSpec("boxes", 1, 9, kind="int", default=4, doc="boxes of ten eggs"),
        ]
    )

    @cb.model_scenario("careful")
    def careful(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("careful", param_patches={"risk": 0.01})

    def build_sim(self, params: cb.ParameterSet, config: Mapping[str, object]) -> dict:
        return {"risk": params["risk"], "eggs": 10 * params["boxes"]}

    def run_sim(self, state: dict, seed: int) -> list[int]:
        rng = np.random.default_rng(seed)
        left, broken = state["eggs"], []
        for _ in range(5):
            now = int(rng.binomial(left, state["risk"]))
            left -= now
            broken.append(now)
        return broken

    @cb.model_output("broken")
    def broken(self, raw: list[int], seed: int) -> pl.DataFrame:
        return pl.DataFrame({"day": range(1, 6), "broken": raw})


class EggsOnAverage(Eggs):
    """The same without chance."""

    DETERMINISTIC = True

    def run_sim(self, state: dict, seed: int) -> list[float]:
        left, broken = float(state["eggs"]), []
        for _ in range(5):
            broken.append(left * state["risk"])
            left -= broken[-1]
        return broken
'''

TARGET = '''"""The broken eggs that were counted."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="broken", data={"counts": "data/broken.csv"})
def broken(data_paths: Mapping[str, Path]) -> cb.LossTarget:
    return cb.LossTarget(
        name="broken",
        model_output="broken",
        data=pl.read_csv(data_paths["counts"]),
        alignment=cb.ExactJoin(["day"]),
        evaluator=cb.annealed_mse("broken"),
    )
'''

PYPROJECT = """[project]
name = "eggs"
version = "1.0.0"
requires-python = ">=3.11"
dependencies = ["modelops-calabaria", "numpy", "polars"]
"""


def write_project(folder: Path) -> None:
    """Write a small project: two models, one target, its data. Nothing is registered."""
    files = {
        "pyproject.toml": PYPROJECT,
        "models/__init__.py": "",
        "models/eggs.py": MODEL,
        "targets/__init__.py": "",
        "targets/broken.py": TARGET,
        "data/broken.csv": "day,broken\n1,9\n2,7\n3,5\n4,4\n5,3\n",
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def make_project(tmp_path: Path) -> Consoles:
    """A registered project: the consoles stand in its root."""
    consoles = make_consoles(tmp_path)
    write_project(consoles.folder)
    for line in (
        "mops bundle init --name eggs",
        "mops bundle register-model models/eggs.py",
        "mops bundle register-target targets/broken.py",
    ):
        done = consoles.run(line)
        assert done.code == 0, done
    return consoles


# What may change at any time without meaning anything: locks, and caches keyed by content.
CACHES = {"lock", "parse.json", "index.json"}


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file with its bytes: what a command that failed must have left unchanged."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in CACHES and "__pycache__" not in path.parts
    }


def check_against_schema(value: Mapping[str, Any]) -> None:
    """Validate a JSON answer against the schema in docs/reference/json that it names."""
    import jsonschema

    name = str(value["schema"]).replace("/", ".")
    schema = json.loads((JSON_SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    jsonschema.validate(dict(value), schema)
