"""Digests of what code means, blind to how it is written down.

The canonical form (`fp1`) is emitted from the syntax tree over the field table below, which is
written out so that it is the same on every Python version. Positions, comments, docstrings,
formatting, string quoting and the order of neighbouring imports do not count; every name, value,
decorator and annotation does.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

PREFIX = "fp1:"
SELF_NAME = "\x00self"

# Node class -> the fields that count, in the order they are written.
FIELDS: dict[str, tuple[str, ...]] = {
    "Module": ("body",),
    "FunctionDef": ("name", "args", "body", "decorator_list", "returns", "type_params"),
    "AsyncFunctionDef": ("name", "args", "body", "decorator_list", "returns", "type_params"),
    "ClassDef": ("name", "bases", "keywords", "body", "decorator_list", "type_params"),
    "Return": ("value",),
    "Delete": ("targets",),
    "Assign": ("targets", "value"),
    "TypeAlias": ("name", "type_params", "value"),
    "AugAssign": ("target", "op", "value"),
    "AnnAssign": ("target", "annotation", "value", "simple"),
    "For": ("target", "iter", "body", "orelse"),
    "AsyncFor": ("target", "iter", "body", "orelse"),
    "While": ("test", "body", "orelse"),
    "If": ("test", "body", "orelse"),
    "With": ("items", "body"),
    "AsyncWith": ("items", "body"),
    "Match": ("subject", "cases"),
    "Raise": ("exc", "cause"),
    "Try": ("body", "handlers", "orelse", "finalbody"),
    "TryStar": ("body", "handlers", "orelse", "finalbody"),
    "Assert": ("test", "msg"),
    "Import": ("names",),
    "ImportFrom": ("module", "names", "level"),
    "Global": ("names",),
    "Nonlocal": ("names",),
    "Expr": ("value",),
    "Break": (),
    "Continue": (),
    "BoolOp": ("op", "values"),
    "NamedExpr": ("target", "value"),
    "BinOp": ("left", "op", "right"),
    "UnaryOp": ("op", "operand"),
    "Lambda": ("args", "body"),
    "IfExp": ("test", "body", "orelse"),
    "Dict": ("keys", "values"),
    "Set": ("elts",),
    "ListComp": ("elt", "generators"),
    "SetComp": ("elt", "generators"),
    "DictComp": ("key", "value", "generators"),
    "GeneratorExp": ("elt", "generators"),
    "Await": ("value",),
    "Yield": ("value",),
    "YieldFrom": ("value",),
    "Compare": ("left", "ops", "comparators"),
    "Call": ("func", "args", "keywords"),
    "FormattedValue": ("value", "conversion", "format_spec"),
    "Attribute": ("value", "attr"),
    "Subscript": ("value", "slice"),
    "Starred": ("value",),
    "Name": ("id",),
    "List": ("elts",),
    "Tuple": ("elts",),
    "Slice": ("lower", "upper", "step"),
    "comprehension": ("target", "iter", "ifs", "is_async"),
    "ExceptHandler": ("type", "name", "body"),
    "arguments": (
        "posonlyargs", "args", "vararg", "kwonlyargs", "kw_defaults", "kwarg", "defaults",
    ),
    "arg": ("arg", "annotation"),
    "keyword": ("arg", "value"),
    "alias": ("name", "asname"),
    "withitem": ("context_expr", "optional_vars"),
    "match_case": ("pattern", "guard", "body"),
    "MatchValue": ("value",),
    "MatchSingleton": ("value",),
    "MatchSequence": ("patterns",),
    "MatchMapping": ("keys", "patterns", "rest"),
    "MatchClass": ("cls", "patterns", "kwd_attrs", "kwd_patterns"),
    "MatchStar": ("name",),
    "MatchAs": ("pattern", "name"),
    "MatchOr": ("patterns",),
    "TypeVar": ("name", "bound", "default_value"),
    "ParamSpec": ("name", "default_value"),
    "TypeVarTuple": ("name", "default_value"),
}  # fmt: skip

# Lists whose holes mean something: a hole is written, not dropped.
_KEEPS_HOLES = frozenset({"keys", "kw_defaults"})
Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def file_fingerprint(tree: ast.Module, *, keep_docstrings: bool = False) -> str:
    """Return the fingerprint of a whole file."""
    return statements_fingerprint(tree.body, keep_docstrings=keep_docstrings)


def statements_fingerprint(statements: Sequence[ast.stmt], *, keep_docstrings: bool = False) -> str:
    """Return the fingerprint of some statements of a file."""
    return _fingerprint(statements, keep_docstrings=keep_docstrings)


def body_fingerprint(tree: ast.Module, symbol: str) -> str | None:
    """Return the fingerprint of one definition with its own name masked; None without it."""
    found = find_definition(tree, symbol)
    return _fingerprint([found], own_name=symbol) if found is not None else None


def mentions_docstrings(source: bytes) -> bool:
    """True for a file whose docstrings are part of what it does."""
    return b"__doc__" in source


def find_definition(tree: ast.Module, symbol: str) -> Definition | None:
    """Return the last module-level definition of a name, also inside `if`, `try` and `with`."""
    found: Definition | None = None
    for statement in _walk_top(tree.body):
        if isinstance(statement, Definition) and statement.name == symbol:
            found = statement
    return found


def canonical_form(statements: Sequence[ast.stmt], *, own_name: str | None = None,
                   keep_docstrings: bool = False) -> str:  # fmt: skip
    """Return the canonical text of some statements; the digests are taken of it."""
    writer = _Writer(own_name, keep_docstrings=keep_docstrings)
    writer.block(statements)
    return "".join(writer.parts)


def token_pairs(node: ast.AST, own_name: str) -> Counter[str]:
    """Return the multiset of neighbouring leaf tokens of a definition, for comparing texts."""
    tokens = [SELF_NAME if token == own_name else token for token in _leaf_tokens(node)]
    return Counter(f"{a}\x01{b}" for a, b in pairwise(tokens))


def count_tokens(node: ast.AST) -> int:
    """Return the number of leaf tokens of a definition."""
    return sum(1 for _ in _leaf_tokens(node))


def similarity(left: Counter[str], right: Counter[str]) -> float:
    """Return the Dice coefficient of two multisets, from 0 to 1."""
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 0.0


def _fingerprint(
    statements: Sequence[ast.stmt], *, own_name: str | None = None, keep_docstrings: bool = False
) -> str:
    form = canonical_form(statements, own_name=own_name, keep_docstrings=keep_docstrings)
    data = b"modelops:fp:1\x00" + form.encode("utf-8", "surrogatepass")
    return PREFIX + hashlib.sha256(data).hexdigest()


class _Writer:
    """Emits the canonical form as a list of text parts."""

    def __init__(self, own_name: str | None, *, keep_docstrings: bool) -> None:
        self.parts: list[str] = []
        self._own_name = own_name
        self._keep_docstrings = keep_docstrings

    def block(self, statements: Iterable[ast.stmt]) -> None:
        imports: list[str] = []
        for statement in statements:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                imports.extend(_split_import(statement))
                continue
            self._flush(imports)
            if not self._is_silent(statement):
                self.node(statement)
        self._flush(imports)

    def _flush(self, imports: list[str]) -> None:
        self.parts.extend(sorted(imports))
        imports.clear()

    def _is_silent(self, statement: ast.stmt) -> bool:
        if isinstance(statement, ast.Pass):
            return True
        if not isinstance(statement, ast.Expr) or not isinstance(statement.value, ast.Constant):
            return False
        return not (self._keep_docstrings and isinstance(statement.value.value, str))

    def node(self, node: ast.AST) -> None:
        kind = type(node).__name__
        if isinstance(node, ast.Constant):
            self.parts.append(f"Constant{{{_constant(node.value)}}}")
        elif isinstance(node, ast.JoinedStr):
            self._joined(node)
        elif not isinstance(node, ast.expr | ast.stmt) and not getattr(node, "_fields", ()):
            self.parts.append(kind)  # operators
        else:
            self._fields(node, kind)

    def _fields(self, node: ast.AST, kind: str) -> None:
        self.parts.append(f"{kind}{{")
        for name in FIELDS[kind]:
            value = getattr(node, name, None)
            if value is None or value == []:
                continue
            self.parts.append(f"{name}=")
            self._value(name, value)
            self.parts.append(" ")
        self.parts.append("}")

    def _value(self, name: str, value: object) -> None:
        if name == "body" and isinstance(value, list):
            self.parts.append("[")
            self.block(value)
            self.parts.append("]")
        elif isinstance(value, list):
            self._list(name, value)
        elif isinstance(value, ast.AST):
            self.node(value)
        elif isinstance(value, str):
            self.parts.append(SELF_NAME if value == self._own_name else ascii(value))
        else:
            self.parts.append(_constant(value))

    def _list(self, name: str, values: list[object]) -> None:
        self.parts.append("[")
        if name in {"orelse", "finalbody"}:
            self.block(item for item in values if isinstance(item, ast.stmt))
        else:
            for item in values:
                if item is None:
                    self.parts.append("-" if name in _KEEPS_HOLES else "")
                else:
                    self._value("", item)
                self.parts.append(",")
        self.parts.append("]")

    def _joined(self, node: ast.JoinedStr) -> None:
        self.parts.append("JoinedStr{")
        text = ""
        for part in _flat_parts(node):
            if isinstance(part, str):
                text += part
                continue
            self._text(text)
            text = ""
            self.node(part)
        self._text(text)
        self.parts.append("}")

    def _text(self, text: str) -> None:
        if text:
            self.parts.append(f"Constant{{{_constant(text)}}}")


def _flat_parts(node: ast.JoinedStr) -> Iterator[str | ast.expr]:
    for part in node.values:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.JoinedStr):
            yield from _flat_parts(part)
        else:
            yield part


def _constant(value: object) -> str:
    if value is None:
        return "N"
    if value is Ellipsis:
        return "E"
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, int):
        return f"i{value:x}"
    if isinstance(value, float):
        return f"f{value.hex()}"
    if isinstance(value, complex):
        return f"c{value.real.hex()},{value.imag.hex()}"
    return ("b" if isinstance(value, bytes) else "s") + ascii(value)


def _split_import(statement: ast.Import | ast.ImportFrom) -> Iterator[str]:
    for alias in statement.names:
        rename = f" as {alias.asname}" if alias.asname else ""
        if isinstance(statement, ast.Import):
            yield f"Import{{{alias.name}{rename}}}"
        else:
            module = "." * statement.level + (statement.module or "")
            yield f"From{{{module} {alias.name}{rename}}}"


def _walk_top(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for statement in body:
        yield statement
        if isinstance(statement, Definition):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from _walk_top(getattr(statement, name, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from _walk_top(handler.body)


def _leaf_tokens(node: ast.AST) -> Iterator[str]:
    for name in FIELDS.get(type(node).__name__, ()):
        value = getattr(node, name, None)
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, ast.Constant):
                yield _constant(item.value)
            elif isinstance(item, ast.AST):
                yield from _leaf_or_inner(item)
            elif isinstance(item, str):
                yield item


def _leaf_or_inner(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    if isinstance(node, ast.JoinedStr):
        for part in _flat_parts(node):
            if isinstance(part, str):
                yield _constant(part)
            else:
                yield from _leaf_or_inner(part)
    elif not getattr(node, "_fields", ()):
        yield type(node).__name__
    else:
        yield from _leaf_tokens(node)
