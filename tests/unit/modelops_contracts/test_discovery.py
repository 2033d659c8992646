from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from modelops_contracts.discovery import (
    FoundModel,
    FoundTarget,
    Lookup,
    ModuleFacts,
    find_class,
    list_models,
    list_targets,
    parse_source,
    scan_source,
)
from modelops_contracts.errors import InvalidInput
from modelops_contracts.registry import (
    discover_model_classes,
    discover_model_outputs,
    discover_target_functions,
)


def project(**files: str) -> tuple[dict[str, ModuleFacts], Lookup]:
    """Modules named with `__` for a dot, given as source text."""
    facts = {}
    for key, source in files.items():
        module = key.replace("__", ".")
        path = module.replace(".", "/") + ".py"
        facts[module] = scan_source(dedent(source).encode(), path=path, module=module)
    return facts, facts.get


def models_of(module: str, **files: str) -> dict[str, FoundModel]:
    facts, lookup = project(**files)
    return {model.name: model for model in list_models(facts[module], lookup)}


def targets_of(module: str, **files: str) -> dict[str, FoundTarget]:
    facts, lookup = project(**files)
    return {target.name: target for target in list_targets(facts[module], lookup)}


METHODS = "    def build_sim(self, p, c): ...\n    def run_sim(self, s, seed): ...\n"


@pytest.mark.parametrize(
    ("imports", "base"),
    [
        ("from modelops_calabaria import BaseModel", "BaseModel"),
        ("from modelops_calabaria.base_model import BaseModel as Base", "Base"),
        ("import modelops_calabaria as cb", "cb.BaseModel"),
        ("import modelops_calabaria", "modelops_calabaria.BaseModel"),
        ("from modelops_calabaria import *", "BaseModel"),
        ("import modelops_calabaria as cb\nRoot = cb.BaseModel", "Root"),
        ("from calabaria import BaseModel", "BaseModel"),
        (("try:\n    from modelops_calabaria import BaseModel\nexcept ImportError:\n"
         "    BaseModel = object"), "BaseModel"),
        ("from typing import Generic, T\nfrom modelops_calabaria import BaseModel",
         "Generic[T], BaseModel[int]"),
    ],
)  # fmt: skip
def test_models_are_found_however_the_base_is_named(imports: str, base: str) -> None:
    found = models_of("m", m=f"{imports}\nclass Sir({base}):\n{METHODS}")
    assert found["Sir"].selectable
    assert not found["Sir"].notes


@pytest.mark.parametrize(
    "source",
    [
        "from pydantic import BaseModel\nclass A(BaseModel): pass",
        "import pydantic\nclass A(pydantic.BaseModel): pass",
        "import pydantic\nclass BaseModel(pydantic.BaseModel): pass\nclass A(BaseModel): pass",
        "class A: pass",
        "def f():\n    from modelops_calabaria import BaseModel\n    class A(BaseModel): pass",
    ],
)
def test_other_classes_are_no_models(source: str) -> None:
    assert models_of("m", m=source) == {}


def test_an_unbound_base_counts_with_a_warning() -> None:
    found = models_of("m", m="class Sir(BaseModel): pass")
    assert [note.code for note in found["Sir"].notes] == ["unresolved_base"]


def test_inheritance_and_reexports_are_followed_through_project_files() -> None:
    found = models_of(
        "models.sir",
        base="from modelops_calabaria import BaseModel, model_output, model_scenario\n"
        f"class Root(BaseModel):\n{METHODS}"
        "    @model_output('inc')\n    def a(self, raw, seed): ...\n"
        "    @model_output('old')\n    def b(self, raw, seed): ...\n"
        "    @model_scenario('lockdown')\n    def c(self): ...\n",
        shim="from base import Root as Middle",
        models__sir="import shim\nfrom base import model_output as out\n"
        "class Sir(shim.Middle):\n"
        "    @out(name='new')\n    def b(self, raw, seed): ...\n"
        "    @out\n    def prev(self, raw, seed): ...\n",
    )
    assert found["Sir"].outputs == ("inc", "new", "prev")
    assert found["Sir"].scenarios == ("baseline", "lockdown")
    assert found["Sir"].selectable


