"""What the code says about one model or target: the record that a registry should hold.

Every command that compares or writes records asks here, so that all of them agree.
"""

from __future__ import annotations

import ast
import hashlib
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeGuard

from modelops_bundle.codebase import Codebase
from modelops_bundle.environment import PROJECT_FILE
from modelops_bundle.findings import Finding
from modelops_bundle.fingerprint import (
    body_fingerprint,
    mentions_docstrings,
    slice_fingerprint,
    slice_statements,
)
from modelops_bundle.imports import Closure, find_closure
from modelops_bundle.project import LOCK_FILES
from modelops_contracts.discovery import FoundModel, FoundTarget, Lookup, ModuleFacts, read_constant
from modelops_contracts.errors import InvalidInput
from modelops_contracts.registry import Entry, ModelEntry, Registration, TargetEntry, module_name

Found = FoundModel | FoundTarget
LONGEST_NAME = 255
_MERE_NOTES = frozenset({"unresolved_import", "missing_init"})
_PATH_CALLS = frozenset({
    "Path", "PurePath", "PurePosixPath", "str", "fspath", "join", "dirname", "resolve",
    "absolute", "joinpath",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class CodeRecord:
    """One entry as the code, its data and its environment are now.

    `shipped` are the files that the bundle needs for it, `declared_data` those data files that
    were named by the author or the user (detected ones are in `entry.data` as well).
    """

    entry: Entry
    shipped: tuple[str, ...]
    findings: tuple[Finding, ...]
    broken: tuple[str, ...] = ()


def derive_id(found: Found) -> str:
    """Return the id an entry gets when the user names none."""
    if isinstance(found, FoundTarget):
        return found.explicit_name or found.name
    return f"{PurePosixPath(found.path).stem}_{found.name}".lower()


def describe_entry(
    codebase: Codebase,
    found: Found,
    registration: Registration,
    *,
    entry_id: str,
    recorded: Entry | None = None,
) -> CodeRecord:
    """Compute the complete record of one entry.

    `recorded` gives what cannot be read from the code: parameters that are computed, and an
    entrypoint in another valid spelling. Data and code files that are missing stay in the lists
    and have no digest.
    """
    closure = _closure_of(codebase, found, registration)
    code = [path for path in closure.files if path != found.path]
    code += [path for path in registration.code if path not in closure.files]
    data, notes = _data_of(codebase, found, registration, closure)
    findings = [*notes, *_notes_of(found, closure, entry_id)]
    entry = _new_entry(codebase, found, registration, recorded)
    entry.code = [Path(path) for path in code]
    entry.code_digests = _digests(codebase, code)
    entry.code_fingerprints = {path: _fingerprint(codebase, path) for path in entry.code_digests}
    entry.data = [Path(path) for path in data]
    entry.data_digests = _digests(codebase, data)
    entry.digest = entry_digest(codebase, entry)
    shipped = _shipped(codebase, found, registration, closure, [*code, *data])
    return CodeRecord(entry, shipped, tuple(findings), closure.broken)


def entry_digest(codebase: Codebase, entry: Entry) -> str:
    """Return the digest that results of this entry are kept under.

    It moves when, and only when, code that can run, declared or detected data, or the declared
    environment changes.
    """
    module = codebase.module_of(entry.path.as_posix())
    lines = ["modelops:entry:1", f"self {module}:{entry.symbol} {entry.fingerprint}"]
    lines += [f"code {path} {digest}" for path, digest in sorted(entry.code_fingerprints.items())]
    lines += [f"data {path} {_hex(digest)}" for path, digest in sorted(entry.data_digests.items())]
    lines.append(f"env {_hex(codebase.environment.record.digest)}")
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def accepts_entrypoint(codebase: Codebase, entrypoint: str, path: str, symbol: str) -> bool:
    """True when an entrypoint names this symbol of this file in some importable way."""
    module, _, name = entrypoint.partition(":")
    if name != symbol:
        return False
    return module in {codebase.module_of(path), module_name(path)} or (
        codebase.file_of(module) == path
    )


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _new_entry(
    codebase: Codebase, found: Found, registration: Registration, recorded: Entry | None
) -> Entry:
    path = Path(found.path)
    tree = codebase.facts(found.path).tree
    keep = mentions_docstrings(codebase.source(found.path))
    entrypoint = _entrypoint(codebase, found, recorded)
    entry: Entry
    if isinstance(found, FoundModel):
        kept = recorded.parameters if isinstance(recorded, ModelEntry) else []
        entry = ModelEntry(
            entrypoint=entrypoint,
            path=path,
            class_name=found.name,
            scenarios=list(found.scenarios),
            parameters=list(kept if found.parameters is None else found.parameters),
            outputs=list(found.outputs),
            labels=dict(registration.labels),
        )
    else:
        entry = TargetEntry(
            entrypoint=entrypoint,
            path=path,
            model_output=found.model_output or registration.model_output or "",
            weight=found.weight,
            labels={**found.labels, **registration.labels},
        )
    entry.registration = registration
    entry.raw_digest = codebase.digest(found.path)
    entry.fingerprint = slice_fingerprint(tree, found.name, keep_docstrings=keep)
    entry.body = body_fingerprint(tree, found.name)
    return entry


def _entrypoint(codebase: Codebase, found: Found, recorded: Entry | None) -> str:
    if recorded is not None and accepts_entrypoint(
        codebase, recorded.entrypoint, found.path, found.name
    ):
        return recorded.entrypoint
    return f"{codebase.module_of(found.path)}:{found.name}"


def _closure_of(codebase: Codebase, found: Found, registration: Registration) -> Closure:
    if registration.auto_code:
        return codebase.once(find_closure, found.path, tuple(registration.code))
    own = codebase.once(find_closure, found.path, ())
    return Closure((found.path,), own.notes, tuple(p for p in own.broken if p == found.path))


def _digests(codebase: Codebase, paths: Iterable[str]) -> dict[str, str]:
    found = ((path, codebase.digest(path)) for path in paths)
    return {path: digest for path, digest in found if digest is not None}


def _fingerprint(codebase: Codebase, path: str) -> str:
    if path.endswith(".py"):
        try:
            return codebase.fingerprint(path)
        except InvalidInput:
            pass  # a file that does not parse is told apart by its bytes
    return codebase.digest(path) or ""


# --- data ------------------------------------------------------------------------------------


def _data_of(
    codebase: Codebase, found: Found, registration: Registration, closure: Closure
) -> tuple[list[str], list[Finding]]:
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
            for text in _texts_of(codebase, path, found):
                names.update(_existing(codebase, path, text))
    return names


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
            for text in _texts_of(codebase, path, found)
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


def _texts_of(codebase: Codebase, path: str, found: Found) -> list[str]:
    """Return the texts in a file that may name data; of the entry's own file, in its slice."""
    facts = codebase.facts(path)
    if path == found.path:
        body = slice_statements(facts.tree, found.name)
        return list(_named_paths(body, facts, codebase.lookup))
    return codebase.once(_texts_of_file, path)


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
        if clean is None or clean.endswith(".py") or clean in {PROJECT_FILE, *LOCK_FILES}:
            continue
        if codebase.is_file(clean) and not codebase.ignore.is_ignored(clean):
            yield clean


# --- files that travel -----------------------------------------------------------------------


def _shipped(
    codebase: Codebase,
    found: Found,
    registration: Registration,
    closure: Closure,
    needed: list[str],
) -> tuple[str, ...]:
    files = {found.path, *needed, *codebase.package_files(found.path)}
    if registration.code_mode == "package":
        for folder in {posixpath.dirname(path) for path in closure.files}:
            if folder not in codebase.import_roots:
                files.update(codebase.once(_folder_files, folder))
    files.update(name for name in (PROJECT_FILE, *LOCK_FILES) if codebase.is_file(name))
    return tuple(sorted(path for path in files if codebase.is_file(path)))


def _folder_files(codebase: Codebase, folder: str) -> tuple[str, ...]:
    paths = [f"{folder}/{name}" for name in sorted(codebase.names_in(folder))]
    return tuple(
        path for path in paths if codebase.is_file(path) and not codebase.ignore.is_ignored(path)
    )


def _notes_of(found: Found, closure: Closure, entry_id: str) -> Iterator[Finding]:
    kind = "model" if isinstance(found, FoundModel) else "target"
    for note in found.notes:
        yield Finding(
            f"{kind.capitalize()} {entry_id}: {note.message}", code=note.code, severity="warning",
            kind=kind, id=entry_id, path=found.path, line=note.line, fix="edit",
        )  # fmt: skip
    if isinstance(found, FoundModel) and not found.outputs:
        yield Finding(
            f"Model {entry_id}: class {found.name} has no @model_output method",
            code="model_without_outputs", severity="warning", kind=kind, id=entry_id,
            path=found.path, line=found.line, fix="edit",
        )  # fmt: skip
    for item in closure.notes:
        yield Finding(
            f"{item.path}:{item.line}: {item.message}", code=item.code,
            severity="info" if item.code in _MERE_NOTES else "warning",
            kind=kind, id=entry_id, path=item.path, line=item.line, fix="edit",
        )  # fmt: skip
