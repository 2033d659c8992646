"""What a source file says about models and targets, read from its syntax tree alone.

Nothing here runs or imports the author's code, and nothing touches a disk except `scan_file`.
One file is scanned into `ModuleFacts`; names that lead into other files of the project are
followed through a `Lookup`, which maps a module name to the facts of that file, or to None when
the module is not part of the project.
"""

from __future__ import annotations

import ast
import posixpath
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from modelops_contracts.errors import InvalidInput, NotFound

SUITE_PACKAGES = frozenset({"modelops_calabaria", "calabaria"})
DEFAULT_SCENARIO = "baseline"

_Scope = ast.FunctionDef | ast.AsyncFunctionDef
_TARGET_POSITIONS = ("model_output", "data")
_LONGEST_CHAIN = 64


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell about one line of a file; `code` is stable."""

    code: str
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Import:
    """One imported module or name, anywhere in a file.

    `module` is absolute (relative ones are resolved against the file's package), `name` is None
    for `import module`, `*` for a star import. `bound` is the name the file gets, empty when
    there is none. Imports inside functions count; those under `TYPE_CHECKING` are marked.
    """

    module: str
    name: str | None
    bound: str
    line: int
    top_level: bool
    typing_only: bool = False
    explicit_alias: bool = False


@dataclass(frozen=True, slots=True)
class Binding:
    """How a module-level name comes to exist."""

    kind: Literal["class", "function", "import", "value"]
    node: ast.AST | None = None
    source: Import | None = None


@dataclass(frozen=True, slots=True)
class ModuleFacts:
    """The module-level names and all imports of one parsed file."""

    path: str
    module: str
    tree: ast.Module
    bindings: Mapping[str, tuple[Binding, ...]]
    imports: tuple[Import, ...]

    @property
    def stars(self) -> tuple[str, ...]:
        """Modules whose public names are imported with a star at module level."""
        return tuple(i.module for i in self.imports if i.name == "*" and i.top_level)


Lookup = Callable[[str], ModuleFacts | None]


def no_other_files(_module: str) -> ModuleFacts | None:
    """A lookup for a file that stands alone."""
    return None


@dataclass(frozen=True, slots=True)
class Symbol:
    """Where a dotted name leads: into the project, out of it, or nowhere."""

    kind: Literal["local", "module", "external", "unbound"]
    name: str
    facts: ModuleFacts | None = None
    binding: Binding | None = None

    def is_suite(self, name: str) -> bool:
        """True for the name `name` of our own science package."""
        parts = self.name.split(".")
        return self.kind == "external" and parts[0] in SUITE_PACKAGES and parts[-1] == name


@dataclass(frozen=True, slots=True)
class FoundModel:
    """A top-level class that inherits from the suite's `BaseModel`."""

    name: str
    path: str
    line: int
    bases: tuple[str, ...]
    outputs: tuple[str, ...]
    scenarios: tuple[str, ...]
    parameters: tuple[str, ...] | None
    abstract: bool = False
    notes: tuple[Note, ...] = ()

    @property
    def selectable(self) -> bool:
        """True when the class is registered without being named."""
        return not self.abstract and not self.name.startswith("_")


@dataclass(frozen=True, slots=True)
class FoundTarget:
    """A top-level function decorated as a calibration target."""

    name: str
    path: str
    line: int
    explicit_name: str | None = None
    model_output: str | None = None
    data: tuple[str, ...] = ()
    weight: float = 1.0
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict)

    @property
    def selectable(self) -> bool:
        """True when the function is registered without being named."""
        return not self.name.startswith("_")

    def arguments(self) -> dict[str, Any]:
        """Return the decorator's arguments; source text where they cannot be read."""
        return dict(self.raw)


class _Unreadable(Exception):  # noqa: N818  (a signal inside this module, not an error)
    """A value cannot be known without running the file."""


# --- reading one file ------------------------------------------------------------------------