@pytest.mark.parametrize(
    "source",
    [
        "from abc import ABC\nfrom modelops_calabaria import BaseModel\n"
        "class A(BaseModel, ABC):\n" + METHODS,
        "import abc\nfrom modelops_calabaria import BaseModel\nclass A(BaseModel):\n" + METHODS
        + "    @abc.abstractmethod\n    def other(self): ...\n",
        ("from modelops_calabaria import BaseModel\nclass A(BaseModel):\n"
        "    def build_sim(self, p, c): ...\n"),
        "from modelops_calabaria import BaseModel\nclass _A(BaseModel):\n" + METHODS,
    ],
)  # fmt: skip
def test_abstract_and_private_classes_are_listed_but_not_selected(source: str) -> None:
    (found,) = models_of("m", m=source).values()
    assert not found.selectable


def test_an_implemented_abstract_method_makes_a_class_concrete() -> None:
    found = models_of(
        "m",
        m="import abc\nfrom modelops_calabaria import BaseModel\n"
        "class A(BaseModel, abc.ABC):\n    @abc.abstractmethod\n    def rate(self): ...\n"
        + METHODS
        + "class B(A):\n    def rate(self): return 1\n",
    )
    assert not found["A"].selectable
    assert found["B"].selectable


def test_a_value_redefines_a_method_as_it_does_when_the_class_is_made() -> None:
    found = models_of(
        "m",
        m="import abc\nfrom modelops_calabaria import BaseModel, model_output\n"
        "class A(BaseModel):\n    @property\n    @abc.abstractmethod\n    def ages(self): ...\n"
        "    @model_output('inc')\n    def inc(self, raw, seed): ...\n"
        "    @model_output('odd')\n    def odd(self, raw, seed): ...\n"
        + METHODS
        + "class B(A):\n    ages = ('old', 'young')\n    inc = None\n"
        "class C(A):\n    ages: tuple\n",
    )
    assert not found["A"].selectable
    assert (found["B"].selectable, found["B"].outputs) == (True, ("odd",))
    assert (found["C"].selectable, found["C"].outputs) == (False, ("inc", "odd"))


def test_parameters_are_read_when_they_are_written_out() -> None:
    head = "from modelops_calabaria import BaseModel, ParameterSpace, ParameterSpec\n"
    space = "ParameterSpace((ParameterSpec('beta', 0, 1), ParameterSpec(name='gamma', lower=0)))"
    written = models_of("m", m=f"{head}class A(BaseModel):\n    PARAMS = {space}\n")
    named = models_of("m", m=f"{head}S = {space}\nclass A(BaseModel):\n    PARAMS = S\n")
    computed = models_of(
        "m",
        m=f"{head}class A(BaseModel):\n"
        "    PARAMS = ParameterSpace([ParameterSpec(n, 0, 1) for n in 'ab'])\n",
    )
    assert written["A"].parameters == named["A"].parameters == ("beta", "gamma")
    assert computed["A"].parameters is None


def test_any_class_can_be_named() -> None:
    facts, lookup = project(m="from lib import Base\nclass A(Base): pass\n")
    assert list_models(facts["m"], lookup) == []
    found = find_class("A", facts["m"], lookup)
    assert found is not None
    assert find_class("B", facts["m"], lookup) is None


@pytest.mark.parametrize(
    ("imports", "decorator"),
    [
        ("from modelops_calabaria import calibration_target", "calibration_target"),
        ("from modelops_calabaria import calibration_target as ct", "ct"),
        ("import modelops_calabaria as cb", "cb.calibration_target"),
        ("from shim import target", "target"),
        ("if True:\n    from modelops_calabaria.decorators import calibration_target as ct", "ct"),
    ],
)
def test_targets_are_found_however_the_decorator_is_named(imports: str, decorator: str) -> None:
    found = targets_of(
        "t",
        shim="from modelops_calabaria import calibration_target as target",
        t=f"{imports}\n@{decorator}(model_output='inc', data={{'o': 'd.csv'}})\n"
        "async def weekly(): ...\n",
    )
    assert found["weekly"].model_output == "inc"
    assert found["weekly"].data == ("d.csv",)
    assert found["weekly"].selectable


