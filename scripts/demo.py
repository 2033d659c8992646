"""The main job, end to end, as a modeller would type it: `make demo`.

Makes a project from examples/boarding-school in ./demo (everything stays in there), and runs the
consoles on it. Each command is printed before it runs, so that the demo can be repeated by hand.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "demo"
PROJECT = DEMO / "boarding-school"
BIN = Path(sys.executable).parent

# The same likelihood, maximised directly, and its posterior by quadrature under the priors of the
# Stan case study of these data (Grinsztajn et al., Statistics in Medicine 40:6209, 2021).
# See docs/explanation/what-a-calibration-reports.md.
REFERENCE = {
    "beta": ("1.727", "1.735 [1.635, 1.845]"),
    "gamma": ("0.541", "0.542 [0.455, 0.635]"),
    "k": ("11.97", "8.20 [2.98, 23.98]"),
    "R0": ("3.191", "3.222 [2.737, 3.827]"),
}
REFERENCE_LOGLIK = "-60.835"


def main() -> int:
    started = time.monotonic()
    make_project()
    if not (PROJECT / ".modelops-bundle").exists():
        step("make the folder a project, and say which models and targets it has")
        mops("bundle", "init", "--name", "boarding-school")
    mops("bundle", "register-model", "models/sir.py", quiet=True)
    mops("bundle", "register-target", "targets", quiet=True)
    mops("bundle", "target-set", "set", "counts", "-t", "in_bed", quiet=True)
    mops("bundle", "status")

    step("explore: 64 parameter sets x 20 replicates of the stochastic model, two targets")
    cb(
        "sampling",
        "sobol",
        "models.sir:StochasticSIR",
        "-n",
        "64",
        "-r",
        "20",
        "--seed",
        "1",
        "-t",
        "in_bed",
        "-t",
        "outbreak",
        "--name",
        "explore",
    )
    mops("run", "explore.json")
    mops("results", "show", "--best", "5")
    explored = read_result()

    step("calibrate the deterministic model: its answer is known")
    parameters = "beta:0.5:4.0:log,gamma:0.1:2.0:log,k:1.0:100.0:log"
    cb(
        "calibration",
        "optuna",
        "models.sir:DeterministicSIR",
        "data/in_bed.csv",
        parameters,
        "--target-set",
        "counts",
        "--max-trials",
        "400",
        "--seed",
        "1",
        "--name",
        "deterministic",
    )
    mops("run", "deterministic.json", "--report", "deterministic.html")
    deterministic = read_result()

    step("calibrate the stochastic model: chance in every run, and an honest error bar")
    cb(
        "calibration",
        "optuna",
        "models.sir:StochasticSIR",
        "data/in_bed.csv",
        parameters,
        "--target-set",
        "counts",
        "--max-trials",
        "200",
        "-r",
        "50",
        "--sampler",
        "cmaes",
        "--rescore-top-k",
        "20",
        "--rescore-replicates",
        "500",
        "--confirm-replicates",
        "3000",
        "--seed",
        "1",
        "--name",
        "stochastic",
    )
    mops("run", "stochastic.json", "--report", "stochastic.html")
    stochastic = read_result()

    print_estimates(deterministic, stochastic)
    print_files(
        time.monotonic() - started, [explored["job"], deterministic["job"], stochastic["job"]]
    )
    return 0


def make_project() -> None:
    if PROJECT.exists():
        say(f"Using the project in {PROJECT.relative_to(ROOT)} (remove it to start anew).")
        return
    example = ROOT / "examples" / "boarding-school"
    shutil.copytree(example, PROJECT, ignore=shutil.ignore_patterns("__pycache__", ".modelops*"))
    say(f"Copied examples/boarding-school to {PROJECT.relative_to(ROOT)}.")


def mops(*words: str, quiet: bool = False) -> None:
    run_console("mops", words, quiet)


def cb(*words: str) -> None:
    run_console("cb", words, quiet=False)


def run_console(console: str, words: tuple[str, ...], quiet: bool) -> None:
    """Print the command, run it in the project, stop the demo if it fails."""
    print(f"\n$ {shlex.join((console, *words))}", flush=True)
    answer = subprocess.run(
        [BIN / console, *words],
        cwd=PROJECT,
        env=environment(),
        check=False,
        stdout=subprocess.PIPE if quiet else None,
        text=True,
    )
    if answer.returncode != 0:
        print(answer.stdout or "", end="")
        sys.exit(f"error: the demo stopped at: {shlex.join((console, *words))}")


def read_result() -> dict[str, Any]:
    """Return what `mops results show --json` says about the newest job."""
    answer = subprocess.run(
        [BIN / "mops", "results", "show", "--json"],
        cwd=PROJECT, env=environment(), check=True, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    value: dict[str, Any] = json.loads(answer.stdout)
    return value


def environment() -> dict[str, str]:
    """Keep the demo inside its folder: nothing of the user's own set-up is read or changed."""
    return {**os.environ, "MODELOPS_HOME": str(DEMO / "home")}


def print_estimates(deterministic: dict[str, Any], stochastic: dict[str, Any]) -> None:
    step("the estimates beside the published ones")
    row = "{:<16} {:>13} {:>13} {:>24} {:>15}".format
    say(row("", "deterministic", "maximum", "posterior [95 %]", "stochastic"))
    found = [with_r0(answer["calibration"]["parameters"]) for answer in (deterministic, stochastic)]
    for name, (maximum, posterior) in REFERENCE.items():
        ours, chance = (f"{values[name]:.4g}" for values in found)
        say(row(name, ours, maximum, posterior, chance))
    ours, chance = (log_likelihood(answer["calibration"]) for answer in (deterministic, stochastic))
    say(row("log-likelihood", ours, REFERENCE_LOGLIK, "", chance))
    say(
        "\nmaximum, posterior: published for the deterministic model with the same noise. k in the"
        "\nposterior is the median of 1/k, inverted. The stochastic model is another model: chance"
        "\ndecides when its epidemic takes off, and its likelihood has an error bar."
    )


def with_r0(parameters: dict[str, float]) -> dict[str, float]:
    return {**parameters, "R0": parameters["beta"] / parameters["gamma"]}


def log_likelihood(calibration: dict[str, Any]) -> str:
    error = calibration["objective_se"]
    value = f"{-calibration['objective']:.3f}"
    return value if error is None else f"{value} ± {error:.2f}"


def print_files(seconds: float, jobs: list[dict[str, Any]]) -> None:
    reused = sum(job["reused"] for job in jobs)
    simulations = sum(job["simulated"] for job in jobs) + reused
    step("look at")
    folder = PROJECT.relative_to(ROOT)
    for name in ("stochastic.html", "deterministic.html"):
        say(f"  {folder}/{name}")
    say(f"  {folder}/.modelops/results/   every simulation and evaluation, as Parquet")
    say(f"\n{reused} of {simulations} simulations came from the store. Done in {seconds:.0f} s.")
    if reused < simulations:
        say("Run `make demo` again: nothing will be simulated twice.")


def step(text: str) -> None:
    print(f"\n--- {text}", flush=True)


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