def parse_source(source: bytes, path: str) -> ast.Module:
    """Parse Python source; `InvalidInput` with file and line when that is impossible."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, filename=path)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise InvalidInput(f"cannot parse {path}{line}: {error.msg}", code="parse_failed") from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "nested too deeply"
        raise InvalidInput(f"cannot parse {path}: {reason}", code="parse_failed") from None


def scan_source(
    source: bytes, *, path: str, module: str, is_package: bool | None = None
) -> ModuleFacts:
    """Return the facts of one file; `path` is relative to the project root."""
    package_file = PurePosixPath(path).stem == "__init__" if is_package is None else is_package
    tree = parse_source(source, path)
    package = module if package_file else module.rpartition(".")[0]
    imports = tuple(_imports_of(tree, package))
    return ModuleFacts(
        path=path,
        module=module,
        tree=tree,
        bindings=_bindings_of(tree, imports),
        imports=imports,
    )


def scan_file(path: Path) -> ModuleFacts:
    """Read and scan one file on its own."""
    try:
        source = path.read_bytes()
    except OSError:
        raise NotFound(f"file {path} not found") from None
    return scan_source(source, path=path.as_posix(), module=path.stem)


def top_level_statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """Walk module-level statements, also those inside `if`, `try`, `with`, `for`, `while`."""
    for statement in body:
        yield statement
        if isinstance(statement, _Scope | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            yield from top_level_statements(getattr(statement, name, ()))
        for handler in getattr(statement, "handlers", ()):
            yield from top_level_statements(handler.body)
        for case in getattr(statement, "cases", ()):
            yield from top_level_statements(case.body)


def dotted_parts(node: ast.expr) -> tuple[str, ...] | None:
    """Return `("a", "b")` for the expression `a.b`; None for anything but a dotted name."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(parts))


def _imports_of(tree: ast.Module, package: str) -> Iterator[Import]:
    top = {id(node) for node in top_level_statements(tree.body)}
    typing_only: set[int] = set()
    for node in ast.walk(tree):  # a block is met before what is inside it
        if isinstance(node, ast.Call):
            module = _dynamic_import(node, package)
            if module:
                yield Import(module, None, "", node.lineno, top_level=False)
        elif isinstance(node, ast.If):
            typing_only |= _typing_only_nodes(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            marks = {"top_level": id(node) in top, "typing_only": id(node) in typing_only}
            if isinstance(node, ast.Import):
                yield from _plain_imports(node, marks)
            else:
                yield from _from_imports(node, package, marks)


def _plain_imports(node: ast.Import, marks: Mapping[str, bool]) -> Iterator[Import]:
    for alias in node.names:
        bound = alias.asname or alias.name.partition(".")[0]
        yield Import(
            alias.name, None, bound, node.lineno, explicit_alias=bool(alias.asname), **marks
        )


def _from_imports(
    node: ast.ImportFrom, package: str, marks: Mapping[str, bool]
) -> Iterator[Import]:
    module = _absolute_module(node.module or "", node.level, package)
    for alias in node.names:
        bound = "" if alias.name == "*" else alias.asname or alias.name
        yield Import(module, alias.name, bound, node.lineno, **marks)


def _absolute_module(module: str, level: int, package: str) -> str:
    if level == 0:
        return module
    parts = package.split(".") if package else []
    kept = parts[: len(parts) - (level - 1)] if level > 1 else parts
    return ".".join([*kept, module] if module else kept)


def _dynamic_import(node: ast.Call, package: str) -> str | None:
    parts = dotted_parts(node.func) or ("",)
    if parts[-1] not in {"import_module", "__import__"} or not node.args:
        return None
    first = node.args[0]
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return None
    name = first.value
    level = len(name) - len(name.lstrip("."))
    return _absolute_module(name[level:], level, package)


def _typing_only_nodes(node: ast.If) -> set[int]:
    if (dotted_parts(node.test) or ("",))[-1] != "TYPE_CHECKING":
        return set()
    return {id(inner) for statement in node.body for inner in ast.walk(statement)}


def _bindings_of(tree: ast.Module, imports: Sequence[Import]) -> dict[str, tuple[Binding, ...]]:
    found: dict[str, list[Binding]] = {}
    for item in imports:
        if item.top_level and item.bound:
            found.setdefault(item.bound, []).append(Binding("import", source=item))
    for statement in top_level_statements(tree.body):
        for name, binding in _bound_by(statement):
            found.setdefault(name, []).append(binding)
    return {name: tuple(items) for name, items in found.items()}


def _bound_by(statement: ast.stmt) -> Iterator[tuple[str, Binding]]:
    if isinstance(statement, ast.ClassDef):
        yield statement.name, Binding("class", statement)
    elif isinstance(statement, _Scope):
        yield statement.name, Binding("function", statement)
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from _assigned(target, statement.value)
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        yield from _assigned(statement.target, statement.value)
    elif isinstance(statement, ast.AugAssign | ast.For | ast.AsyncFor):
        yield from _assigned(statement.target, None)
    elif isinstance(statement, ast.With | ast.AsyncWith):
        for item in statement.items:
            if item.optional_vars is not None:
                yield from _assigned(item.optional_vars, None)


def _assigned(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, Binding]]:
    if isinstance(target, ast.Name):
        yield target.id, Binding("value", value)
        return
    for node in ast.walk(target):
        if isinstance(node, ast.Name):
            yield node.id, Binding("value", None)