def test_nested_functions_are_no_targets() -> None:
    source = """
        from modelops_calabaria import calibration_target
        def outer():
            @calibration_target(model_output="x")
            def inner(): ...
        class C:
            @calibration_target(model_output="x")
            def method(self): ...
    """
    assert targets_of("t", t=source) == {}


def test_decorator_arguments_that_can_be_known_are_known() -> None:
    found = targets_of(
        "targets.t",
        names="OUT = 'weekly'",
        targets__t="""
            from pathlib import Path
            import os
            from modelops_calabaria import calibration_target as ct
            from names import OUT
            HERE = Path(__file__).resolve().parent
            NAME = "inc"
            @ct(OUT + "_cases", {"a": HERE.parent / "data" / f"{NAME}.csv",
                "b": os.path.join("data", "b.csv")}, name="x", weight=1 / 4, labels={"k": "v"})
            def f(): ...
        """,
    )["f"]
    assert found.model_output == "weekly_cases"
    assert found.data == ("data/inc.csv", "data/b.csv")
    assert (found.explicit_name, found.weight, dict(found.labels)) == ("x", 0.25, {"k": "v"})
    assert found.notes == ()


@pytest.mark.parametrize(
    "argument",
    ["model_output=pick()", "model_output=TWICE", "model_output=3", "data=3", "weight='x'",
     "weight=-1", "labels={'a': 1}", "**META", "model_output=f'{x!r}'", "data={**A}"],
)  # fmt: skip
def test_what_cannot_be_read_is_said_and_never_invented(argument: str) -> None:
    found = targets_of(
        "t",
        t="from modelops_calabaria import calibration_target\nTWICE = 'a'\nTWICE = 'b'\n"
        f"@calibration_target({argument})\ndef f(): ...\n",
    )["f"]
    assert [note.code for note in found.notes] == ["unreadable_value"]
    assert found.model_output is None
    assert found.data == ()
    assert found.weight == 1.0


def test_all_imports_are_seen() -> None:
    facts = scan_source(
        dedent("""
            import a.b
            from . import c
            from ..up import d
            from e import *
            from typing import TYPE_CHECKING
            if TYPE_CHECKING:
                import f
            def late():
                import g
                importlib.import_module("h.i")
        """).encode(),
        path="pkg/sub/m.py",
        module="pkg.sub.m",
    )
    seen = {(item.module, item.name, item.typing_only) for item in facts.imports}
    assert seen >= {
        ("a.b", None, False), ("pkg.sub", "c", False), ("pkg.up", "d", False),
        ("e", "*", False), ("f", None, True), ("g", None, False), ("h.i", None, False),
    }  # fmt: skip
    assert facts.stars == ("e",)


def test_circular_names_end() -> None:
    found = models_of("a", a="from b import X\nclass Y(X): pass", b="from a import X")
    assert found == {}


@pytest.mark.parametrize(
    ("source", "where"),
    [
        (b"x = (\n", "bad.py:1"),
        (b"\x00", "bad.py"),
        (b"<<<<<<< HEAD\n", "bad.py:1"),
        (b"(" * 5000, "bad.py"),
    ],
)
def test_files_that_do_not_parse_name_file_and_line(source: bytes, where: str) -> None:
    with pytest.raises(InvalidInput, match=where) as caught:
        parse_source(source, "bad.py")
    assert caught.value.code == "parse_failed"


@pytest.mark.parametrize(
    "source", [b"\xef\xbb\xbfx = 1\n", "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")]
)
def test_other_encodings_parse(source: bytes) -> None:
    assert parse_source(source, "ok.py").body


def test_the_thin_readers(tmp_path: Path) -> None:
    path = tmp_path / "all.py"
    path.write_text(
        "from modelops_calabaria import BaseModel, model_output, calibration_target\n"
        "class A(BaseModel):\n    @model_output('inc')\n    def i(self, raw, seed): ...\n"
        "@calibration_target(model_output='inc', data=load())\ndef f(): ...\n"
    )
    assert discover_model_classes(path) == [("A", ["BaseModel"])]
    assert discover_model_outputs(path) == {"A": ["inc"]}
    assert discover_target_functions(path) == [("f", {"model_output": "inc", "data": "load()"})]
