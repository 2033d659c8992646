"""Choosing an environment: what is declared against what is there."""

from __future__ import annotations

import platform
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from modelops.engine.environments.own_wheel import (
    guest_digest,
    guest_requirements,
    write_wheel,
)
from modelops.engine.environments.requirements import closure, python_fits, unmet
from modelops.engine.environments.select import digest_of_versions, plan_environment
from modelops.engine.environments.spec import import_roots
from modelops_contracts.errors import InvalidInput


def project(folder: Path, *dependencies: str, requires: str = ">=3.11") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    listed = ", ".join(f'"{one}"' for one in dependencies)
    text = f'[project]\nname = "p"\nversion = "1"\nrequires-python = "{requires}"\n'
    (folder / "pyproject.toml").write_text(f"{text}dependencies = [{listed}]\n")
    return folder


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("numpy", True),
        ("NumPy>=1", True),
        (f"numpy=={np.__version__}", True),
        ("numpy<1", False),
        ("a-distribution-nobody-has", False),
        ("a-distribution-nobody-has; python_version < '3'", True),
        ("numpy @ https://example.org/numpy.whl", False),
        ("modelops-calabaria @ git+https://example.org/calabaria@main", True),
        ("modelops_contracts==99", True),
        ("pandas[a-missing-extra]", True),
    ],
)
def test_requirements_against_this_environment(requirement: str, met: bool) -> None:
    assert unmet([requirement]) == ([] if met else [requirement])


def test_text_that_is_no_requirement_is_named() -> None:
    with pytest.raises(InvalidInput, match="numpy => 2"):
        unmet(["numpy => 2"])


def test_python_versions() -> None:
    assert python_fits("")
    assert python_fits(">=3.11,<4")
    assert python_fits(">=3.12", "3.13.0")
    assert not python_fits(">=3.12", "3.11.9")
    with pytest.raises(InvalidInput, match="requires-python"):
        python_fits("three")


def test_the_closure_holds_what_is_needed_indirectly() -> None:
    found = closure(["pandas"])
    assert found["numpy"] == np.__version__
    assert "python-dateutil" in found
    assert "modelops" not in found
    assert "pytest" not in found


def test_satisfied_projects_run_right_here(tmp_path: Path) -> None:
    spec = plan_environment(project(tmp_path, "numpy", "modelops-calabaria"))
    assert (spec.kind, spec.python, spec.ready) == ("direct", Path(sys.executable), True)
    assert dict(spec.versions)["numpy"] == np.__version__
    assert spec.digest == plan_environment(project(tmp_path / "again", "polars")).digest


def test_a_project_without_a_file_runs_right_here(tmp_path: Path) -> None:
    assert plan_environment(tmp_path).kind == "direct"


def test_what_is_missing_means_an_environment_of_its_own(tmp_path: Path) -> None:
    spec = plan_environment(project(tmp_path, "numpy", "nobody-has-this>=2"))
    assert (spec.kind, spec.ready) == ("isolated", False)
    assert "nobody-has-this>=2" in spec.detail
    assert spec.digest != plan_environment(project(tmp_path / "q", "nobody-has-this>=3")).digest


def test_what_is_imported_without_being_declared_counts(tmp_path: Path) -> None:
    silent = project(tmp_path / "p", "numpy")
    before = plan_environment(silent)
    (silent / "models").mkdir()
    (silent / "models" / "m.py").write_text(
        "import os, models.helper\nfrom pathlib import Path\nimport not_installed_anywhere\n"
    )
    assert plan_environment(silent).digest == before.digest
    (silent / "models" / "m.py").write_text("def f():\n    import os, yaml as y\n")
    found = plan_environment(silent)
    assert "pyyaml" in dict(found.versions)
    assert found.digest != before.digest


def test_a_folder_on_this_machine_is_built_again_when_it_changes(tmp_path: Path) -> None:
    (tmp_path / "walk").mkdir()
    (tmp_path / "walk" / "a.py").write_text("x = 1")
    wanted = project(tmp_path / "p", f"walk @ {(tmp_path / 'walk').as_uri()}")
    before = plan_environment(wanted)
    assert before.kind == "isolated"
    assert plan_environment(wanted).build_key == before.build_key
    (tmp_path / "walk" / "a.py").write_text("x = 2")
    assert plan_environment(wanted).build_key != before.build_key


def test_direct_refuses_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="nobody-has-this"):
        plan_environment(project(tmp_path, "nobody-has-this"), kind="direct")
    with pytest.raises(InvalidInput, match=r"Python >=3\.99"):
        plan_environment(project(tmp_path, requires=">=3.99"), kind="direct")


def test_direct_with_another_interpreter_asks_it(tmp_path: Path) -> None:
    spec = plan_environment(project(tmp_path), kind="direct", python=sys.executable)
    assert dict(spec.versions)["numpy"] == np.__version__
    with pytest.raises(InvalidInput, match="no-python"):
        plan_environment(project(tmp_path), kind="direct", python=tmp_path / "no-python")


def test_unknown_kinds_and_broken_files(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="isolate"):
        plan_environment(tmp_path, kind="isolate")
    (tmp_path / "pyproject.toml").write_text("[project\n")
    with pytest.raises(InvalidInput, match=r"pyproject\.toml"):
        plan_environment(tmp_path)


def test_the_digest_ignores_ourselves_and_spelling() -> None:
    base = digest_of_versions("3.11.7", "linux", {"numpy": "2.0", "ruamel.yaml": "1"})
    same = {"NumPy": "2.0", "ruamel-yaml": "1", "modelops": "9", "modelops-bundle": "1"}
    assert digest_of_versions("3.11.7", "linux", same) == base
    for other in (
        digest_of_versions("3.11.8", "linux", same),
        digest_of_versions("3.11.7", "macos", same),
        digest_of_versions("3.11.7", "linux", {**same, "numpy": "2.1"}),
    ):
        assert other != base


def test_import_roots(tmp_path: Path) -> None:
    assert import_roots(tmp_path) == (str(tmp_path),)
    (tmp_path / "src").mkdir()
    assert import_roots(tmp_path) == (str(tmp_path / "src"), str(tmp_path))
    (tmp_path / "src" / "__init__.py").touch()
    assert import_roots(tmp_path) == (str(tmp_path),)


def test_our_wheel_holds_our_packages_and_asks_for_little(tmp_path: Path) -> None:
    path = write_wheel(tmp_path)
    assert write_wheel(tmp_path) == path
    assert path.parent.name == guest_digest()[:16]
    with zipfile.ZipFile(path) as wheel:
        names = wheel.namelist()
        info = next(name for name in names if name.endswith("/METADATA"))
        metadata = wheel.read(info).decode()
        points = wheel.read(info.replace("METADATA", "entry_points.txt")).decode()
        record = wheel.read(info.replace("METADATA", "RECORD")).decode()
    tops = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {
        "modelops",
        "modelops_bundle",
        "modelops_calabaria",
        "modelops_contracts",
        "modelops_runner",
    }
    assert not any("__pycache__" in name for name in names)
    assert record.count("\n") == len(names)
    assert "execute = modelops_calabaria.modelops_wire:wire_function" in points
    asked = [line for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert len(asked) == len(guest_requirements()) == 4
    assert not any("click" in line or "optuna" in line for line in asked)
    assert platform.python_version() >= "3.11"
