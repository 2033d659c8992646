"""Every component of an entry with what is recorded of it and what it is now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from modelops_bundle.code.imports import find_chain
from modelops_bundle.registry import load_registry

if TYPE_CHECKING:
    from modelops_bundle.code.codebase import Codebase
    from modelops_bundle.drift.checked import CheckedEntry
    from modelops_bundle.project.project import Project
    from modelops_contracts.places import Kind
    from modelops_contracts.registry import Entry

Word = Literal["same", "format only", "changed", "missing"]


@dataclass(frozen=True, slots=True)
class Explained:
    """One component: own code, a file it imports (with the way there), data, or environment."""

    component: str
    path: str
    chain: tuple[str, ...]
    recorded: str | None
    current: str | None
    word: Word


def explain_entries(project: Project) -> dict[tuple[Kind, str], tuple[Explained, ...]]:
    """Return the components of every registered entry; reads the project, runs nothing."""
    from modelops_bundle.code.codebase import open_codebase
    from modelops_bundle.preflight import run_preflight

    codebase = open_codebase(project)
    registry = load_registry(project.root, cache=codebase.cache)
    environment = registry.environment.digest if registry.environment is not None else None
    checked = run_preflight(project, codebase, registry).checked.entries
    found = {
        (item.kind, item.id): tuple(_components(codebase, item, environment)) for item in checked
    }
    codebase.save()
    return found


def _components(
    codebase: Codebase, item: CheckedEntry, environment: str | None
) -> Iterator[Explained]:
    recorded = item.entry
    current: Entry | None = item.record.entry if item.record is not None else None
    path = recorded.path.as_posix()
    yield Explained(
        "own", path, (), recorded.fingerprint, current.fingerprint if current else None,
        _word(
            (recorded.fingerprint, recorded.raw_digest),
            (current.fingerprint, current.raw_digest) if current else (None, None),
        ),
    )  # fmt: skip
    yield from _code(codebase, recorded, current)
    yield from _data(recorded, current)
    now = codebase.environment.record.digest
    yield Explained("environment", "", (), environment, now, _word((environment, ""), (now, "")))


def _code(codebase: Codebase, recorded: Entry, current: Entry | None) -> Iterator[Explained]:
    now: Mapping[str, str] = current.code_fingerprints if current else {}
    raw: Mapping[str, str] = current.code_digests if current else {}
    start = recorded.path.as_posix()
    for path in sorted({**recorded.code_fingerprints, **now}):
        yield Explained(
            "code", path, find_chain(codebase, start, path),
            recorded.code_fingerprints.get(path), now.get(path),
            _word(
                (recorded.code_fingerprints.get(path), recorded.code_digests.get(path)),
                (now.get(path), raw.get(path)),
            ),
        )  # fmt: skip


def _data(recorded: Entry, current: Entry | None) -> Iterator[Explained]:
    now: Mapping[str, str] = current.data_digests if current else {}
    for path in sorted({**recorded.data_digests, **now}):
        before, after = recorded.data_digests.get(path), now.get(path)
        yield Explained("data", path, (), before, after, _word((before, ""), (after, "")))


def _word(recorded: tuple[str | None, str | None], current: tuple[str | None, str | None]) -> Word:
    """Compare fingerprint and raw digest, in this order."""
    if current[0] is None:
        return "missing"
    if recorded[0] != current[0]:
        return "changed"
    return "same" if recorded[1] == current[1] else "format only"
