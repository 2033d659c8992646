"""What can run when one definition of a file is used, seen from all files it needs."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.imports import Closure, imported_files
from modelops_bundle.code.slicing import Scope
from modelops_contracts.errors import InvalidInput


def reach(codebase: Codebase, path: str, symbol: str, closure: Closure) -> list[ast.stmt]:
    """Return the module-level statements of a file that one of its definitions can reach.

    Definitions count that it names itself, and those that a file of its closure takes from here
    when imports go round in a circle. Ask for it through `Codebase.once`.
    """
    back = codebase.once(_names_taken_back, path, closure.files)
    return codebase.once(_scope_of, path).reachable(symbol, back)


def _scope_of(codebase: Codebase, path: str) -> Scope:
    return Scope(codebase.facts(path).tree)


def _names_taken_back(codebase: Codebase, path: str, files: tuple[str, ...]) -> frozenset[str]:
    """Return the definitions of a file that files which it imports may use.

    Names alone are compared, so that nothing is missed: what another module calls `util`, or
    reads as an attribute `util`, may be the `util` of this file. A name that is imported and not
    used, as in an `__init__.py`, is only passed on.
    """
    importers = [item for item in files if path in codebase.once(imported_files, item)]
    if not importers:
        return frozenset()
    users = set(files) - ({path} - set(importers))
    used = (codebase.once(_names_used_elsewhere, item, item == path) for item in sorted(users))
    return codebase.once(_scope_of, path).names & frozenset().union(*used)


def _names_used_elsewhere(codebase: Codebase, path: str, own: bool) -> frozenset[str]:
    """Return the names that a file may take from a module; its own ones are no plain names."""
    if not path.endswith(".py"):
        return frozenset()
    try:
        tree = codebase.facts(path).tree
    except InvalidInput:
        return frozenset()  # it cannot be imported either, which is reported
    key = codebase.digest(path) or path
    section = "own names" if own else "names"
    return frozenset(codebase.cache.get(section, key, lambda: sorted(set(_used(tree, own)))))


def _used(tree: ast.Module, own: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Name) and not own:
            yield node.id
        elif isinstance(node, ast.alias) and node.asname is not None:
            yield node.name.rpartition(".")[2]
