"""Which data files belong to an entry: declared by its author or user, or named in its code."""

from __future__ import annotations

import ast
import posixpath
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TypeGuard

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.environment import PROJECT_FILE
from modelops_bundle.code.imports import Closure
from modelops_bundle.code.reaching import reach
from modelops_bundle.findings import Finding
from modelops_bundle.project.project import LOCK_FILES
from modelops_contracts.discovery import FoundModel, FoundTarget, Lookup, ModuleFacts, read_constant
from modelops_contracts.errors import InvalidInput
from modelops_contracts.registry import Registration

Found = FoundModel | FoundTarget
LONGEST_NAME = 255
_PATH_CALLS = frozenset({
    "Path", "PurePath", "PurePosixPath", "str", "fspath", "join", "dirname", "resolve",
    "absolute", "joinpath",
})  # fmt: skip


def find_data(
    codebase: Codebase, found: Found, registration: Registration, closure: Closure
) -> tuple[list[str], list[Finding]]:
    """Return the data files of an entry, those declared first, and what is to be said of them."""
    notes: list[Finding] = []
    named = list(registration.data)
    if isinstance(found, FoundTarget):
        named += found.data
    declared: list[str] = []
    for text in named:
        declared += _expand(codebase, text, found, notes)
    detected = sorted(_detected(codebase, found, closure)) if registration.auto_data else []
    data = list(dict.fromkeys([*declared, *detected]))
    notes += _undeclared(codebase, found, closure, data) if registration.auto_data else ()
    return data, notes


def _expand(codebase: Codebase, text: str, found: Found, notes: list[Finding]) -> list[str]:
    path = project_path(codebase.root, text)
    if path is None:
        notes.append(
            Finding(
                f"{found.path}:{found.line}: data file {text} is outside the project",
                code="path_outside", path=found.path, line=found.line, fix="edit",
                hint="copy the file below the project root and name it there",
            )
        )  # fmt: skip
        return []
    if codebase.is_directory(path):
        return list(codebase.ignore.walk(path))
    return [path]


def project_path(root: Path, text: str) -> str | None:
    """Return a path as written by an author, relative to the root; None when it leaves it."""
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute():
        for base in (root, root.resolve()):
            if path.is_relative_to(base.as_posix()):
                path = path.relative_to(base.as_posix())
                break
        else:
            return None
    clean = posixpath.normpath(path)
    return None if clean.startswith("../") or clean in {"..", "."} else clean


def _detected(codebase: Codebase, found: Found, closure: Closure) -> set[str]:
    names: set[str] = set()
    for path in closure.files:
        if path.endswith(".py") and path not in closure.broken:
            for text in _texts_of(codebase, path, found, closure):
                names.update(_existing(codebase, path, text))
    # Python that is named by its path is loaded by it; what is imported is code already.
    return names - set(closure.files)


def _undeclared(
    codebase: Codebase, found: Found, closure: Closure, data: list[str]
) -> Iterator[Finding]:
    """Tell of data directories that are named in the code while none of their files is data."""
    kind = "model" if isinstance(found, FoundModel) else "target"
    for path in closure.files:
        if not path.endswith(".py") or path in closure.broken:
            continue
        folders = {
            folder
            for text in _texts_of(codebase, path, found, closure)
            for folder in _directories(codebase, path, text)
        }
        for folder in sorted(folders):
            if not any(item.startswith(f"{folder}/") for item in data):
                yield Finding(
                    f"{path} names the directory {folder}; no file in it is declared as data",
                    code="undeclared_directory", severity="info", kind=kind, path=path,
                    fix="register",
                    hint=f"mops bundle register-{kind} {found.path} --data {folder}",
                )  # fmt: skip


def _directories(codebase: Codebase, path: str, text: str) -> Iterator[str]:
    """Yield the directories of data (not of code) that a text names."""
    if not _may_be_name(text):
        return
    for candidate in (text, posixpath.join(posixpath.dirname(path), text)):
        clean = project_path(codebase.root, candidate)
        if clean is None or not codebase.is_directory(clean):
            continue
        has_code = any(name.endswith(".py") for name in codebase.names_in(clean))
        if not has_code and not codebase.ignore.is_ignored(f"{clean}/"):
            yield clean


def _texts_of(codebase: Codebase, path: str, found: Found, closure: Closure) -> list[str]:
    """Return the texts in a file that may name data; of the entry's own file, in its slice."""
    if path == found.path:
        return codebase.once(_texts_of_slice, path, found.name, closure)
    return codebase.once(_texts_of_file, path)


def _texts_of_slice(codebase: Codebase, path: str, symbol: str, closure: Closure) -> list[str]:
    body = codebase.once(reach, path, symbol, closure)
    return list(dict.fromkeys(_named_paths(body, codebase.facts(path), codebase.lookup)))


def _texts_of_file(codebase: Codebase, path: str) -> list[str]:
    facts = codebase.facts(path)
    key = codebase.digest(path) or path
    plain, built = codebase.cache.get("texts", key, lambda: _plain_texts(facts.tree))
    if not built:
        return list(plain)
    return list(dict.fromkeys(_named_paths(facts.tree.body, facts, codebase.lookup)))


def _plain_texts(tree: ast.Module) -> tuple[list[str], bool]:
    """Return the texts that stand in a file, and whether others may be built from them."""
    texts: dict[str, None] = {}
    built = False
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and _may_be_name(node.value):
                texts[node.value] = None
        elif not built:
            built = _may_be_path(node)
    return list(texts), built


def _named_paths(body: list[ast.stmt], facts: ModuleFacts, lookup: Lookup) -> Iterator[str]:
    for statement in body:
        for node in ast.walk(statement):
            if isinstance(node, ast.Constant):
                if isinstance(node.value, str):
                    yield node.value
            elif _may_be_path(node):
                try:
                    value = read_constant(node, facts, lookup)
                except InvalidInput:
                    continue
                if isinstance(value, str | PurePosixPath):
                    yield str(value)


def _may_be_name(text: str) -> bool:
    """True for a text that can be the name of a file."""
    return bool(text) and len(text) <= LONGEST_NAME and "\n" not in text and "\0" not in text


def _may_be_path(node: ast.AST) -> TypeGuard[ast.Call | ast.BinOp]:
    """True for what `read_constant` can make a path of; asking it about every call is slow."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Div)
    if not isinstance(node, ast.Call):
        return False
    name = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
    return name in _PATH_CALLS


def _existing(codebase: Codebase, path: str, text: str) -> Iterator[str]:
    if not _may_be_name(text):
        return
    folder = posixpath.dirname(path)
    for candidate in (text, posixpath.join(folder, text)):
        clean = project_path(codebase.root, candidate)
        if clean is None or clean in {PROJECT_FILE, *LOCK_FILES}:
            continue
        if codebase.is_file(clean) and not codebase.ignore.is_ignored(clean):
            yield clean
