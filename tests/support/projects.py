"""Little projects on disk, complete enough to be registered and pushed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from modelops_bundle.project.project import Project, init_project, open_project
from modelops_bundle.registering import register

MODEL = """\
from pathlib import Path

from modelops_calabaria import BaseModel, ParameterSpace, ParameterSpec, model_output
from models.helpers import rate


class Sir(BaseModel):
    PARAMS = ParameterSpace([ParameterSpec("beta", 0.1, 2.0), ParameterSpec("gamma", 0.1, 1.0)])

    def build_sim(self, params, config):
        return dict(params)

    def run_sim(self, state, seed):
        return rate(state, seed)

    @model_output("cases")
    def cases(self, raw, seed):
        return raw
"""

HELPERS = """\
def rate(state, seed):
    return state["beta"] * seed
"""

TARGETS = """\
from modelops_calabaria import calibration_target


def read(path):
    return path


@calibration_target(model_output="cases", data={"observed": "data/cases.csv"})
def weekly_cases(data_paths):
    observed = read(data_paths["observed"])
    return {"observed": observed, "kind": "weekly", "scale": 1.0, "offset": 0}


@calibration_target(model_output="cases", data={"observed": "data/peak.csv"}, weight=2.0)
def peak(data_paths):
    return max(read(data_paths["observed"]))
"""

PYPROJECT = """\
[project]
name = "little"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["modelops"]
"""

FILES: Mapping[str, str] = {
    "pyproject.toml": PYPROJECT,
    "models/__init__.py": "",
    "models/sir.py": MODEL,
    "models/helpers.py": HELPERS,
    "targets/counts.py": TARGETS,
    "data/cases.csv": "week,cases\n1,3\n2,8\n",
    "data/peak.csv": "peak\n8\n",
}


def write_files(root: Path, files: Mapping[str, str]) -> None:
    """Write text files below a directory."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")


def make_project(root: Path, files: Mapping[str, str] = FILES, *, name: str = "little") -> Project:
    """Write the files and make the directory a project; nothing is registered."""
    write_files(root, files)
    init_project(root, name=name)
    return open_project(root)


def register_all(project: Project) -> None:
    """Register the model and both targets of the standard files."""
    register(project, "model", "models/sir.py", cwd=project.root)
    register(project, "target", "targets/counts.py", cwd=project.root)


def make_registered(root: Path, *, name: str = "little") -> Project:
    """Make the standard project with everything registered."""
    project = make_project(root, name=name)
    register_all(project)
    return project


def edit(project: Project, path: str, old: str, new: str) -> None:
    """Replace text in a file; the text must be there."""
    file = project.root / path
    text = file.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path}"
    file.write_text(text.replace(old, new), encoding="utf-8")


def age_files(root: Path, seconds: float) -> None:
    """Give every file another modification time."""
    for path in sorted(root.rglob("*")):
        if path.is_file():
            moment = path.stat().st_mtime - seconds
            os.utime(path, (moment, moment))
