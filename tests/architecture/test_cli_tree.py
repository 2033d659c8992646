"""The table of commands, the files it names, and every command that is printed anywhere."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from modelops.cli._click import Leaf, is_common, load_leaf
from modelops.cli._moved import MOVED
from modelops.cli._tree import CONSOLES, TREE, children, is_group

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
CLI = SRC / "modelops" / "cli"
LEAVES = sorted(path for path, entry in TREE.items() if entry.target is not None)
GROUPS = sorted(path for path, entry in TREE.items() if entry.target is None)
COMMAND = re.compile(r"\b(?:mops|cb|modelops-bundle)(?: [^\s`;]+)+")


def file_of(path: str) -> Path:
    """`mops jobs submit` -> cli/mops/jobs/submit.py; bundle commands stand in cli/bundle."""
    words = path.replace("-", "_").split()
    if words[:2] == ["mops", "bundle"]:
        words = words[1:]
    return CLI.joinpath(*words).with_suffix(".py")


@pytest.mark.parametrize("path", LEAVES)
def test_a_commands_path_is_its_files_path(path: str) -> None:
    module = str(TREE[path].target).partition(":")[0]
    assert module == ".".join(file_of(path).relative_to(SRC).with_suffix("").parts)
    assert file_of(path).is_file()


def test_every_file_is_in_the_table() -> None:
    found = {file for folder in ("mops", "cb", "bundle") for file in (CLI / folder).rglob("*.py")}
    commands = {file for file in found if not file.name.startswith("_")}
    assert commands == {file_of(path) for path in LEAVES}


@pytest.mark.parametrize("path", LEAVES)
def test_the_line_of_help_is_the_first_line_of_the_docstring(path: str) -> None:
    leaf = load_leaf(path)
    assert leaf.help is not None
    assert leaf.help.splitlines()[0] == TREE[path].help


@pytest.mark.parametrize("path", LEAVES)
def test_every_option_has_a_help_text(path: str) -> None:
    for param in load_leaf(path).params:
        if isinstance(param, click.Option):
            assert param.help, f"{path} {param.opts}"


@pytest.mark.parametrize("path", LEAVES)
def test_the_options_everywhere_are_on_every_command(path: str) -> None:
    names = {name for param in load_leaf(path).params if is_common(param) for name in param.opts}
    assert {
        "--json",
        "--env",
        "--project",
        "--project-root",
        "-q",
        "-v",
        "--no-color",
        "-y",
    } <= names


@pytest.mark.parametrize("path", LEAVES)
def test_no_option_has_two_meanings(path: str) -> None:
    names = [
        name for param in load_leaf(path).params for name in (*param.opts, *param.secondary_opts)
    ]
    assert len(names) == len(set(names))
    assert "-h" not in names


def test_every_group_holds_something_and_has_a_parent() -> None:
    for group in GROUPS:
        assert children(group), group
        parent = group.rpartition(" ")[0]
        assert not parent or is_group(parent)
    assert set(CONSOLES.values()) <= set(GROUPS)


# ---------------------------------------------------------------- commands in hints and pages


def hints() -> Iterator[tuple[str, str]]:
    """Every text given as `hint=...` anywhere, with placeholders filled in."""
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                for keyword in node.keywords:
                    if keyword.arg == "hint":
                        where = f"{path.relative_to(SRC)}:{keyword.value.lineno}"
                        yield from ((where, text) for text in texts(keyword.value))


def texts(node: ast.expr) -> Iterator[str]:
    """The string constants of an expression; `{...}` of an f-string becomes the word VALUE."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield "".join(
            str(part.value) if isinstance(part, ast.Constant) else "VALUE" for part in node.values
        )
    elif isinstance(node, ast.BinOp):
        left, right = list(texts(node.left)), list(texts(node.right))
        yield from (first + second for first in left or [""] for second in right or [""])
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)
    elif isinstance(node, ast.BoolOp):
        for value in node.values:
            yield from texts(value)


def commands_in(text: str) -> list[str]:
    """The command lines in a sentence; a word with a punctuation mark ends one."""
    found = []
    for match in COMMAND.finditer(text):
        words: list[str] = []
        for word in match.group().split():
            words.append(word.rstrip(".,:)"))
            if words[-1] != word:
                break
        found.append(" ".join(words))
    return found


def fill_in(path: str) -> str:
    """`mops bundle register-VALUE` -> the first command that it may be."""
    form = re.compile(re.escape(path).replace("VALUE", r"[\w-]+"))
    return next((known for known in TREE if form.fullmatch(known)), path)


def fault(command: str) -> str | None:
    """Why a command line could not be typed; None when it could."""
    words = shlex.split(command)
    path = CONSOLES[words.pop(0)]
    while words and is_group(path) and not words[0].startswith("-"):
        path = fill_in(f"{path} {words.pop(0)}")
        if path not in TREE:
            return f"{path}: no such command"
    if is_group(path):
        return None if set(words) <= {"--help", "-h", "--version", "VALUE"} else f"{path}: a group"
    leaf = load_leaf(path)
    known = {name for param in leaf.params for name in (*param.opts, *param.secondary_opts)}
    known |= {"--help", "-h"}
    unknown = [word for word in words if word.startswith("-") and word.split("=")[0] not in known]
    return f"{path}: no option {', '.join(unknown)}" if unknown else None


def test_every_command_in_a_hint_can_be_typed() -> None:
    wrong = [
        f"{where}: {command!r}: {problem}"
        for where, text in hints()
        for command in commands_in(text)
        if (problem := fault(command))
    ]
    assert wrong == []


def test_moved_commands_lead_to_commands_that_exist() -> None:
    for old, new in MOVED.items():
        assert fault(new) is None, new
        assert old not in TREE, old


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))], ids=lambda p: p.name
)
def test_every_command_in_a_page_can_be_typed(page: Path) -> None:
    wrong = []
    for line in page.read_text(encoding="utf-8").splitlines():
        if line.startswith(("$ mops ", "$ cb ", "$ modelops-bundle ")):
            typed = re.split(r" (?:#|\||>|&&)", line[2:])[0]
            problem = fault(typed)
            if problem:
                wrong.append(f"{line!r}: {problem}")
    assert wrong == []


def test_a_command_that_is_not_there_would_be_seen() -> None:
    assert fault("mops nothing") == "mops nothing: no such command"
    assert fault("mops version --nothing") == "mops version: no option --nothing"
    assert fault("mops version --json") is None
    assert commands_in("first mops version, then `cb version --json`.") == [
        "mops version",
        "cb version --json",
    ]


def test_the_two_bundle_consoles_are_one_tree() -> None:
    assert CONSOLES["modelops-bundle"] == "mops bundle"


def test_leaves_are_leaves() -> None:
    assert all(isinstance(load_leaf(path), Leaf) for path in LEAVES)
