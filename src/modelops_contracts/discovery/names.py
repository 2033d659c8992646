"""Following a dotted name through the files of a project to where it is defined."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from modelops_contracts.discovery.facts import Binding, Import, Lookup, ModuleFacts, dotted_parts

SUITE_PACKAGES = frozenset({"modelops_calabaria", "calabaria"})
LONGEST_CHAIN = 64


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


def resolve(parts: Sequence[str], facts: ModuleFacts, lookup: Lookup) -> Symbol:
    """Follow a dotted name used at module level of a file to where it is defined."""
    return _resolve(tuple(parts), facts, lookup, frozenset())


def _resolve(
    parts: tuple[str, ...], facts: ModuleFacts, lookup: Lookup, seen: frozenset[tuple[str, str]]
) -> Symbol:
    head, rest = parts[0], parts[1:]
    mark = (facts.path, head)
    unbound = Symbol("unbound", ".".join(parts))
    if mark in seen or len(seen) > LONGEST_CHAIN:
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
