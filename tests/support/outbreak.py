"""The boarding-school example as a project in a folder of its own, driven through the consoles."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

from support.consoles import Consoles, Ran

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "boarding-school"
PARAMETERS = "beta:0.5:4:log,gamma:0.1:2:log,k:1:100:log"


def make_outbreak(parent: Path, *, name: str = "outbreak", at: float | None = None) -> Consoles:
    """Copy the example, make it a project, register everything. `at` sets the files' times."""
    folder = parent / name
    shutil.copytree(
        EXAMPLE, folder, ignore=shutil.ignore_patterns("__pycache__", ".modelops*", "*.json")
    )
    if at is not None:
        for path in folder.rglob("*"):
            os.utime(path, (at, at))
    home = parent / f"{name}-home"
    home.mkdir()
    consoles = Consoles(folder, home)
    for line in (
        "mops bundle init --name outbreak",
        "mops bundle register-model models/sir.py",
        "mops bundle register-target targets",
        "mops bundle target-set set counts -t in_bed",
    ):
        succeed(consoles, line)
    return consoles


def succeed(consoles: Consoles, line: str, **options: Any) -> Ran:
    ran = consoles.run(line, **options)
    assert ran.code == 0, f"{line}\n{ran.out}\n{ran.err}"
    return ran


def calibrate(consoles: Consoles, model: str, *words: str, name: str) -> dict[str, Any]:
    """Write and run a calibration of the daily counts; return what `results show` says."""
    succeed(
        consoles,
        f"cb calibration optuna models.sir:{model} data/in_bed.csv {PARAMETERS} "
        f"--target-set counts {' '.join(words)} --name {name}",
    )
    succeed(consoles, f"mops run {name}.json", timeout=280)
    shown: dict[str, Any] = succeed(consoles, "mops results show --json").json
    return shown


def read_tables(folder: Path) -> dict[str, bytes]:
    """Every exported table, byte for byte."""
    return {path.name: path.read_bytes() for path in sorted(folder.glob("*.csv"))}
