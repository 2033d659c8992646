"""Which files of the project a file needs when it is imported."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.environment import distribution_name
from modelops_contracts.discovery import Import, ModuleFacts
from modelops_contracts.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class ImportNote:
    """Something about an import that may keep the code from running elsewhere."""

    code: str
    path: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Closure:
    """The project files that importing one file reaches, that file included, sorted."""

    files: tuple[str, ...]
    notes: tuple[ImportNote, ...] = ()
    broken: tuple[str, ...] = ()


def find_closure(codebase: Codebase, path: str, extra: tuple[str, ...] = ()) -> Closure:
    """Follow all imports from a file through the project.

    Imports inside functions count, those for type checkers alone do not; the `__init__.py` files
    on the way are part of the answer. `extra` are files to start from as well.
    """
    notes: list[ImportNote] = []
    broken: list[str] = []
    found: set[str] = set()
    waiting = [path, *extra]
    while waiting:
        current = waiting.pop()
        if current in found or not codebase.is_file(current):
            continue
        found.add(current)
        packages = list(codebase.package_files(current))
        notes += _gaps(codebase, current, packages)
        waiting.extend(packages)
        if not current.endswith(".py"):
            continue
        try:
            facts = codebase.facts(current)
        except (InvalidInput, NotFound):
            broken.append(current)
            continue
        notes += _computed(facts)
        for item in facts.imports:
            if not item.typing_only:
                waiting.extend(_files_of(codebase, facts, item, notes))
    unique = tuple(dict.fromkeys(notes))
    return Closure(tuple(sorted(found)), unique, tuple(sorted(broken)))


def find_chain(codebase: Codebase, start: str, target: str) -> tuple[str, ...]:
    """Return the shortest way of imports from one file to another, both included.

    Empty when there is none: the file was named by hand, or an import is gone.
    """
    came_from: dict[str, str] = {start: ""}
    waiting = [start]
    while waiting and target not in came_from:
        following: list[str] = []
        for path in waiting:
            for found in codebase.once(imported_files, path):
                if found not in came_from and codebase.is_file(found):
                    came_from[found] = path
                    following.append(found)
        waiting = following
    if target not in came_from:
        return ()
    chain = [target]
    while came_from[chain[-1]]:
        chain.append(came_from[chain[-1]])
    return tuple(reversed(chain))


def imported_files(codebase: Codebase, path: str) -> tuple[str, ...]:
    """Return the project files that one file imports, each once; ask through `Codebase.once`.

    None of a file that is no Python, does not parse, or is not there.
    """
    if not path.endswith(".py"):
        return ()
    try:
        facts = codebase.facts(path)
    except (InvalidInput, NotFound):
        return ()
    wanted = [item for item in facts.imports if not item.typing_only]
    found = [file for item in wanted for file in _files_of(codebase, facts, item, [])]
    return tuple(dict.fromkeys([*found, *codebase.package_files(path)]))


def _computed(facts: ModuleFacts) -> Iterator[ImportNote]:
    for line in facts.computed_imports:
        text = "imports a module whose name is computed; a change of that module is not noticed"
        yield ImportNote("computed_import", facts.path, line, text)


def _gaps(codebase: Codebase, path: str, packages: list[str]) -> Iterator[ImportNote]:
    """A folder without `__init__.py` below one that has it is left out by many installers."""
    if not packages:
        return
    folder = PurePosixPath(path).parent
    outermost = PurePosixPath(packages[0]).parent
    while folder not in {outermost, PurePosixPath()}:
        name = f"{folder}/__init__.py"
        if not codebase.is_file(name):
            text = f"{folder} has no __init__.py, and {outermost} has one"
            yield ImportNote("missing_init", name, 1, text)
        folder = folder.parent


def _files_of(
    codebase: Codebase, facts: ModuleFacts, item: Import, notes: list[ImportNote]
) -> Iterator[str]:
    names = [item.module]
    if item.name not in {None, "*"}:
        names.append(f"{item.module}.{item.name}")
    files = [codebase.file_of(name) for name in names]
    found = [file for file in files if file is not None]
    if not found and not _is_namespace(codebase, item.module):
        found = _look_beside(codebase, facts, item, notes)
    yield from found


def _is_namespace(codebase: Codebase, module: str) -> bool:
    inner = module.replace(".", "/")
    return any(
        codebase.is_directory(f"{root}/{inner}" if root else inner)
        for root in codebase.import_roots
    )


def _look_beside(
    codebase: Codebase, facts: ModuleFacts, item: Import, notes: list[ImportNote]
) -> list[str]:
    top = item.module.partition(".")[0]
    folder = PurePosixPath(facts.path).parent
    for candidate in (f"{folder}/{top}.py", f"{folder}/{top}/__init__.py"):
        clean = str(PurePosixPath(candidate))
        if codebase.is_file(clean) and not _is_known_elsewhere(top):
            text = f"imports {item.module}, found beside it as {clean}, which is no import root"
            notes.append(ImportNote("import_not_on_path", facts.path, item.line, text))
            return [clean]
    outside = next(
        (f"../{name}" for name in (f"{top}.py", f"{top}/__init__.py")
         if top and (codebase.root.parent / name).is_file()), None,
    )  # fmt: skip
    if outside is not None and not _is_known_elsewhere(top) and not _is_declared(codebase, top):
        text = f"imports {item.module}, found as {outside}, which is outside the project"
        notes.append(ImportNote("outside_project", facts.path, item.line, text))
    elif not _is_available(codebase, top):
        text = f"imports {item.module}: neither standard library, dependency, nor project file"
        notes.append(ImportNote("unresolved_import", facts.path, item.line, text))
    return []


def _is_known_elsewhere(top: str) -> bool:
    return top in sys.stdlib_module_names


def _is_available(codebase: Codebase, top: str) -> bool:
    if not top or top in sys.stdlib_module_names:
        return True
    if _is_declared(codebase, top):
        return True
    try:
        return importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _is_declared(codebase: Codebase, top: str) -> bool:
    declared = {distribution_name(item).replace("-", "_") for item in _requirements(codebase)}
    return top.lower() in declared


def _requirements(codebase: Codebase) -> tuple[str, ...]:
    return codebase.environment.dependencies
