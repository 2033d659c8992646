"""What is known of lost entries and of the definitions that may have replaced them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.data_files import Found
from modelops_bundle.code.fingerprint import (
    body_fingerprint,
    count_tokens,
    find_definition,
    token_pairs,
)
from modelops_bundle.drift.renames import Candidate, Lost
from modelops_contracts.discovery import FoundTarget
from modelops_contracts.registry import BundleRegistry, Entry, Kind, TargetEntry


def lost_entry(codebase: Codebase, kind: Kind, entry_id: str, entry: Entry) -> Lost:
    """Return what is still known of an entry whose definition is gone."""
    sketch = codebase.cache.peek("sketch", entry.body) if entry.body else None
    path = entry.path.as_posix()
    return Lost(
        id=entry_id,
        path=path,
        symbol=entry.symbol,
        body=entry.body,
        sketch=Counter(sketch) if isinstance(sketch, dict) else None,
        facets=_facets_of(entry),
        file_gone=not codebase.is_file(path),
    )


def candidate_of(codebase: Codebase, found: Found) -> Candidate:
    """Return what matching needs to know of a definition."""
    tree = codebase.facts(found.path).tree
    node = find_definition(tree, found.name)
    return Candidate(
        path=found.path,
        symbol=found.name,
        body=body_fingerprint(tree, found.name),
        explicit_name=found.explicit_name if isinstance(found, FoundTarget) else None,
        tokens=count_tokens(node) if node is not None else 0,
        sketch=token_pairs(node, found.name) if node is not None else Counter(),
        facets=_facets_of_found(found),
    )


def _facets_of(entry: Entry) -> frozenset[str]:
    if isinstance(entry, TargetEntry):
        named = [f"data:{path.as_posix()}" for path in entry.data]
        return frozenset({f"output:{entry.model_output}", *named})
    return frozenset(f"output:{name}" for name in entry.outputs)


def _facets_of_found(found: Found) -> frozenset[str]:
    if isinstance(found, FoundTarget):
        return frozenset({f"output:{found.model_output}", *(f"data:{item}" for item in found.data)})
    return frozenset(f"output:{name}" for name in found.outputs)


def follow_moves(registry: BundleRegistry, kind: Kind, name: str) -> str | None:
    """Return the id that a name leads to through recorded moves; None when it leads nowhere."""
    section: Mapping[str, Entry] = registry.models if kind == "model" else registry.targets
    seen: set[str] = set()
    while name not in section:
        nexts = [move.new for move in registry.moved if (move.kind, move.old) == (kind, name)]
        if not nexts or name in seen:
            return None
        seen.add(name)
        name = nexts[-1]
    return name
