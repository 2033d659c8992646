from __future__ import annotations

import pytest

from modelops_calabaria.wire_loader import import_roots, load_symbol
from support.model_projects import run_inside, write_project


@pytest.mark.parametrize("reference", ["models.line", "", ":x", "module:", "line.py"])
def test_references_have_two_parts(reference):
    with pytest.raises(ImportError, match="Expected 'module_or_file:Symbol' format"):
        load_symbol(reference)


def test_symbols_may_be_dotted():
    assert load_symbol("os:path.join").__name__ == "join"
    with pytest.raises(ImportError, match=r"Cannot import 'path.jion'") as caught:
        load_symbol("os:path.jion")
    assert "join" in caught.value.hint


def test_without_a_project_only_installed_modules(tmp_path, monkeypatch):
    write_project(tmp_path, {"only_here.py": "x = 1"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImportError, match="Cannot import 'only_here'"):
        load_symbol("only_here:x", allow_cwd_import=False)


def test_a_class_is_one_class_however_it_is_named(tmp_path):
    write_project(
        tmp_path,
        {"src/pkg/a.py": "class A: pass\n", "src/pkg/b.py": "from pkg.a import A\n"},
    )
    code = """
import pathlib, pickle
from modelops_calabaria.wire_loader import load_symbol
one = load_symbol("pkg.a:A")
same = [load_symbol(r) for r in ("src/pkg/a.py:A", "./src/pkg/a.py:A",
        str(pathlib.Path("src/pkg/a.py").resolve()) + ":A", "pkg.b:A")]
answer = [one is other for other in same] + [pickle.loads(pickle.dumps(one)) is one, one.__module__]
"""
    assert run_inside(tmp_path, code) == [True] * 5 + ["pkg.a"]


def test_the_project_wins_over_the_standard_library(tmp_path):
    write_project(tmp_path, {"statistics.py": "class Mine: pass\n", "calendar.py": "Mine = 2\n"})
    code = """
import statistics, calendar
from modelops_calabaria.wire_loader import load_symbol
answer = [load_symbol("statistics:Mine").__name__, load_symbol("calendar.py:Mine")]
"""
    assert run_inside(tmp_path, code) == ["Mine", 2]


def test_lazy_imports_of_the_authors_code_still_work(tmp_path):
    write_project(
        tmp_path,
        {
            "models/sir.py": "def run():\n    from models.late import value\n    return value\n",
            "models/late.py": "from helpers import value\n",
            "helpers.py": "value = 5\n",
        },
    )
    code = """
from modelops_calabaria.wire_loader import load_symbol
answer = load_symbol("models/sir.py:run")()
"""
    assert run_inside(tmp_path, code) == 5


def test_a_missing_package_is_reported_as_itself(tmp_path):
    write_project(
        tmp_path,
        {"models/sir.py": "from models.deep import x\n", "models/deep.py": "import nosuchthing\n"},
    )
    code = """
from modelops_calabaria.wire_loader import load_symbol
try:
    load_symbol("models.sir:Sir")
except ModuleNotFoundError as error:
    answer = [str(error), error.name, error.hint]
"""
    text, name, hint = run_inside(tmp_path, code)
    assert text == "models/deep.py imports 'nosuchthing', which is not installed here"
    assert name == "nosuchthing"
    assert "dependencies" in hint


def test_what_the_authors_code_raises_passes_through(tmp_path):
    write_project(
        tmp_path, {"broken.py": "def f(:\n", "raising.py": "raise RuntimeError('mine')\n"}
    )
    code = """
from modelops_calabaria.wire_loader import load_symbol
load_symbol("{}:x")
"""
    assert "SyntaxError" in run_inside(tmp_path, code.format("broken"))["error"]
    assert run_inside(tmp_path, code.format("raising"))["message"] == "mine"


def test_files_outside_of_the_project(tmp_path):
    project = write_project(tmp_path / "project", {"x.py": ""})
    outside = write_project(tmp_path / "other", {"2 odd-name.py": "class A: pass\n"})
    code = f"""
from modelops_calabaria.wire_loader import load_symbol
reference = {str(outside / "2 odd-name.py")!r} + ":A"
answer = load_symbol(reference) is load_symbol(reference)
"""
    assert run_inside(project, code) is True
    got = run_inside(project, code.replace("2 odd", "3 odd"))
    assert "there is no such file" in got["message"]


def test_two_projects_in_one_process(tmp_path):
    for name in ("one", "two"):
        write_project(
            tmp_path / name,
            {"models/m.py": f"from shared import who\nclass M: name = who + '{name}'\n",
             "shared.py": f"who = 'shared-{name}-'\n"},
        )  # fmt: skip
    code = """
import os
from modelops_calabaria.wire_loader import load_symbol
one = load_symbol("models.m:M", project_root="one")
two = load_symbol("models.m:M", project_root="two")
os.chdir("one")
answer = [one.name, two.name, load_symbol("models.m:M") is one]
"""
    assert run_inside(tmp_path, code) == ["shared-one-one", "shared-two-two", True]


def test_import_roots(tmp_path):
    write_project(
        tmp_path,
        {
            "pyproject.toml": "[tool.modelops]\nimport_roots = ['lib/deep']\n",
            "src/x.py": "",
            "lib/deep/y.py": "z = 3\n",
        },
    )
    assert import_roots(tmp_path) == (tmp_path / "lib/deep", tmp_path / "src", tmp_path)
    code = """
from modelops_calabaria.wire_loader import load_symbol
answer = [load_symbol("y:z"), load_symbol("lib/deep/y.py:z")]
"""
    assert run_inside(tmp_path, code) == [3, 3]
    write_project(tmp_path, {"src/__init__.py": ""})
    assert import_roots(tmp_path) == (tmp_path / "lib/deep", tmp_path)


def test_our_own_packages_are_never_touched(tmp_path):
    write_project(tmp_path, {"modelops_calabaria/__init__.py": "", "m.py": "x = 1\n"})
    code = """
import sys
sys.path.remove("")  # python -c puts the working directory first; the wire starts without
import modelops_calabaria
from modelops_calabaria.wire_loader import load_symbol
answer = [load_symbol("m:x"), sys.modules["modelops_calabaria"] is modelops_calabaria]
from modelops_calabaria.parameters import ParameterSpec
"""
    assert run_inside(tmp_path, code) == [1, True]


def test_a_name_that_is_not_there_is_compared_with_what_the_file_defines(tmp_path):
    source = "from modelops_calabaria import *\nclass Town: ...\nclass Village: ...\n"
    (tmp_path / "defining.py").write_text(source)
    code = """
from modelops_calabaria.wire_loader import load_symbol
answer = load_symbol("defining:Metropolis")
"""
    assert run_inside(tmp_path, code)["hint"] == "known: Town, Village"


def test_a_folder_that_was_on_the_path_before_stays_there(tmp_path):
    write_project(tmp_path / "one", {"m.py": "x = 1\n"})
    write_project(tmp_path / "two", {"m.py": "x = 2\n"})
    code = f"""
import os, sys
from modelops_calabaria.wire_loader import load_symbol
one, two = {str(tmp_path / "one")!r}, {str(tmp_path / "two")!r}
sys.path.append(one)
answer = []
for folder in (one, two, one, two):
    os.chdir(folder)
    answer += [load_symbol("m:x"), sys.path.count(one), sys.path.count(two)]
"""
    assert run_inside(tmp_path, code) == [1, 2, 0, 2, 1, 1, 1, 2, 0, 2, 1, 1]
