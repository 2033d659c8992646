"""Small projects whose wire function is a stand-in: the engine knows nothing of the science."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelops.engine.environments.spec import EnvironmentSpec
from modelops.engine.requests import SimOutcome, SimRequest
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask

BUNDLE = "sha256:" + "a" * 64

STUB_WIRE = """
import importlib, json, os


def wire_function(entrypoint, params, seed, *, outputs=None, config=None):
    path, _, scenario = entrypoint.partition("/")
    module, _, name = path.rpartition(".")
    function = getattr(importlib.import_module(module), name)
    tables = function(params, seed, config, scenario)
    if outputs is not None:
        tables = {key: value for key, value in tables.items() if key in outputs}
    return {**tables, "metadata": b"{}"}


def describe_function(kind, reference):
    module, _, name = reference.replace(":", ".").rpartition(".")
    function = getattr(importlib.import_module(module), name)
    return {"kind": kind, "name": name, "doc": function.__doc__ or ""}


def evaluate_function(targets, tables, *, entrypoint, params, seeds, weights, policy, errors):
    module, _, name = targets[0].rpartition(":")
    target = getattr(importlib.import_module(module), name)
    values = [target(table) for table in tables if table is not None]
    failures = [
        {"index": i, "seed": seeds[i], "traceback": e["traceback"],
         "error": {k: e[k] for k in ("error_type", "message", "retryable")}}
        for i, e in enumerate(errors) if e is not None
    ]
    return {
        "param_id": "p", "seeds": list(seeds),
        "objective": sum(values) / len(values) if values else "inf",
        "objective_se": "nan", "kind": "loss", "ess": "nan", "scores": [], "failures": failures,
        "flags": [], "reason": None if values else "no_replicates",
    }


def predict_function(targets, members, *, entrypoint, seed):
    text = json.dumps([[m["params"], sorted(m["tables"])] for m in members] + [seed])
    return {target: text.encode() for target in targets}
"""

MODELS = '''
import ctypes, os, signal, subprocess, sys, time


def tables(**values):
    return {name: str(value).encode() for name, value in values.items()}


def echo(params, seed, config, scenario):
    """Echoes."""
    return tables(out=(sorted(params.items()), seed, config, scenario), pid=os.getpid())


def fails(params, seed, config, scenario):
    if params.get("bad"):
        raise ValueError(f"no such thing as {params['bad']}")
    return tables(out=seed)


def leaves(params, seed, config, scenario):
    how = params.get("how")
    print("about to", how)
    if how == "exit": sys.exit(3)
    if how == "hard": os._exit(4)
    if how == "segv": ctypes.string_at(0)
    if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang": time.sleep(600)
    if how == "close": os.closerange(3, 100)
    return tables(out=seed)


def slow(params, seed, config, scenario):
    time.sleep(params["seconds"])
    return tables(out=seed)


def noisy(params, seed, config, scenario):
    print("python says hello")
    os.write(1, b"a raw write")
    os.write(2, b"another raw write")
    subprocess.run([sys.executable, "-c", "print('child says hello')"], check=True)
    return tables(out=seed)


def big(params, seed, config, scenario):
    return {"out": bytes(params["size"])}


def once(params, seed, config, scenario):
    """Dies the first time only."""
    flag = params["flag"]
    if not os.path.exists(flag):
        open(flag, "w").close()
        os._exit(9)
    return tables(out=seed)


def where(params, seed, config, scenario):
    hash_of = hash("text")
    return tables(cwd=os.getcwd(), path=sys.path, omp=os.environ.get("OMP_NUM_THREADS"),
                  session=os.getsid(0) == os.getpid(), stdin=os.read(0, 1), hash=hash_of,
                  pythonpath=os.environ.get("PYTHONPATH"))


def wanders(params, seed, config, scenario):
    before = os.getcwd()
    os.chdir("/")
    return tables(cwd=before)


def forks(params, seed, config, scenario):
    os.fork()  # and both go on
    return tables(out=seed)


KEPT = []


def leaks(params, seed, config, scenario):
    KEPT.append(b"x" * params["size"])
    return tables(pid=os.getpid())


def parents(params, seed, config, scenario):
    child = os.fork()
    if child == 0:
        if params["how"] == "exit": sys.exit(3)
        if params["how"] == "raise": raise ValueError("in the child")
        return tables(out="child")
    return tables(out=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def spawns(params, seed, config, scenario):
    child = subprocess.Popen(["sleep", "600"], start_new_session=params.get("session", False))
    with open(params["file"], "w") as stream:
        stream.write(str(child.pid))
    if params.get("die"):
        os._exit(1)
    time.sleep(params.get("seconds", 0))
    return tables(out=seed)


def score(table):
    return float(table["out"])


def explode(table):
    raise RuntimeError("the target is broken")


def vanish(table):
    os._exit(5)
'''


def make_project(folder: Path, **extra_files: str) -> Path:
    """A project with ``models.py`` above and a stand-in wire; ``name="text"`` adds ``name.py``."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {"stub_wire": STUB_WIRE, "lib/__init__": "", "models/__init__": "", "models/m": MODELS}
    for name, text in {**files, **extra_files}.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def stub_environment(python: Path | None = None) -> EnvironmentSpec:
    return EnvironmentSpec(
        kind="direct", python=python or Path(sys.executable), digest="e" * 64, wire="stub_wire"
    )


def request(
    function: str = "echo",
    *,
    seed: int = 1,
    replicate: int = 0,
    outputs: Sequence[str] | None = None,
    config: dict[str, Any] | None = None,
    **params: Any,
) -> SimRequest:
    task = SimTask(
        bundle_ref=BUNDLE,
        entrypoint=f"models.m.{function}/baseline",
        params=UniqueParameterSet.from_dict(params),
        seed=seed,
        outputs=None if outputs is None else tuple(outputs),
        config=config,
    )
    return SimRequest(task.task_id() * 2, task, replicate)


class Collector:
    """Collects what the engine delivers, batch by batch."""

    def __init__(self) -> None:
        self.batches: list[list[SimOutcome]] = []

    def __call__(self, outcomes: Sequence[SimOutcome]) -> None:
        self.batches.append(list(outcomes))

    @property
    def outcomes(self) -> list[SimOutcome]:
        return [outcome for batch in self.batches for outcome in batch]

    def by_key(self) -> dict[str, SimOutcome]:
        return {outcome.request.sim_key: outcome for outcome in self.outcomes}
