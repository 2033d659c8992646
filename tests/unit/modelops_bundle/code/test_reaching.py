"""What belongs to an entry when its file and its helpers import each other."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops_bundle.project.project import init_project, open_project
from modelops_bundle.registering import register
from modelops_bundle.registry import load_registry
from modelops_bundle.status.reading import read_status
from support.projects import PYPROJECT, write_files

TARGET = """\
from modelops_calabaria import calibration_target
{imports}

def util(x):
    return x

@calibration_target(model_output="cases", data="data/a.csv")
def a(paths):
    return {call}

@calibration_target(model_output="cases", data="data/a.csv")
def b(paths):
    return 2
"""


def make(root: Path, files: dict[str, str]) -> Path:
    write_files(root, {"pyproject.toml": PYPROJECT, "data/a.csv": "1\n", **files})
    init_project(root, bare=True)
    register(open_project(root), "target", root / "targets/t.py")
    return root


def states(root: Path) -> dict[str, str]:
    return {item.id: item.state for item in read_status(open_project(root)).targets}


def edit(root: Path, old: str, new: str) -> None:
    file = root / "targets/t.py"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.parametrize(
    "helper",
    [
        "def f(x):\n    from targets.t import util\n    return util(x)\n",
        "def f(x):\n    from targets.t import util as u\n    return u(x)\n",
        "import targets.t as tt\n\ndef f(x):\n    return tt.util(x)\n",
        "def f(x):\n    from targets import t\n    return t.util(x)\n",
        "def f(x):\n    from targets.t import *\n    return util(x)\n",
        "import importlib\n\ndef f(x):\n    return importlib.import_module('targets.t').util(x)\n",
        "def f(x):\n    from helpers.more import g\n    return g(x)\n",
    ],
)
def test_what_a_helper_takes_back_from_the_file_counts(tmp_path: Path, helper: str) -> None:
    target = TARGET.format(imports="from helpers.h import f", call="f(1)")
    more = "import targets.t\n\ndef g(x):\n    return targets.t.util(x)\n"
    root = make(tmp_path, {"targets/t.py": target, "helpers/h.py": helper, "helpers/more.py": more})
    before = load_registry(root).targets["a"].digest
    assert states(root) == {"a": "ok", "b": "ok"}
    edit(root, "def util(x):\n    return x", "def util(x):\n    return x + 1")
    assert states(root)["a"] == "changed"
    register(open_project(root), "target", root / "targets/t.py")
    assert load_registry(root).targets["a"].digest != before


def test_a_file_that_imports_itself_counts_what_it_takes(tmp_path: Path) -> None:
    target = TARGET.format(imports="import targets.t as me", call="me.util(1)")
    root = make(tmp_path, {"targets/t.py": target})
    edit(root, "return 2", "return 3")
    assert states(root) == {"a": "ok", "b": "changed"}
    edit(root, "return x", "return x + 1")
    assert states(root)["a"] == "changed"


def test_a_name_that_a_package_only_passes_on_does_not_count(tmp_path: Path) -> None:
    package = 'from targets.t import a, b, util\n\n__all__ = ["a", "b", "util"]\n'
    target = TARGET.format(imports="", call="1")
    root = make(tmp_path, {"targets/t.py": target, "targets/__init__.py": package})
    edit(root, "return x", "return x + 1")
    assert states(root) == {"a": "ok", "b": "ok"}


def test_data_named_by_what_is_taken_back_is_data_of_the_entry(tmp_path: Path) -> None:
    target = TARGET.format(imports="from helpers.h import f", call="f(1)")
    target = target.replace("return x", 'return open("data/more.csv")')
    helper = "def f(x):\n    from targets.t import util\n    return util(x)\n"
    files = {"targets/t.py": target, "helpers/h.py": helper, "data/more.csv": "1\n"}
    root = make(tmp_path, files)
    assert [p.as_posix() for p in load_registry(root).targets["a"].data] == [
        "data/a.csv", "data/more.csv",
    ]  # fmt: skip


def test_a_helper_that_does_not_parse_is_reported(tmp_path: Path) -> None:
    target = TARGET.format(imports="from helpers.h import f", call="f(1)")
    helper = "def f(x):\n    from targets.t import util\n    return util(x)\n"
    root = make(tmp_path, {"targets/t.py": target, "helpers/h.py": helper})
    (root / "helpers/h.py").write_text("from targets.t import (\n", encoding="utf-8")
    assert states(root)["a"] == "broken"


@pytest.mark.parametrize(
    "call",
    [
        'runpy.run_path("helpers/plugin.py")',
        'importlib.util.spec_from_file_location("plugin", "helpers/plugin.py")',
        'Path(__file__).parent.parent / "helpers" / "plugin.py"',
    ],
)
def test_python_that_is_loaded_by_its_path_counts(tmp_path: Path, call: str) -> None:
    imports = "import importlib.util\nimport runpy\nfrom pathlib import Path"
    target = TARGET.format(imports=imports, call=call)
    root = make(tmp_path, {"targets/t.py": target, "helpers/plugin.py": "X = 1\n"})
    assert states(root) == {"a": "ok", "b": "ok"}
    (root / "helpers/plugin.py").write_text("X = 2\n", encoding="utf-8")
    assert states(root) == {"a": "stale", "b": "ok"}


def test_a_file_that_names_itself_is_no_data(tmp_path: Path) -> None:
    target = TARGET.format(imports="", call='print("targets/t.py")')
    root = make(tmp_path, {"targets/t.py": target})
    assert [p.as_posix() for p in load_registry(root).targets["a"].data] == ["data/a.csv"]
