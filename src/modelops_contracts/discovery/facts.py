"""One source file: its module-level names and its imports, from the syntax tree alone."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from modelops_contracts.errors import InvalidInput, NotFound

Scope = ast.FunctionDef | ast.AsyncFunctionDef


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
    """The module-level names and all imports of one parsed file.

    `computed_imports` are the lines that import a module whose name only running would tell.
    """

    path: str
    module: str
    tree: ast.Module
    bindings: Mapping[str, tuple[Binding, ...]]
    imports: tuple[Import, ...]
    computed_imports: tuple[int, ...] = ()

    @property
    def stars(self) -> tuple[str, ...]:
        """Modules whose public names are imported with a star at module level."""
        return tuple(i.module for i in self.imports if i.name == "*" and i.top_level)


Lookup = Callable[[str], ModuleFacts | None]


def no_other_files(_module: str) -> ModuleFacts | None:
    """A lookup for a file that stands alone."""
    return None


_CORRECT = "correct the file; what does not parse cannot be imported either"


def parse_source(source: bytes, path: str) -> ast.Module:
    """Parse Python source; `InvalidInput` with file and line when that is impossible."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source, filename=path)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise InvalidInput(
            f"cannot parse {path}{line}: {error.msg}", code="parse_failed", hint=_CORRECT
        ) from None
    except (ValueError, RecursionError, MemoryError) as error:
        reason = str(error) or "nested too deeply"
        raise InvalidInput(
            f"cannot parse {path}: {reason}", code="parse_failed", hint=_CORRECT
        ) from None


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
        computed_imports=tuple(_computed_imports(tree)) if b"import_" in source else (),
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
        if isinstance(statement, Scope | ast.ClassDef):
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
    name = _imported_by_call(node)
    if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
        return None
    level = len(name.value) - len(name.value.lstrip("."))
    return _absolute_module(name.value[level:], level, package)


def _computed_imports(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = _imported_by_call(node)
            if name is not None and not isinstance(name, ast.Constant):
                yield node.lineno


def _imported_by_call(node: ast.Call) -> ast.expr | None:
    """Return what stands for the name of the module in a call that imports; None for others."""
    parts = dotted_parts(node.func) or ("",)
    if parts[-1] not in {"import_module", "__import__"}:
        return None
    named = [item.value for item in node.keywords if item.arg == "name"]
    return next(iter([*node.args, *named]), None)


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
        for name, binding in bound_by(statement):
            found.setdefault(name, []).append(binding)
    return {name: tuple(items) for name, items in found.items()}


def bound_by(statement: ast.stmt) -> Iterator[tuple[str, Binding]]:
    if isinstance(statement, ast.ClassDef):
        yield statement.name, Binding("class", statement)
    elif isinstance(statement, Scope):
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
