"""What is worth knowing about a project beside drift: hints, never a reason to refuse a push."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops_bundle.findings import Finding
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project
from modelops_bundle.registering import refresh, register
from modelops_bundle.registry import RegisterOptions, load_registry, validate_registry
from modelops_bundle.status.reading import read_status
from modelops_bundle.transfer.push import push
from support.projects import edit, make_registered, write_files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "outer" / "project")


def findings(project: Project) -> dict[str, Finding]:
    return {item.code: item for item in read_status(project).findings}


def pushes(project: Project) -> bool:
    return push(project, LayoutStore(project.root.parent / "store", "little")).pushed


def test_a_clean_project_has_none_of_them(project: Project) -> None:
    assert validate_registry(load_registry(project.root), project.root) == []
    assert set(findings(project)) <= {"unlocked_environment"}


def test_a_directory_that_is_named_and_not_declared(project: Project) -> None:
    write_files(project.root, {"tables/a.csv": "1", "plots/x.py": ""})
    edit(project, "models/helpers.py", "return state", 'return open("tables", "plots") or state')
    found = findings(project)["undeclared_directory"]
    assert (found.severity, found.path) == ("info", "models/helpers.py")
    assert "tables" in found
    assert found.hint == "mops bundle register-model models/sir.py --data tables"
    assert pushes(project)
    register(project, "model", "models/sir.py", RegisterOptions(data=("tables",)), cwd=project.root)
    assert "undeclared_directory" not in findings(project)


def test_a_gap_in_a_chain_of_packages(project: Project) -> None:
    write_files(project.root, {"models/deep/more.py": "x = 1\n"})
    edit(project, "models/helpers.py", "def rate", "import models.deep.more\n\n\ndef rate")
    found = findings(project)["missing_init"]
    assert (found.severity, found.path) == ("info", "models/deep/__init__.py")
    assert pushes(project)


def test_an_import_from_outside(project: Project) -> None:
    write_files(project.root.parent, {"sharedcode.py": "x = 1\n"})
    edit(project, "models/helpers.py", "def rate", "import sharedcode\n\n\ndef rate")
    found = findings(project)["outside_project"]
    assert found.severity == "warning"
    assert "../sharedcode.py" in found
    assert "unresolved_import" not in findings(project)


@pytest.mark.parametrize(
    ("line", "changing"),
    [
        ("peak = wrap(lambda data_paths: 1)", ("targets/counts.py", "return f", "return f or 1")),
        ("from targets.other import peak", ("targets/other.py", "return 1", "return 2")),
    ],
)
def test_an_assigned_or_imported_name_is_believed(
    project: Project, line: str, changing: tuple[str, str, str]
) -> None:
    write_files(project.root, {"targets/other.py": "def peak(data_paths):\n    return 1\n"})
    before = load_registry(project.root).targets["peak"]
    text = (project.root / "targets/counts.py").read_text()
    start = text.rindex("@calibration_target")
    wrap = "def wrap(f):\n    return f\n\n\n"
    write_files(project.root, {"targets/counts.py": f"{text[:start]}{wrap}{line}\n"})
    found = findings(project)["unverified_symbol"]
    assert (found.severity, found.id) == ("info", "peak")
    state = {item.id: item.state for item in read_status(project).targets}
    assert state["peak"] == "changed"
    assert pushes(project)
    pushed = load_registry(project.root).targets["peak"]
    assert pushed.digest != before.digest
    assert (pushed.model_output, pushed.weight) == (before.model_output, before.weight)
    assert not refresh(project, dry_run=True).plan.changes_entries
    register(project, "target", "targets/counts.py", cwd=project.root)
    assert "peak" in load_registry(project.root).targets
    edit(project, *changing)
    pushes(project)
    assert load_registry(project.root).targets["peak"].digest != pushed.digest


COMPUTED = """
import importlib

def plugin(name):
    return importlib.import_module(f"models.{name}")


def rate"""


def test_an_import_whose_name_is_computed(project: Project) -> None:
    write_files(project.root, {"models/extra.py": "x = 1\n"})
    edit(project, "models/helpers.py", "def rate", COMPUTED)
    found = findings(project)["computed_import"]
    assert (found.severity, found.path, found.line) == ("warning", "models/helpers.py", 5)
    assert "--code FILE" in (found.hint or "")
    assert pushes(project)
    options = RegisterOptions(code=("models/extra.py",))
    register(project, "model", "models/sir.py", options, cwd=project.root)
    assert [item for item in read_status(project).findings if item.kind == "model"] == []