# --- following names -------------------------------------------------------------------------


def resolve(parts: Sequence[str], facts: ModuleFacts, lookup: Lookup) -> Symbol:
    """Follow a dotted name used at module level of a file to where it is defined."""
    return _resolve(tuple(parts), facts, lookup, frozenset())


def _resolve(
    parts: tuple[str, ...], facts: ModuleFacts, lookup: Lookup, seen: frozenset[tuple[str, str]]
) -> Symbol:
    head, rest = parts[0], parts[1:]
    mark = (facts.path, head)
    unbound = Symbol("unbound", ".".join(parts))
    if mark in seen or len(seen) > _LONGEST_CHAIN:
        return unbound
    seen |= {mark}
    best = unbound
    for binding in facts.bindings.get(head, ()):
        found = _follow(binding, head, rest, facts, lookup, seen)
        if found.kind != "unbound" and (found.binding is None or found.binding.kind != "value"):
            return found
        best = found if best.kind == "unbound" else best
    if head in facts.bindings:
        return best
    return _resolve_through_stars(parts, facts, lookup, seen)


def _follow(
    binding: Binding,
    head: str,
    rest: tuple[str, ...],
    facts: ModuleFacts,
    lookup: Lookup,
    seen: frozenset[tuple[str, str]],
) -> Symbol:
    source = binding.source
    if source is not None:
        return _resolve_absolute((*_imported_parts(source), *rest), lookup, seen)
    if binding.kind == "value" and isinstance(binding.node, ast.Name | ast.Attribute):
        alias = dotted_parts(binding.node)
        if alias is not None:
            found = _resolve((*alias, *rest), facts, lookup, seen)
            if found.kind != "unbound":
                return found
    if rest:
        return Symbol("unbound", ".".join((head, *rest)))
    return Symbol("local", head, facts, binding)


def _imported_parts(source: Import) -> tuple[str, ...]:
    module = tuple(source.module.split("."))
    if source.name is not None:
        return (*module, source.name)
    return module if source.explicit_alias else module[:1]


def _resolve_absolute(
    parts: tuple[str, ...], lookup: Lookup, seen: frozenset[tuple[str, str]]
) -> Symbol:
    for count in range(len(parts), 0, -1):
        facts = lookup(".".join(parts[:count]))
        if facts is None:
            continue
        if count == len(parts):
            return Symbol("module", ".".join(parts), facts)
        return _resolve(parts[count:], facts, lookup, seen)
    return Symbol("external", ".".join(parts))


def _resolve_through_stars(
    parts: tuple[str, ...], facts: ModuleFacts, lookup: Lookup, seen: frozenset[tuple[str, str]]
) -> Symbol:
    for module in facts.stars:
        other = lookup(module)
        if other is not None:
            found = _resolve(parts, other, lookup, seen)
            if found.kind != "unbound":
                return found
        elif module.partition(".")[0] in SUITE_PACKAGES:
            return Symbol("external", ".".join((module, *parts)))
    return Symbol("unbound", ".".join(parts))


# --- constants -------------------------------------------------------------------------------


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
        if depth > _LONGEST_CHAIN:
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


# --- models ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Lineage:
    """A class and its project ancestors, nearest first, and what is known of the rest."""

    classes: tuple[tuple[ModuleFacts, ast.ClassDef], ...]
    is_model: bool
    unresolved: bool
    foreign_base: bool
    foreign_model: bool


def list_models(facts: ModuleFacts, lookup: Lookup = no_other_files) -> list[FoundModel]:
    """Return the model classes of a file, abstract and private ones too, in source order."""
    found = []
    for name, node in _top_level_classes(facts):
        lineage = _lineage(facts, node, lookup, frozenset())
        if lineage.is_model:
            found.append(_describe_model(name, node, facts, lineage, lookup))
    return found


