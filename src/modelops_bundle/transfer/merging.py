"""Three-way comparison of a project, a bundle, and what both last agreed on; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from modelops_bundle.diff import State
from modelops_contracts.registry.ordering import put_in_order

Cause = Literal["both changed", "deleted here", "deleted there", "undone there", "untracked"]
Side = Literal["local", "remote"]
Facts = tuple[str, str] | None

DIGEST_KEYS = frozenset({
    "digest", "model_digest", "target_digest", "data_digests", "code_digests", "fingerprint",
    "body", "code_fingerprints",
})  # fmt: skip
_SECTIONS = ("models", "targets", "target_sets", "sources")


@dataclass(frozen=True, slots=True)
class FileConflict:
    """A file that both sides changed, each in its own way."""

    path: str
    cause: Cause

    def __str__(self) -> str:
        return f"{self.path} ({self.cause})"


@dataclass(frozen=True, slots=True)
class FilePlan:
    """What a pull does to files, each list sorted.

    `take` are written or replaced, `adopt` are there already and become tracked, `delete` go,
    `keep` differ from the bundle because of a change made here, `removed` were deleted here only.
    """

    take: tuple[str, ...] = ()
    adopt: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    conflicts: tuple[FileConflict, ...] = ()


def plan_files(
    local: State,
    remote: State,
    base: State,
    disk: State,
    replaced: Mapping[str, Facts] | None = None,
) -> FilePlan:
    """Decide for every path; each state is `path -> (sha256, mode)`.

    `local` holds the tracked files, `disk` those and every other file at a path of `remote`.
    Untracked files are never written over or deleted. `replaced` is what our own push replaced:
    where the bundle has that again, somebody pushed without having seen ours, and we ask.
    """
    undone = {
        path for path, was in (replaced or {}).items() if path in base and remote.get(path) == was
    }
    found: dict[str, list[str]] = {
        key: [] for key in ("take", "adopt", "delete", "keep", "removed")
    }
    conflicts: list[FileConflict] = []
    for path in sorted({*local, *remote, *base}):
        decision = _decide(local.get(path), remote.get(path), base.get(path), disk.get(path))
        if path in undone and decision in {"take", "delete"}:
            decision = "undone there"
        if decision in found:
            found[decision].append(path)
        elif decision:
            conflicts.append(FileConflict(path, decision))  # type: ignore[arg-type]
    return FilePlan(
        conflicts=tuple(conflicts), **{key: tuple(paths) for key, paths in found.items()}
    )


def _decide(local: Facts, remote: Facts, base: Facts, disk: Facts) -> str:
    if local == remote:
        return ""
    if local is None and disk is not None and remote is not None and remote != base:
        return "adopt" if disk == remote else "untracked"
    if local == base:
        return "take" if remote is not None else "delete"
    if remote == base:
        return "keep" if local is not None else "removed"
    if local is None:
        return "deleted here"
    return "deleted there" if remote is None else "both changed"


@dataclass(frozen=True, slots=True)
class ThreeWay:
    """How a project and a bundle differ, each list sorted."""

    local_only: tuple[str, ...]
    remote_only: tuple[str, ...]
    modified_locally: tuple[str, ...]
    modified_remotely: tuple[str, ...]
    deleted_locally: tuple[str, ...]
    deleted_remotely: tuple[str, ...]
    conflicts: tuple[FileConflict, ...]


def compare_three(
    local: State, remote: State, base: State, replaced: Mapping[str, Facts] | None = None
) -> ThreeWay:
    """Group the paths that differ by who changed them."""
    plan = plan_files(local, remote, base, local, replaced)
    return ThreeWay(
        local_only=tuple(path for path in plan.keep if path not in base),
        remote_only=tuple(path for path in plan.take if path not in base),
        modified_locally=tuple(path for path in plan.keep if path in base),
        modified_remotely=tuple(path for path in plan.take if path in base),
        deleted_locally=plan.removed,
        deleted_remotely=plan.delete,
        conflicts=plan.conflicts,
    )


def merge_registries(
    local: Mapping[str, Any],
    remote: Mapping[str, Any],
    base: Mapping[str, Any],
    *,
    prefer: Side | None = None,
    replaced: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Merge two registries as plain data, entry by entry; return the result and the conflicts.

    `replaced` is the registry that our own push replaced: an entry that is again as in it was
    undone by somebody who had not seen the push, which is a conflict.

    Digests are no conflict: they are computed again from the files. `prefer` decides for one side
    where both changed an entry; nothing is a conflict then.
    """
    merged: dict[str, Any] = dict(local)
    conflicts: list[str] = []
    for section in _SECTIONS:
        here, there, before = (side.get(section) or {} for side in (local, remote, base))
        was = replaced.get(section) or {} if replaced is not None else None
        result, clashes = _merge_section(here, there, before, prefer, was)
        conflicts += [f"{section}.{key}" for key in clashes]
        if result or section in local:
            merged[section] = result
    here, there, before = (_by_origin(side.get("moved") or []) for side in (local, remote, base))
    moved, _ = _merge_section(here, there, before, prefer or "local")
    if moved:
        merged["moved"] = list(moved.values())
    if local.get("environment") == base.get("environment") and remote.get("environment"):
        merged["environment"] = remote["environment"]
    return merged, tuple(conflicts)


def _by_origin(moves: list[Mapping[str, Any]]) -> dict[str, Any]:
    return {f"{move.get('kind')} {move.get('from')}": move for move in moves}


def _merge_section(
    local: Mapping[str, Any], remote: Mapping[str, Any], base: Mapping[str, Any],
    prefer: Side | None, replaced: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], list[str]]:  # fmt: skip
    merged: dict[str, Any] = {}
    clashes: list[str] = []
    for key in dict.fromkeys([*local, *remote]):
        here, there, before = local.get(key), remote.get(key), base.get(key)
        undone = replaced is not None and _is_undone(there, before, replaced.get(key))
        chosen = here
        if _essence(here) == _essence(before) and not undone:
            chosen = there
        elif _essence(there) not in (_essence(before), _essence(here)):
            chosen = there if prefer == "remote" else here
            if prefer is None:
                clashes.append(key)
        if chosen is not None and key in local:
            merged[key] = chosen
        elif chosen is not None:
            put_in_order(merged, key, chosen)
    return merged, clashes


def _is_undone(there: Any, before: Any, was: Any) -> bool:
    """True when the other side has again what our push had replaced."""
    return bool(_essence(there) == _essence(was) != _essence(before))


def _essence(entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {key: value for key, value in entry.items() if key not in DIGEST_KEYS}
