"""Write docs/reference from the code: commands, JSON schemas, error codes, settings.

    python scripts/generate_reference.py [FOLDER]

A test fails when these pages and the code differ.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from modelops.cli import _reference, _schema
from modelops.config.model import known_settings
from modelops.config.sources import variable_name
from modelops_contracts import errors

ROOT = Path(__file__).resolve().parents[1]
SRC = ROOT / "src"
#: Of classes whose docstring does not say it in a line.
MEANINGS = {
    "AccessDenied": "credentials are missing, expired or insufficient",
    "Conflict": "two wishes that exclude each other, or a decision that is needed",
    "EntrypointFormatError": "an entry point that is not of the form module:name",
    "Interrupted": "ended by Ctrl-C or a signal",
    "Unavailable": "something could not be reached; the same command may work later",
}
#: What stands in a code made of a word and a name, such as `model.not_found`.
KINDS = ("model", "target")


def main() -> int:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "reference"
    _schema.write_schemas(folder / "json")
    for name, text in all_pages().items():
        (folder / name).write_text(text, encoding="utf-8")
    return 0


def all_pages() -> dict[str, str]:
    """File name -> Markdown of every page that is made from the code."""
    commands = {name: f"{text}\n" for name, text in _reference.all_pages().items()}
    return {
        **commands,
        "errors.md": "\n".join(error_lines()) + "\n",
        "configuration.md": "\n".join(setting_lines()) + "\n",
    }


# ---------------------------------------------------------------- settings


def setting_lines() -> Iterator[str]:
    yield "# Settings"
    yield ""
    yield "The strongest source that names a setting decides: an option of the command, its"
    yield "variable, the project (`[tool.modelops]` in `pyproject.toml`; for `environment` also"
    yield "the pin in `.modelops-bundle/env`), the user's file (`~/.modelops/config.yaml`), the"
    yield "default. `mops config show --origin` says which one it was. `MODELOPS_HOME` moves"
    yield "`~/.modelops`."
    yield ""
    yield "| setting | default | variable | meaning |"
    yield "|---|---|---|---|"
    for key, item in known_settings().items():
        default = "not set" if item.default is None else f"`{item.default}`"
        yield f"| `{key}` | {default} | `{variable_name(key)}` | {item.metadata['doc']} |"


# ---------------------------------------------------------------- errors


@dataclass(frozen=True, slots=True)
class Said:
    """One place where a code is used: what it says, and what to do."""

    code: str
    message: str
    hint: str


def error_lines() -> Iterator[str]:
    yield "# Error codes"
    yield ""
    yield "`--json` puts a code into `error.code`; `…` below stands for a name, a number or a path."
    yield "The exit code is that of the error's kind unless it is 2, a mistake in the command line,"
    yield "or 3, a decision that only a person can make."
    yield ""
    yield "## Kinds of errors"
    yield ""
    yield "The code of an error that has no more precise one."
    yield ""
    yield "| code | exit code | meaning |"
    yield "|---|---|---|"
    for code, exit_code, meaning in sorted(kinds()):
        yield f"| `{code}` | {exit_code} | {meaning} |"
    yield from section("Precise codes", [*said_by(error_names()), *consoles_own()])
    yield from section("Findings of `mops bundle status`", said_by({"Finding"}))


def section(title: str, found: Iterator[Said] | list[Said]) -> Iterator[str]:
    yield ""
    yield f"## {title}"
    yield ""
    yield "| code | says | next |"
    yield "|---|---|---|"
    rows = {Said(item.code, cell(item.message), cell(item.hint)) for item in found}
    telling = {row.code for row in rows if row.message.strip("…: ")}
    for row in sorted(rows, key=lambda one: (one.code, one.message, one.hint)):
        # A text made only of what is filled in says nothing beside one that does.
        if row.message.strip("…: ") or row.code not in telling:
            yield f"| `{row.code}` | {row.message} | {row.hint} |"


def cell(text: str) -> str:
    one_line = re.sub("…+", "…", " ".join(text.split()))
    return one_line.replace("|", "\\|").replace("<", "&lt;")


def kinds() -> set[tuple[str, int, str]]:
    """Code, exit code and meaning of every class of errors."""
    written = re.findall(r"(\w+) {2,}(\S.*)", errors.__doc__ or "")
    meanings = {name: text for name, text in written if not text.startswith("(")} | MEANINGS
    for tree in source_trees().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                told = ast.get_docstring(node)
                meanings.setdefault(node.name, told.splitlines()[0] if told else "")
    found = {}
    for kind in error_classes():
        row = (kind.default_code, kind.default_exit_code)
        # A subclass that changes nothing has the code of its base.
        found.setdefault(row, meanings.get(kind.__name__, ""))
    return {(code, exit_code, meaning) for (code, exit_code), meaning in found.items()}


def error_classes() -> list[type[errors.ModelOpsError]]:
    """All classes of errors, bases first; their modules are imported for it."""
    from importlib import import_module

    for path, tree in source_trees().items():
        if any(isinstance(node, ast.ClassDef) and has_code(node) for node in tree.body):
            import_module(".".join(path.relative_to(SRC).with_suffix("").parts))
    found: list[type[errors.ModelOpsError]] = [errors.ModelOpsError]
    for kind in found:
        found.extend(one for one in kind.__subclasses__() if one not in found)
    return found[1:]


def has_code(node: ast.ClassDef) -> bool:
    return any(
        isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "default_code"
        for item in node.body
    )


def error_names() -> set[str]:
    """Names of the classes of errors, those without a code of their own included."""
    names = {"ModelOpsError"}
    classes = [
        (node.name, {name_of(base) for base in node.bases})
        for tree in source_trees().values()
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    ]
    while True:
        more = {name for name, bases in classes if bases & names} - names
        if not more:
            return names
        names |= more


def said_by(callables: set[str]) -> Iterator[Said]:
    """Every call of these names that gives a code as a literal."""
    for tree in source_trees().values():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and ast.unparse(node.func).rpartition(".")[2] in callables
            ):
                given = {item.arg: item.value for item in node.keywords}
                message = text_of(node.args[0] if node.args else given.get("message"))
                for code in codes_of(given.get("code")):
                    yield Said(code, message, text_of(given.get("hint")))


def name_of(node: ast.expr) -> str:
    """`errors.NotFound` -> `NotFound`."""
    return ast.unparse(node).rpartition(".")[2]


def consoles_own() -> Iterator[Said]:
    """What the consoles report of errors that are not ours: (code, message) are positional."""
    tree = source_trees()[SRC / "modelops" / "cli" / "_errors.py"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "ErrorReport" and node.args:
            hint = text_of(node.args[2]) if len(node.args) > 2 else ""
            for code in codes_of(node.args[0]):
                yield Said(code, text_of(node.args[1]), hint)


def codes_of(node: ast.expr | None) -> list[str]:
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) and node.value else []
    if isinstance(node, ast.IfExp):
        return codes_of(node.body) + codes_of(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return [text_of(node).replace("…", kind) for kind in KINDS]
    return []


def text_of(node: ast.expr | None) -> str:
    """The constant parts of a text; what is filled in at run time is `…`."""
    if node is None or (isinstance(node, ast.Constant) and not isinstance(node.value, str)):
        return ""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return text_of(node.left) + text_of(node.right)
    if isinstance(node, ast.IfExp):
        return text_of(node.body) or text_of(node.orelse)
    return "…"


@cache
def source_trees() -> dict[Path, ast.Module]:
    paths = sorted(SRC.rglob("*.py"))
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in paths}


if __name__ == "__main__":
    sys.exit(main())