def find_class(name: str, facts: ModuleFacts, lookup: Lookup = no_other_files) -> FoundModel | None:
    """Describe a class that was named explicitly, whatever it inherits from."""
    for candidate, node in _top_level_classes(facts):
        if candidate == name:
            lineage = _lineage(facts, node, lookup, frozenset())
            return _describe_model(name, node, facts, lineage, lookup)
    return None


def _top_level_classes(facts: ModuleFacts) -> Iterator[tuple[str, ast.ClassDef]]:
    for name, bindings in facts.bindings.items():
        last = bindings[-1]
        if isinstance(last.node, ast.ClassDef):
            yield name, last.node


def _base_parts(node: ast.expr) -> tuple[str, ...] | None:
    while isinstance(node, ast.Subscript):
        node = node.value
    return dotted_parts(node)


def _lineage(
    facts: ModuleFacts, node: ast.ClassDef, lookup: Lookup, seen: frozenset[tuple[str, str]]
) -> _Lineage:
    mark = (facts.path, node.name)
    classes: list[tuple[ModuleFacts, ast.ClassDef]] = [(facts, node)]
    flags = {"is_model": False, "unresolved": False, "foreign_base": False, "foreign_model": False}
    for base in node.bases if mark not in seen else ():
        parts = _base_parts(base)
        symbol = resolve(parts, facts, lookup) if parts else Symbol("unbound", "")
        parent = _parent_lineage(symbol, lookup, seen | {mark})
        if parent is None:
            _note_foreign_base(symbol, flags)
            continue
        classes += parent.classes
        for flag in flags:
            flags[flag] |= bool(getattr(parent, flag))
    return _Lineage(classes=_nearest_first(classes), **flags)


def _parent_lineage(
    symbol: Symbol, lookup: Lookup, seen: frozenset[tuple[str, str]]
) -> _Lineage | None:
    if symbol.kind != "local" or symbol.facts is None or symbol.binding is None:
        return None
    node = symbol.binding.node
    if not isinstance(node, ast.ClassDef):
        return None
    parent = _lineage(symbol.facts, node, lookup, seen)
    if node.name != "BaseModel" or parent.is_model or parent.foreign_model:
        return parent
    return _Lineage(parent.classes, True, True, parent.foreign_base, False)


def _note_foreign_base(symbol: Symbol, flags: dict[str, bool]) -> None:
    last = symbol.name.rpartition(".")[2]
    if symbol.is_suite("BaseModel"):
        flags["is_model"] = True
    elif last == "BaseModel" and symbol.kind == "unbound":
        flags["is_model"] = flags["unresolved"] = True
    elif last == "BaseModel":
        flags["foreign_model"] = True
    elif last not in {"object", "ABC", "Generic", "Protocol"}:
        flags["foreign_base"] = True


def _nearest_first(
    classes: Sequence[tuple[ModuleFacts, ast.ClassDef]],
) -> tuple[tuple[ModuleFacts, ast.ClassDef], ...]:
    last = {id(node): index for index, (_, node) in enumerate(classes)}
    return tuple(item for index, item in enumerate(classes) if last[id(item[1])] == index)


def _describe_model(
    name: str, node: ast.ClassDef, facts: ModuleFacts, lineage: _Lineage, lookup: Lookup
) -> FoundModel:
    notes: list[Note] = []
    outputs = _marked_methods(lineage, "model_output", lookup, notes)
    scenarios = _marked_methods(lineage, "model_scenario", lookup, notes)
    if lineage.unresolved:
        notes.append(Note("unresolved_base", node.lineno, f"{name}: BaseModel is not imported"))
    if lineage.is_model:
        scenarios.add(_default_scenario(lineage, lookup))
    return FoundModel(
        name=name,
        path=facts.path,
        line=node.lineno,
        bases=tuple(ast.unparse(base) for base in node.bases),
        outputs=tuple(sorted(outputs)),
        scenarios=tuple(sorted(scenarios)),
        parameters=_parameter_names(lineage, lookup),
        abstract=_is_abstract(facts, node, lineage, lookup),
        notes=tuple(notes),
    )


def _nearest_methods(lineage: _Lineage) -> Iterator[tuple[ModuleFacts, _Scope]]:
    seen: set[str] = set()
    for facts, node in lineage.classes:
        own = [item for item in node.body if isinstance(item, _Scope) and item.name not in seen]
        seen.update(item.name for item in own)
        last = {item.name: item for item in own}
        for method in last.values():
            yield facts, method


