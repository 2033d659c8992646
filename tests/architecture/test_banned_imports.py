"""Asking for help, a typing mistake, or a completion must not load what a command needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from support.consoles import make_consoles

BANNED = (
    "rich",
    "numpy",
    "polars",
    "pandas",
    "scipy",
    "optuna",
    "sklearn",
    "distributed",
    "dask",
    "lightkube",
    "httpx",
    "matplotlib",
    "jinja2",
    "obstore",
    "urllib3",
    "ssl",
    "asyncio",
    "cattrs",
    "ruamel",
    "importlib.metadata",
)

# Runs a console in this process, and says on stderr what was imported and by whom.
PROBE = """
import builtins, json, sys
who = {}
original = builtins.__import__
def watch(name, globals=None, locals=None, fromlist=(), level=0):
    importer = (globals or {}).get("__name__", "?")
    before = set(sys.modules)
    module = original(name, globals, locals, fromlist, level)
    for new in set(sys.modules) - before:
        who.setdefault(new, importer)
    return module
builtins.__import__ = watch
from modelops.cli import main
sys.argv = json.loads(sys.argv[1])
entry = sys.argv[0].replace("-", "_")
try:
    code = getattr(main, entry)()
except SystemExit as ending:
    code = ending.code
json.dump({"code": code, "modules": sorted(sys.modules), "who": who}, open(sys.argv_out, "w"))
"""

CASES = {
    "help": (["--help"], 0, {}),
    "version": (["--version"], 0, {}),
    "unknown command": (["nothing-like-this"], 2, {}),
    "unknown option": (["{any}", "--jsno"], 2, {}),
    "json error": (["nothing-like-this", "--json"], 2, {}),
    "completion": ([], 0, {"COMP_WORDS": "{console} ", "COMP_CWORD": "1"}),
}

# A command that each console has.
ANY = {"mops": "version", "cb": "version", "modelops-bundle": "status"}


def probe(tmp_path: Path, console: str, case: str) -> dict[str, object]:
    words, _, variables = CASES[case]
    words = [word.format(any=ANY[console]) for word in words]
    out = tmp_path / "modules.json"
    extra = {name: value.format(console=console) for name, value in variables.items()}
    if extra:
        extra[f"_{console.upper().replace('-', '_')}_COMPLETE"] = "bash_complete"
    subprocess.run(
        [sys.executable, "-c", PROBE.replace("sys.argv_out", repr(str(out))),
         json.dumps([console, *words])],
        env=make_consoles(tmp_path).environment(extra),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )  # fmt: skip
    answer: dict[str, object] = json.loads(out.read_text())
    return answer


def chain(module: str, who: dict[str, str]) -> str:
    """Who imported it, back to the console: `modelops.cli.main <- ... <- rich`."""
    links = [module]
    while links[-1] in who and who[links[-1]] not in links:
        links.append(who[links[-1]])
    return " <- ".join(links)


@pytest.mark.parametrize("case", sorted(CASES))
@pytest.mark.parametrize("console", ["mops", "cb", "modelops-bundle"])
def test_nothing_heavy_is_loaded(tmp_path: Path, console: str, case: str) -> None:
    answer = probe(tmp_path, console, case)
    assert answer["code"] == CASES[case][1]
    modules, who = answer["modules"], answer["who"]
    assert isinstance(modules, list)
    assert isinstance(who, dict)
    heavy = [
        chain(name, who)
        for name in modules
        if name in BANNED or name.startswith(tuple(f"{banned}." for banned in BANNED))
    ]
    assert heavy == []


def test_a_heavy_import_would_be_seen(tmp_path: Path) -> None:
    who = {"rich": "modelops.cli._progress", "modelops.cli._progress": "modelops.cli._call"}
    assert chain("rich", who) == "rich <- modelops.cli._progress <- modelops.cli._call"


MODEL = """
import modelops_calabaria as cb


class Coin(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("bias", 0.0, 1.0)])

    def build_sim(self, params, config):
        return params

    def run_sim(self, state, seed):
        return state

    @cb.model_output("heads")
    def heads(self, raw, seed):
        import polars as pl

        return pl.DataFrame({"heads": [1]})
"""


def test_sampling_loads_the_design_and_what_the_model_imports(tmp_path: Path) -> None:
    (tmp_path / "coin.py").write_text(MODEL)
    out = tmp_path / "modules.json"
    subprocess.run(
        [sys.executable, "-c", PROBE.replace("sys.argv_out", repr(str(out))),
         json.dumps(["cb", "sampling", "sobol", "coin:Coin", "-n", "4"])],
        env=make_consoles(tmp_path).environment(),
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )  # fmt: skip
    answer = json.loads(out.read_text())
    assert answer["code"] == 0
    banned = {
        "polars",
        "pandas",
        "optuna",
        "matplotlib",
        "distributed",
        "rich",
        "jinja2",
        "obstore",
    }
    heavy = [chain(name, answer["who"]) for name in answer["modules"] if name in banned]
    assert heavy == []
