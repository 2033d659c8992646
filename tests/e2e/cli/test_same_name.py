"""Two projects of one name on one machine: a folder made anew, or one of another course."""

from __future__ import annotations

import shutil
from dataclasses import replace

from support.consoles import Consoles

WARNING = "holds another project's work; the bundle of this run is kept as eggs:run-"


def test_neither_hinders_the_other(eggs: Consoles) -> None:
    study = "cb sampling sobol models.eggs:Eggs -n 2"
    assert eggs.run(study).code == 0
    first = eggs.run("mops run study.json --no-check --json").events[-1]
    folder = eggs.folder.parent / "elsewhere" / eggs.folder.name
    shutil.copytree(
        eggs.folder, folder, ignore=shutil.ignore_patterns(".modelops", ".modelops-bundle")
    )
    other = replace(eggs, folder=folder)
    model = folder / "models" / "eggs.py"
    model.write_text(model.read_text().replace("range(5)", "range(4)").replace("1, 6", "1, 5"))
    assert other.run("mops bundle init --name eggs").code == 0
    assert other.run("mops bundle register-model models/eggs.py").code == 0
    planned = other.run("mops run study.json --no-check --dry-run")
    assert planned.code == 0
    assert WARNING in planned.err
    for _ in range(2):
        ran = other.run("mops run study.json --no-check --json")
        assert ran.code == 0
        assert WARNING in ran.err
        assert ran.events[-1]["submission"]["bundle"] != first["submission"]["bundle"]
    kept = other.run("mops run study.json --no-check --no-auto --json").events[-1]["submission"]
    assert kept["bundle"] == ran.events[-1]["submission"]["bundle"]
    kept = eggs.run("mops run study.json --no-check --no-auto --json").events[-1]["submission"]
    assert kept["bundle"] == first["submission"]["bundle"]
    again = eggs.run("mops run study.json --no-check --json")
    assert again.code == 0
    assert WARNING not in again.err
    assert again.events[-1]["job"]["reused"] == 2
    assert again.events[-1]["submission"]["bundle"] == first["submission"]["bundle"]
    pushed = other.run("mops bundle push")
    assert pushed.code == 3  # the name itself is still nobody's to take unasked
