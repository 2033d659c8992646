"""What the code says about one model or target: the record that a registry should hold.

Every command that compares or writes records asks here, so that all of them agree.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.data_files import Found, find_data
from modelops_bundle.code.environment import PROJECT_FILE
from modelops_bundle.code.fingerprint import (
    body_fingerprint,
    mentions_docstrings,
    statements_fingerprint,
)
from modelops_bundle.code.imports import Closure, find_closure
from modelops_bundle.code.reaching import reach
from modelops_bundle.findings import Finding
from modelops_bundle.project.project import LOCK_FILES
from modelops_contracts.discovery import FoundModel, FoundTarget
from modelops_contracts.errors import InvalidInput
from modelops_contracts.registry import Entry, ModelEntry, Registration, TargetEntry, module_name

_MERE_NOTES = frozenset({"unresolved_import", "missing_init"})


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
    data, notes = find_data(codebase, found, registration, closure)
    findings = [*notes, *_notes_of(found, registration, closure, entry_id)]
    entry = _new_entry(codebase, found, registration, closure, recorded)
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
    codebase: Codebase,
    found: Found,
    registration: Registration,
    closure: Closure,
    recorded: Entry | None,
) -> Entry:
    path = Path(found.path)
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
    entry.fingerprint = codebase.once(_own_fingerprint, found.path, found.name, closure)
    entry.body = codebase.once(_body_fingerprint, found.path, found.name)
    return entry


def _own_fingerprint(codebase: Codebase, path: str, symbol: str, closure: Closure) -> str:
    keep = mentions_docstrings(codebase.source(path))
    statements = codebase.once(reach, path, symbol, closure)
    return statements_fingerprint(statements, keep_docstrings=keep)


def _body_fingerprint(codebase: Codebase, path: str, symbol: str) -> str | None:
    return body_fingerprint(codebase.facts(path).tree, symbol)


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


def _notes_of(
    found: Found, registration: Registration, closure: Closure, entry_id: str
) -> Iterator[Finding]:
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
    written_out = "write the import out, so that its code is known"
    by_hand = f"{written_out}; or: mops bundle register-model {found.path} --code FILE"
    for item in closure.notes:
        computed = item.code == "computed_import"
        if computed and registration.code:
            continue  # the user has named what it may reach
        yield Finding(
            f"{item.path}:{item.line}: {item.message}", code=item.code,
            severity="info" if item.code in _MERE_NOTES else "warning",
            kind=kind, id=entry_id, path=item.path, line=item.line, fix="edit",
            hint=(by_hand if kind == "model" else written_out) if computed else "",
        )  # fmt: skip
