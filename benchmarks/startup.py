"""How much CPU a command costs before it does anything, as a multiple of `python -c pass`.

Eleven interleaved runs of every command and of the bare interpreter, user plus system time of the
whole process, medians. Bytecode is compiled beforehand into a folder of this run's own, the home
is empty, and local commands work in an empty project. Exit code 1 when a ratio is above its budget.

    python benchmarks/startup.py [--runs 11] [--json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _process import quiet_environment, spend

BIN = Path(sys.executable).parent
# What is typed -> how many times the CPU of an interpreter that does nothing it may cost.
# Commands that are mistakes on purpose end with exit code 2, all others with 0.
BUDGETS: dict[str, float] = {
    "mops --version": 6,
    "cb --version": 6,
    "modelops-bundle --version": 6,
    "mops --help": 6,
    "cb --help": 6,
    "modelops-bundle --help": 6,
    "mops jobs --help": 6,
    "mops jbos": 7,
    "mops jobs list --limti 3": 7,
    "mops version --json": 7,
    "mops config show": 12,
    "mops env list": 12,
    "mops jobs list": 12,
    "mops results list": 12,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ratios = measure(options.runs, Path(folder))
    over = [name for name, ratio in ratios.items() if ratio > BUDGETS[name]]
    if options.json:
        print(json.dumps({"ratios": ratios, "budgets": BUDGETS, "over": over}))
    else:
        print_table(ratios)
    return 1 if over else 0


def measure(runs: int, folder: Path) -> dict[str, float]:
    """Return the ratio of every command's median to the bare interpreter's median."""
    (folder / "project" / ".modelops-bundle").mkdir(parents=True)
    environment = quiet_environment(folder)
    commands = {name: command_line(name) for name in BUDGETS}
    nothing = [sys.executable, "-c", "pass"]
    for arguments in [nothing, *commands.values()]:  # compiles what it imports
        check(arguments, folder / "project", environment)
    empty: list[float] = []
    spent: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(runs):
        empty.append(spend(nothing, folder / "project", environment).cpu)
        for name, arguments in commands.items():
            spent[name].append(spend(arguments, folder / "project", environment).cpu)
    floor = statistics.median(empty)
    return {name: round(statistics.median(values) / floor, 2) for name, values in spent.items()}


def command_line(name: str) -> list[str]:
    console, *words = name.split()
    return [str(BIN / console), *words]


def check(arguments: list[str], folder: Path, environment: dict[str, str]) -> None:
    """A command that fails, or a mistake that does not, would be measured for nothing."""
    done = subprocess.run(arguments, cwd=folder, env=environment, capture_output=True, check=False)
    expected = 2 if {"jbos", "--limti"} & set(arguments) else 0
    if done.returncode != expected:
        sys.exit(f"{arguments} ended with {done.returncode}: {done.stderr.decode()}")


def print_table(ratios: dict[str, float]) -> None:
    width = max(map(len, ratios))
    print(f"{'command'.ljust(width)}  ratio  budget")
    for name, ratio in ratios.items():
        mark = "  above" if ratio > BUDGETS[name] else ""
        print(f"{name.ljust(width)}  {ratio:5.2f}  {BUDGETS[name]:6.1f}{mark}")


if __name__ == "__main__":
    sys.exit(main())
