"""The model classes of a source file."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from modelops_contracts.discovery.constants import read_constant
from modelops_contracts.discovery.facts import (
    Lookup,
    ModuleFacts,
    Note,
    Scope,
    bound_by,
    dotted_parts,
    no_other_files,
)
from modelops_contracts.discovery.names import Symbol, resolve
from modelops_contracts.errors import InvalidInput

DEFAULT_SCENARIO = "baseline"


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


def _nearest_methods(lineage: _Lineage) -> Iterator[tuple[ModuleFacts, Scope]]:
    """Methods as the class has them: any value of that name in a nearer class takes its place."""
    seen: set[str] = set()
    for facts, node in lineage.classes:
        last = {name: binding.node for item in node.body for name, binding in bound_by(item)}
        for name, bound in last.items():
            if name not in seen and isinstance(bound, Scope):
                yield facts, bound
        seen.update(last)


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
            for bound, binding in bound_by(statement):
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
        name for _, cls in lineage.classes for item in cls.body for name, _ in bound_by(item)
    }
    return not {"build_sim", "run_sim"} <= defined


def _names_abc(node: ast.expr, facts: ModuleFacts, lookup: Lookup) -> bool:
    parts = _base_parts(node)
    return parts is not None and resolve(parts, facts, lookup).name in {"abc.ABC", "abc.ABCMeta"}


def _is_abstract_method(method: Scope) -> bool:
    names = [(dotted_parts(item) or ("",))[-1] for item in method.decorator_list]
    return any(name in {"abstractmethod", "abstractproperty"} for name in names)