def _marked_methods(lineage: _Lineage, marker: str, lookup: Lookup, notes: list[Note]) -> set[str]:
    found: set[str] = set()
    for facts, method in _nearest_methods(lineage):
        for decorator in method.decorator_list:
            if _is_marker(decorator, marker, facts, lookup):
                name = _marked_name(decorator, method.name, facts, lookup, notes)
                found.update({name} if name else ())
    return found


def _is_marker(decorator: ast.expr, marker: str, facts: ModuleFacts, lookup: Lookup) -> bool:
    parts = dotted_parts(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if parts is None:
        return False
    symbol = resolve(parts, facts, lookup)
    if symbol.kind in {"unbound", "local"}:
        return symbol.name.rpartition(".")[2] == marker
    return symbol.is_suite(marker)


def _marked_name(
    decorator: ast.expr, method: str, facts: ModuleFacts, lookup: Lookup, notes: list[Note]
) -> str | None:
    if not isinstance(decorator, ast.Call):
        return method
    named = [item.value for item in decorator.keywords if item.arg in {"name", "output"}]
    given = [*decorator.args[:1], *named]
    if not given:
        return method
    try:
        return str(read_constant(given[0], facts, lookup))
    except InvalidInput as error:
        notes.append(Note("unreadable_value", given[0].lineno, str(error)))
        return None


def _class_value(lineage: _Lineage, name: str) -> tuple[ModuleFacts, ast.expr] | None:
    for facts, node in lineage.classes:
        for statement in node.body:
            for bound, binding in _bound_by(statement):
                if bound == name and isinstance(binding.node, ast.expr):
                    return facts, binding.node
    return None


def _default_scenario(lineage: _Lineage, lookup: Lookup) -> str:
    given = _class_value(lineage, "DEFAULT_SCENARIO")
    if given is None:
        return DEFAULT_SCENARIO
    try:
        return str(read_constant(given[1], given[0], lookup))
    except InvalidInput:
        return DEFAULT_SCENARIO


def _parameter_names(lineage: _Lineage, lookup: Lookup) -> tuple[str, ...] | None:
    given = _class_value(lineage, "PARAMS")
    if given is None:
        return None
    facts, node = given
    if isinstance(node, ast.Name):
        symbol = resolve((node.id,), facts, lookup)
        if symbol.facts is None or symbol.binding is None:
            return None
        if not isinstance(symbol.binding.node, ast.expr):
            return None
        facts, node = symbol.facts, symbol.binding.node
    return _spec_names(node, facts, lookup)


def _spec_names(node: ast.expr, facts: ModuleFacts, lookup: Lookup) -> tuple[str, ...] | None:
    inside = list(ast.walk(node))
    if any(isinstance(item, ast.comprehension | ast.Starred) for item in inside):
        return None
    names: list[str] = []
    for call in inside:
        if not isinstance(call, ast.Call) or (dotted_parts(call.func) or ("",))[-1] != (
            "ParameterSpec"
        ):
            continue
        named = [item.value for item in call.keywords if item.arg == "name"]
        try:
            names.append(str(read_constant([*call.args[:1], *named][0], facts, lookup)))
        except (InvalidInput, IndexError):
            return None
    return tuple(names) or None


def _is_abstract(facts: ModuleFacts, node: ast.ClassDef, lineage: _Lineage, lookup: Lookup) -> bool:
    if any(_names_abc(base, facts, lookup) for base in node.bases):
        return True
    if any(item.arg == "metaclass" and _names_abc(item.value, facts, lookup)
           for item in node.keywords):  # fmt: skip
        return True
    if any(_is_abstract_method(method) for _, method in _nearest_methods(lineage)):
        return True
    if lineage.unresolved or lineage.foreign_base or not lineage.is_model:
        return False
    defined = {method.name for _, method in _nearest_methods(lineage)}
    defined |= {
        name for _, cls in lineage.classes for item in cls.body for name, _ in _bound_by(item)
    }
    return not {"build_sim", "run_sim"} <= defined


def _names_abc(node: ast.expr, facts: ModuleFacts, lookup: Lookup) -> bool:
    parts = _base_parts(node)
    return parts is not None and resolve(parts, facts, lookup).name in {"abc.ABC", "abc.ABCMeta"}


def _is_abstract_method(method: _Scope) -> bool:
    names = [(dotted_parts(item) or ("",))[-1] for item in method.decorator_list]
    return any(name in {"abstractmethod", "abstractproperty"} for name in names)


# --- targets ---------------------------------------------------------------------------------


def list_targets(facts: ModuleFacts, lookup: Lookup = no_other_files) -> list[FoundTarget]:
    """Return the decorated target functions of a file in source order."""
    found = []
    for name, bindings in facts.bindings.items():
        node = bindings[-1].node
        if not isinstance(node, _Scope):
            continue
        for decorator in node.decorator_list:
            if _is_target_decorator(decorator, facts, lookup):
                found.append(_describe_target(name, node, decorator, facts, lookup))
                break
    return found


def _is_target_decorator(decorator: ast.expr, facts: ModuleFacts, lookup: Lookup) -> bool:
    parts = dotted_parts(decorator.func if isinstance(decorator, ast.Call) else decorator)
    if parts is None:
        return False
    return resolve(parts, facts, lookup).name.rpartition(".")[2] == "calibration_target"


def _describe_target(
    name: str, node: _Scope, decorator: ast.expr, facts: ModuleFacts, lookup: Lookup
) -> FoundTarget:
    notes: list[Note] = []
    values: dict[str, Any] = {}
    raw: dict[str, Any] = {}
    for key, expression in _decorator_arguments(decorator, notes):
        try:
            values[key] = raw[key] = read_constant(expression, facts, lookup)
        except InvalidInput as error:
            raw[key] = ast.unparse(expression)
            notes.append(Note("unreadable_value", expression.lineno, f"{key}: {error}"))
    return FoundTarget(
        name=name,
        path=facts.path,
        line=node.lineno,
        explicit_name=_text_value(values, "name", node.lineno, notes),
        model_output=_text_value(values, "model_output", node.lineno, notes),
        data=_data_value(values.get("data"), node.lineno, notes),
        weight=_weight_value(values.get("weight"), node.lineno, notes),
        labels=_labels_value(values.get("labels"), node.lineno, notes),
        notes=tuple(notes),
        raw={key: _plain_value(value) for key, value in raw.items()},
    )


def _decorator_arguments(decorator: ast.expr, notes: list[Note]) -> Iterator[tuple[str, ast.expr]]:
    if not isinstance(decorator, ast.Call):
        return
    yield from zip(_TARGET_POSITIONS, decorator.args, strict=False)
    for item in decorator.keywords:
        if item.arg is None:
            notes.append(
                Note("unreadable_value", decorator.lineno,
                     f"**{ast.unparse(item.value)} in the decorator is not read")
            )  # fmt: skip
        else:
            yield item.arg, item.value


def _bad_value(key: str, value: Any, wanted: str, line: int, notes: list[Note]) -> None:
    notes.append(Note("unreadable_value", line, f"{key} must be {wanted}, not {value!r}"))


def _text_value(values: Mapping[str, Any], key: str, line: int, notes: list[Note]) -> str | None:
    value = values.get(key)
    if value is None or isinstance(value, str):
        return value or None
    _bad_value(key, value, "text", line, notes)
    return None


def _data_value(value: Any, line: int, notes: list[Note]) -> tuple[str, ...]:
    if value is None:
        return ()
    items = list(value.values()) if isinstance(value, dict) else value
    if isinstance(items, str | PurePosixPath):
        items = [items]
    if not isinstance(items, list | tuple) or not all(
        isinstance(item, str | PurePosixPath) for item in items
    ):
        _bad_value("data", value, "a path, a list of paths or {key: path}", line, notes)
        return ()
    return tuple(dict.fromkeys(str(item) for item in items))


def _weight_value(value: Any, line: int, notes: list[Note]) -> float:
    if value is None:
        return 1.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        _bad_value("weight", value, "a number", line, notes)
        return 1.0
    if not 0 <= value < float("inf"):
        _bad_value("weight", value, "a finite number >= 0", line, notes)
        return 1.0
    return float(value)


def _labels_value(value: Any, line: int, notes: list[Note]) -> dict[str, str]:
    if value is None:
        return {}
    if isinstance(value, dict) and all(
        isinstance(key, str) and isinstance(item, str) for key, item in value.items()
    ):
        return dict(value)
    _bad_value("labels", value, "a mapping of text to text", line, notes)
    return {}


def _plain_value(value: Any) -> Any:
    if isinstance(value, PurePosixPath):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain_value(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain_value(item) for item in value]
    return value
