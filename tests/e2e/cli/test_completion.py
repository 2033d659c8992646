"""Names complete from local files, cheaply, and never from anything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from modelops.cli._complete import keys_below
from support.consoles import Consoles, make_consoles, make_project

HEAVY = (
    "rich numpy polars pandas scipy optuna ruamel obstore urllib3 ssl asyncio importlib.metadata"
)


@pytest.fixture(scope="module")
def eggs(tmp_path_factory: pytest.TempPathFactory) -> Consoles:
    eggs = make_project(tmp_path_factory.mktemp("made"))
    assert eggs.run("mops bundle target-set set all").code == 0
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 1").code == 0
    assert eggs.run("mops run study.json --name first").code == 0
    shared = eggs.home / ".modelops" / "environments" / "shared.yaml"
    shared.parent.mkdir(parents=True)
    shared.write_text("kind: local\n")
    return eggs


def variables(words: str) -> dict[str, str]:
    console = words.split(maxsplit=1)[0]
    return {
        f"_{console.upper().replace('-', '_')}_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - (0 if words.endswith(" ") else 1)),
    }


def completions(consoles: Consoles, words: str) -> list[str]:
    done = consoles.run(words.split(maxsplit=1)[0], extra=variables(words))
    assert (done.code, done.err) == (0, ""), done
    return [line.partition(",")[2] for line in done.out.splitlines() if line]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mops jobs status l", ["last"]),
        ("mops jobs logs @", ["@first"]),
        ("mops results show @f", ["@first"]),
        ("cb sampling sobol eggs_eggs -t ", ["broken"]),
        ("mops run study.json --target-set ", ["all"]),
        ("mops config set run.w", ["run.workers"]),
        ("mops jobs list --env l", ["local"]),
        ("cb models -e ", ["local", "shared"]),
        ("mops env use s", ["shared"]),
        ("mops env show ", ["local", "shared"]),
    ],
)
def test_names_are_completed(eggs: Consoles, words: str, expected: list[str]) -> None:
    assert completions(eggs, words) == expected


def test_ids_of_models_and_jobs(eggs: Consoles) -> None:
    ids = sorted(row["id"] for row in eggs.run("cb models --json").json["models"])
    assert len(ids) == 2
    assert completions(eggs, "cb sampling sobol eggs") == ids
    assert completions(eggs, "cb calibration optuna eggs") == ids
    (job,) = [row["job"] for row in eggs.run("mops jobs list --json").json["jobs"]]
    assert completions(eggs, "mops jobs delete job") == [job]


def test_nothing_is_completed_where_there_is_nothing(tmp_path: Path) -> None:
    consoles = make_consoles(tmp_path)
    assert completions(consoles, "mops jobs logs ") == ["last"]
    assert completions(consoles, "cb sampling sobol e") == []


def test_completing_names_imports_nothing_heavy(eggs: Consoles) -> None:
    script = (
        "import sys, atexit\n"
        f"atexit.register(lambda: sys.stderr.write(' '.join(sys.modules.keys() & "
        f"set({HEAVY!r}.split()))))\n"
        "sys.argv = ['mops']\n"
        "from modelops.cli.main import mops\nmops()\n"
    )
    for words in ("mops jobs logs ", "mops run x --target-set ", "mops config set run"):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=eggs.folder,
            env=eggs.environment(variables(words)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.stderr, bool(done.stdout)) == ("", True), words


def test_a_registry_is_read_line_by_line() -> None:
    text = (
        "version: '1.0'\nmodels:\n  a_b:\n    entrypoint: x\n    code:\n    - y\n"
        "targets: {}\ntarget_sets:\n  all:\n    targets:\n    - t\n# end\n"
    )
    assert list(keys_below("models", text)) == ["a_b"]
    assert list(keys_below("targets", text)) == []
    assert list(keys_below("target_sets", text)) == ["all"]
