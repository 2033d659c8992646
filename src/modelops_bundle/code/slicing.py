"""Which statements of a file one of its definitions can reach."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator

from modelops_bundle.code.fingerprint import Definition, statements_fingerprint

_HARMLESS_DECORATORS = frozenset({
    "staticmethod", "classmethod", "property", "dataclass", "calibration_target", "model_output",
    "model_scenario",
})  # fmt: skip
_WHOLE_FILE_NAMES = frozenset({"globals", "vars", "locals", "eval", "exec", "inspect"})


class Scope:
    """The module-level statements of one file; made once and asked for each of its definitions.

    A definition reaches itself, every definition reachable by name, every statement that is no
    plain definition, and definitions with a decorator that may register them somewhere. A file
    that looks at its own names while running counts whole.
    """

    def __init__(self, tree: ast.Module) -> None:
        self._body = tree.body
        self._whole = _looks_at_itself(tree)
        plain = list(_plain_definitions(tree))
        known = {id(node) for node in plain}
        self._always = [node for node in tree.body if id(node) not in known]
        self._always_used = {name for node in self._always for name in _names_used(node)}
        self._by_name: dict[str, list[ast.stmt]] = {}
        for node in plain:
            self._by_name.setdefault(node.name, []).append(node)

    @property
    def names(self) -> frozenset[str]:
        """The plain definitions, which count where they are reached only."""
        return frozenset(self._by_name)

    def reachable(self, symbol: str, also: Collection[str] = ()) -> list[ast.stmt]:
        """Return the statements that a definition can reach, in source order.

        `also` are names that are used without it, from other files.
        """
        if self._whole:
            return list(self._body)
        reached = {id(node) for node in self._always}
        waiting = [
            node for name in {symbol, *also, *self._always_used} for node in self._named(name)
        ]
        while waiting:
            statement = waiting.pop()
            if id(statement) not in reached:
                reached.add(id(statement))
                waiting += [node for name in _names_used(statement) for node in self._named(name)]
        return [node for node in self._body if id(node) in reached]

    def _named(self, name: str) -> list[ast.stmt]:
        return self._by_name.get(name, [])


def slice_statements(tree: ast.Module, symbol: str) -> list[ast.stmt]:
    """Return the module-level statements that a definition can reach, in source order."""
    return Scope(tree).reachable(symbol)


def slice_fingerprint(tree: ast.Module, symbol: str, *, keep_docstrings: bool = False) -> str:
    """Return the fingerprint of the part of a file that one definition can reach."""
    return statements_fingerprint(slice_statements(tree, symbol), keep_docstrings=keep_docstrings)


def _plain_definitions(tree: ast.Module) -> Iterator[Definition]:
    for node in tree.body:
        if isinstance(node, Definition) and all(map(_is_harmless, node.decorator_list)):
            yield node


def _is_harmless(decorator: ast.expr) -> bool:
    node = decorator.func if isinstance(decorator, ast.Call) else decorator
    if isinstance(node, ast.Attribute):
        owner = node.value.id if isinstance(node.value, ast.Name) else ""
        return owner == "functools" or node.attr in _HARMLESS_DECORATORS
    return isinstance(node, ast.Name) and node.id in _HARMLESS_DECORATORS


def _looks_at_itself(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in _WHOLE_FILE_NAMES:
            return True
        if isinstance(node, ast.Attribute) and node.attr == "modules":
            return True
        if isinstance(node, ast.Import | ast.ImportFrom) and _is_revealing(node):
            return True
    return any(isinstance(n, ast.FunctionDef) and n.name == "__getattr__" for n in tree.body)


def _is_revealing(node: ast.Import | ast.ImportFrom) -> bool:
    names = {alias.name for alias in node.names}
    if isinstance(node, ast.ImportFrom) and node.module == "inspect":
        return True
    return "*" in names or "inspect" in names


def _names_used(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
