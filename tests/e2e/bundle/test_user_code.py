"""What can be wrong with a user's file: it is named with its line, and other files go on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project
from modelops_bundle.registering import refresh, register
from modelops_bundle.registry import load_registry
from modelops_bundle.status.reading import read_status
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import Conflict, InvalidInput
from support.projects import FILES, edit, make_registered

TARGETS = FILES["targets/counts.py"].encode()
LINES = TARGETS.count(b"\n")


@dataclass(frozen=True, slots=True)
class Fault:
    """Bytes that a file may have, and the line that is to be named (0: the file alone)."""

    data: bytes
    line: int


BROKEN = {
    "syntax error": Fault(TARGETS + b"def broken(:\n", LINES + 1),
    "merge markers": Fault(
        b"<<<<<<< HEAD\nx = 1\n=======\nx = 2\n>>>>>>> theirs\n" + TARGETS, 1
    ),
    "merge markers inside": Fault(TARGETS + b"<<<<<<< HEAD\nx = 1\n=======\n", LINES + 1),
    "NUL": Fault(TARGETS + b"x = '\x00'\n", 0),
    "all NUL, as after a power loss": Fault(b"\x00" * 4096, 0),
    "unknown coding": Fault(b"# -*- coding: klingon -*-\n" + TARGETS, 0),
    "not the coding it says": Fault(TARGETS + b"name = '\xe9'\n", 0),
    "tabs and blanks": Fault(TARGETS + b"if 1:\n\tx = 1\n        y = 2\n", LINES + 3),
    "unfinished text": Fault(TARGETS + b'x = """\n', LINES + 1),
    "deep parentheses": Fault(TARGETS + b"x = " + b"(" * 5000 + b")" * 5000 + b"\n", 0),
    "deep attributes": Fault(TARGETS + b"x = a" + b".b" * 100_000 + b"\n", 0),
    "deep sums": Fault(TARGETS + b"x = 1" + b" + 1" * 100_000 + b"\n", 0),
    "deep nesting": Fault(
        TARGETS + b"".join(b" " * n + b"if 1:\n" for n in range(200)) + b" " * 200 + b"x = 1\n", 0
    ),
    "python 2": Fault(TARGETS + b"print 'hello'\n", LINES + 1),
}  # fmt: skip

FINE = {
    "BOM": b"\xef\xbb\xbf" + TARGETS,
    "Latin-1 with its coding line": "# -*- coding: latin-1 -*-\nname = 'caf\u00e9'\n".encode(
        "latin-1"
    )
    + TARGETS,
    "carriage returns": TARGETS.replace(b"\n", b"\r\n"),
    "no newline at the end": TARGETS.rstrip(b"\n"),
    "form feeds": TARGETS.replace(b"\n\n\n", b"\n\x0c\n\n"),
    "50,000 lines": TARGETS + b"".join(b"x%d = [%d, 'a', 2.5]\n" % (n, n) for n in range(50_000)),
    "names of other scripts": TARGETS + "größe = 1\nμ = größe\n".encode(),
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "project")


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_named_and_stops_nothing_else(project: Project, name: str) -> None:
    fault = BROKEN[name]
    before = {key: item.to_dict() for key, item in load_registry(project.root).targets.items()}
    (project.root / "targets/counts.py").write_bytes(fault.data)
    edit(project, "models/sir.py", "return dict(params)", "return {**params}")
    status = read_status(project)
    assert {item.state for item in status.targets} == {"broken"}
    assert [item.state for item in status.models] == ["changed"]
    where = f"targets/counts.py:{fault.line}" if fault.line else "targets/counts.py"
    for error in status.errors:
        assert where in error
    store = LayoutStore(project.root.parent / "store", "little")
    for stale in (False, True):
        with pytest.raises(Conflict, match="counts") as caught:
            push(project, store, allow_stale=stale)
        assert caught.value.exit_code == 3
    with pytest.raises(InvalidInput, match="counts"):
        register(project, "target", "targets/counts.py", cwd=project.root)
    refresh(project)
    registry = load_registry(project.root)
    assert {key: item.to_dict() for key, item in registry.targets.items()} == before
    assert [item.state for item in read_status(project).models] == ["ok"]
    (project.root / "targets/counts.py").write_bytes(TARGETS)
    assert read_status(project).ready
    assert push(project, store).pushed


@pytest.mark.parametrize("name", FINE)
def test_unusual_files_are_read_as_python_reads_them(project: Project, name: str) -> None:
    (project.root / "targets/counts.py").write_bytes(FINE[name])
    status = read_status(project)
    assert status.ready, status.errors
    refresh(project)
    assert set(load_registry(project.root).targets) == {"peak", "weekly_cases"}
    assert {item.state for item in read_status(project).targets} == {"ok"}


def test_a_broken_helper_stops_its_models_and_is_named(project: Project) -> None:
    (project.root / "models/helpers.py").write_text("def rate(state, seed)\n    return 1\n")
    status = read_status(project)
    assert [item.state for item in status.models] == ["broken"]
    assert {item.state for item in status.targets} == {"ok"}
    assert any("models/helpers.py:1" in error for error in status.errors)


def test_imports_in_a_circle_end(project: Project) -> None:
    for here, there in (("a", "b"), ("b", "c"), ("c", "a")):
        (project.root / f"models/{here}.py").write_text(f"from models.{there} import {there}\n")
    edit(project, "models/helpers.py", "def rate", "from models.a import a\n\n\ndef rate")
    assert read_status(project).ready
    refresh(project)
    code = [path.as_posix() for path in load_registry(project.root).models["sir_sir"].code]
    assert {"models/a.py", "models/b.py", "models/c.py"} <= set(code)


def test_a_model_that_imports_itself_and_names_in_a_circle(project: Project) -> None:
    text = FILES["models/sir.py"] + "\n\nimport models.sir\n\nSir2 = Sir\nSir3 = Sir3\n"
    (project.root / "models/sir.py").write_text(text)
    assert read_status(project).ready
    refresh(project)
    assert list(load_registry(project.root).models) == ["sir_sir"]
