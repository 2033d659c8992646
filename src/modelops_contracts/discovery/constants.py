"""Values that are known without running the file they stand in."""

from __future__ import annotations

import ast
import posixpath
from pathlib import PurePosixPath
from typing import Any

from modelops_contracts.discovery.facts import Lookup, ModuleFacts, dotted_parts
from modelops_contracts.discovery.names import LONGEST_CHAIN, Symbol, resolve
from modelops_contracts.errors import InvalidInput


class _Unreadable(Exception):  # noqa: N818  (a signal inside this module, not an error)
    """A value cannot be known without running the file."""


def read_constant(node: ast.expr, facts: ModuleFacts, lookup: Lookup) -> Any:
    """Return the value of an expression that is known without running anything.

    Literals, names bound once to such an expression, text concatenation, f-strings, `Path(...)`,
    `/` joins, `__file__` (relative to the project root) and `os.path.join`. Paths come back as
    `PurePosixPath`. Raises `InvalidInput` with the code `unreadable_value` for anything else.
    """
    try:
        return _Constants(facts, lookup).value(node, 0)
    except _Unreadable:
        raise InvalidInput(
            f"{facts.path}:{node.lineno}: cannot read {ast.unparse(node)} without running the file",
            code="unreadable_value",
        ) from None


class _Constants:
    def __init__(self, facts: ModuleFacts, lookup: Lookup) -> None:
        self.facts = facts
        self.lookup = lookup

    def value(self, node: ast.expr, depth: int) -> Any:
        if depth > LONGEST_CHAIN:
            raise _Unreadable
        reader = getattr(self, f"_read_{type(node).__name__.lower()}", None)
        if reader is None:
            raise _Unreadable
        return reader(node, depth + 1)

    def _read_constant(self, node: ast.Constant, _depth: int) -> Any:
        return node.value

    def _read_list(self, node: ast.List, depth: int) -> list[Any]:
        return [self.value(item, depth) for item in node.elts]

    def _read_tuple(self, node: ast.Tuple, depth: int) -> tuple[Any, ...]:
        return tuple(self.value(item, depth) for item in node.elts)

    def _read_dict(self, node: ast.Dict, depth: int) -> dict[Any, Any]:
        if any(key is None for key in node.keys):
            raise _Unreadable
        keys = [self.value(key, depth) for key in node.keys if key is not None]
        return dict(zip(keys, (self.value(item, depth) for item in node.values), strict=True))

    def _read_unaryop(self, node: ast.UnaryOp, depth: int) -> Any:
        value = self.value(node.operand, depth)
        if not isinstance(node.op, ast.USub) or not isinstance(value, int | float):
            raise _Unreadable
        return -value

    def _read_joinedstr(self, node: ast.JoinedStr, depth: int) -> str:
        return "".join(str(self.value(part, depth)) for part in node.values)

    def _read_formattedvalue(self, node: ast.FormattedValue, depth: int) -> str:
        value = self.value(node.value, depth)
        if node.conversion != -1 or node.format_spec is not None:
            raise _Unreadable
        if not isinstance(value, str | int | PurePosixPath):
            raise _Unreadable
        return str(value)

    def _read_binop(self, node: ast.BinOp, depth: int) -> Any:
        left, right = self.value(node.left, depth), self.value(node.right, depth)
        if isinstance(node.op, ast.Add) and type(left) is type(right) and isinstance(left, str):
            return left + right
        if isinstance(node.op, ast.Div) and isinstance(right, str | PurePosixPath):
            return _joined(left, right)
        if isinstance(left, int | float) and isinstance(right, int | float):
            return _arithmetic(node.op, left, right)
        raise _Unreadable

    def _read_subscript(self, node: ast.Subscript, depth: int) -> Any:
        if isinstance(node.value, ast.Attribute) and node.value.attr == "parents":
            path = self.value(node.value.value, depth)
            for _ in range(int(self.value(node.slice, depth)) + 1):
                path = _parent(path)
            return path
        try:
            return self.value(node.value, depth)[self.value(node.slice, depth)]
        except (KeyError, IndexError, TypeError):
            raise _Unreadable from None

    def _read_attribute(self, node: ast.Attribute, depth: int) -> Any:
        parts = dotted_parts(node)
        if parts is not None:
            symbol = resolve(parts, self.facts, self.lookup)
            if symbol.kind == "local":
                return self._of_symbol(symbol, depth)
        value = self.value(node.value, depth)
        if node.attr == "parent":
            return _parent(value)
        if isinstance(value, PurePosixPath) and node.attr in {"name", "stem", "suffix"}:
            return getattr(value, node.attr)
        raise _Unreadable

    def _read_name(self, node: ast.Name, depth: int) -> Any:
        if node.id == "__file__":
            return self.facts.path
        return self._of_symbol(resolve((node.id,), self.facts, self.lookup), depth)

    def _of_symbol(self, symbol: Symbol, depth: int) -> Any:
        if symbol.kind != "local" or symbol.facts is None or symbol.binding is None:
            raise _Unreadable
        node = symbol.binding.node
        if len(symbol.facts.bindings[symbol.name]) != 1 or not isinstance(node, ast.expr):
            raise _Unreadable
        return _Constants(symbol.facts, self.lookup).value(node, depth)

    def _read_call(self, node: ast.Call, depth: int) -> Any:
        parts = dotted_parts(node.func)
        name = parts[-1] if parts else getattr(node.func, "attr", "")
        if node.keywords and name != "resolve":
            return self._read_dict_call(node, parts, depth)
        arguments = [self.value(item, depth) for item in node.args]
        if name in {"Path", "PurePath", "PurePosixPath"}:
            return _joined(PurePosixPath(), *arguments)
        if parts == ("str",) or (parts and parts[-1] == "fspath"):
            return str(arguments[0]) if len(arguments) == 1 else _fail()
        if parts and parts[-2:] == ("path", "join"):
            return str(_joined(PurePosixPath(), *arguments))
        if parts and parts[-2:] == ("path", "dirname") and len(arguments) == 1:
            return str(_parent(PurePosixPath(arguments[0])))
        return self._read_path_method(node, name, arguments, depth)

    def _read_dict_call(
        self, node: ast.Call, parts: tuple[str, ...] | None, depth: int
    ) -> dict[str, Any]:
        if parts != ("dict",) or node.args or any(item.arg is None for item in node.keywords):
            raise _Unreadable
        return {str(item.arg): self.value(item.value, depth) for item in node.keywords}

    def _read_path_method(
        self, node: ast.Call, name: str, arguments: list[Any], depth: int
    ) -> PurePosixPath:
        if not isinstance(node.func, ast.Attribute):
            raise _Unreadable
        value = self.value(node.func.value, depth)
        if not isinstance(value, PurePosixPath):
            raise _Unreadable
        if name in {"resolve", "absolute"} and not arguments:
            return value
        if name == "joinpath":
            return _joined(value, *arguments)
        raise _Unreadable


def _fail() -> Any:
    raise _Unreadable


def _joined(left: Any, *others: Any) -> PurePosixPath:
    path = left
    for other in others:
        if not isinstance(other, str | PurePosixPath):
            raise _Unreadable
        path = PurePosixPath(path) / other if isinstance(path, PurePosixPath) else _fail()
    if not isinstance(path, PurePosixPath):
        raise _Unreadable
    return path


def _parent(path: Any) -> PurePosixPath:
    if not isinstance(path, PurePosixPath):
        raise _Unreadable
    clean = PurePosixPath(posixpath.normpath(path))
    if clean == PurePosixPath() or clean.parts[:1] == ("..",):
        return PurePosixPath("..") / clean
    return clean.parent


def _arithmetic(operator: ast.operator, left: float, right: float) -> float:
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    if isinstance(operator, ast.Mult):
        return left * right
    if isinstance(operator, ast.Div) and right != 0:
        return left / right
    raise _Unreadable
