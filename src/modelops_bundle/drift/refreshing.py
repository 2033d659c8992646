"""Plans that make the whole registry follow the code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.data_files import Found
from modelops_bundle.code.entries import derive_id
from modelops_bundle.code.fingerprint import similarity
from modelops_bundle.drift.candidates import candidate_of, follow_moves, lost_entry
from modelops_bundle.drift.changes import Change, Decision
from modelops_bundle.drift.checked import CheckedEntry
from modelops_bundle.drift.checking import (
    check_registry,
    find_symbol,
    is_named,
    unverified_symbol,
)
from modelops_bundle.drift.choices import choices_to_record
from modelops_bundle.drift.planning import Planner, RegisterOptions, RegistryPlan
from modelops_bundle.drift.registration import choose_id, definitions_of
from modelops_bundle.drift.renames import Candidate, Lost, Match, is_only_proposal, match_renames
from modelops_bundle.findings import Finding
from modelops_contracts.errors import InvalidInput, NotFound, nearest
from modelops_contracts.places import REGISTRY_PATH
from modelops_contracts.registry import (
    BundleRegistry,
    Entry,
    Kind,
    ModelEntry,
    Registration,
    TargetSet,
)


@dataclass(frozen=True, slots=True)
class RefreshOptions:
    """How a refresh treats renames and new definitions."""

    renames: Mapping[str, str] = field(default_factory=dict)
    accept_renames: bool = False
    follow_renames: bool = True
    add_new: bool = False


def plan_refresh(
    codebase: Codebase, registry: BundleRegistry, options: RefreshOptions | None = None
) -> RegistryPlan:
    """Plan how the registry follows the code, all files at once.

    A rename that is probable only, and whose entry has something to lose, becomes a decision; a
    plan with decisions must not be applied. Entries of a file that does not parse stay as they
    are and are reported.
    """
    wanted = options or RefreshOptions()
    planner = Planner(codebase, registry)
    checked = check_registry(codebase, registry).entries
    _check_renames(planner, checked, wanted)
    kinds: tuple[Kind, ...] = ("model", "target")
    for kind in kinds:
        _refresh_kind(planner, kind, [item for item in checked if item.kind == kind], wanted)
    _clean_sets(planner)
    _forget_sources(planner)
    return planner.finish()


def _refresh_kind(
    planner: Planner, kind: Kind, checked: Sequence[CheckedEntry], options: RefreshOptions
) -> None:
    new = _unregistered(planner, kind, checked)
    matches, likely = _match_lost(planner, kind, checked, new, options)
    used = {(m.candidate.path, m.candidate.symbol) for m in matches.values()}
    for item in checked:
        questions = [match for match in likely if match.lost.id == item.id]
        _refresh_entry(planner, item, matches.get(item.id), questions, new)
    for found in new:
        if (found.path, found.name) not in used:
            _offer_new(planner, kind, found, options)


def _named(planner: Planner, entry: Entry) -> bool:
    return isinstance(entry, ModelEntry) and is_named(planner.registry, entry)


def _refresh_entry(
    planner: Planner,
    item: CheckedEntry,
    match: Match | None,
    likely: Sequence[Match],
    new: Sequence[Found],
) -> None:
    if item.broken:
        planner.findings.extend(item.findings)
        return
    if match is not None:
        found = next(
            f for f in new if (f.path, f.name) == (match.candidate.path, match.candidate.symbol)
        )
        registration = choices_to_record(planner.codebase, found, item.entry)
        entry_id = choose_id(found, item.id, item.entry, registration, RegisterOptions())
        planner.put(found, entry_id, registration, old_id=item.id, reasons=_why(match))
        change = planner.changes[-1]
        planner.changes[-1] = replace(change, certain=match.certain, similarity=_similarity(match))
        return
    if item.lost:
        reason = str(item.findings[0]).partition(": ")[2]
        planner.ask_or_remove(item.kind, item.id, reason, likely)
        planner.untrack.update(
            {item.entry.path.as_posix()}
            if not planner.codebase.is_file(item.entry.path.as_posix())
            else ()
        )
        return
    if item.record is None:  # its place in the registry is wrong; the finding says how
        planner.findings.extend(item.findings)
        return
    path, symbol = item.entry.path.as_posix(), item.entry.symbol
    named = _named(planner, item.entry)
    known = find_symbol(planner.codebase, item.kind, path, symbol, named=named)
    known = known or unverified_symbol(planner.codebase, item.entry)
    assert known is not None, "an entry that was described has a definition"
    registration = choices_to_record(planner.codebase, known, item.entry)
    entry_id = choose_id(known, item.id, item.entry, registration, RegisterOptions())
    planner.put(known, entry_id, registration, old_id=None if entry_id == item.id else item.id)


def _why(match: Match) -> tuple[str, ...]:
    if _is_same_body(match):
        return ("same body",)
    return () if match.lost.sketch is None else (f"similarity {_similarity(match):.2f}",)


def _is_same_body(match: Match) -> bool:
    return match.lost.body is not None and match.lost.body == match.candidate.body


def _similarity(match: Match) -> float:
    if _is_same_body(match) or match.lost.sketch is None:
        return match.similarity
    return similarity(match.lost.sketch, match.candidate.sketch)


def _unregistered(planner: Planner, kind: Kind, checked: Sequence[CheckedEntry]) -> list[Found]:
    registered = {(item.entry.path.as_posix(), item.entry.symbol) for item in checked}
    paths = {path for path, _ in registered} | set(planner.registry.sources)
    if any(item.lost for item in checked):
        paths |= {path for path in planner.codebase.ignore.walk() if path.endswith(".py")}
    found: list[Found] = []
    for path in sorted(paths):
        if not planner.codebase.is_file(path) or not _mentions(planner.codebase, kind, path):
            continue
        try:
            items = definitions_of(planner.codebase, kind, path, planner.registry)
        except InvalidInput:
            continue
        found += [item for name, item in items.items() if (path, name) not in registered]
    return found


def _mentions(codebase: Codebase, kind: Kind, path: str) -> bool:
    return b"class " in codebase.source(path) if kind == "model" else b"@" in codebase.source(path)


def _match_lost(
    planner: Planner,
    kind: Kind,
    checked: Sequence[CheckedEntry],
    new: Sequence[Found],
    options: RefreshOptions,
) -> tuple[dict[str, Match], list[Match]]:
    """Return what is followed, by the id that is lost, and what is likely only."""
    lost = [
        lost_entry(planner.codebase, kind, item.id, item.entry) for item in checked if item.lost
    ]
    candidates = [candidate_of(planner.codebase, item) for item in new]
    chosen = _explicit_matches(lost, candidates, options)
    taken = {id(match.candidate) for match in chosen.values()}
    matches = match_renames(
        [item for item in lost if item.id not in chosen],
        [item for item in candidates if id(item) not in taken],
    )
    if not options.follow_renames:
        return chosen, []
    proposals = [match for match in matches if not match.certain]
    if options.accept_renames:
        accepted = [match for match in proposals if is_only_proposal(match, proposals)]
        proposals = [match for match in proposals if match not in accepted]
        matches = [match for match in matches if match not in proposals]
    chosen |= {match.lost.id: match for match in matches if match not in proposals}
    return chosen, proposals


def _explicit_matches(
    lost: Sequence[Lost], candidates: Sequence[Candidate], options: RefreshOptions
) -> dict[str, Match]:
    chosen: dict[str, Match] = {}
    for item in lost:
        wanted = options.renames.get(item.id)
        if wanted is None:
            continue
        fitting = [c for c in candidates if wanted in {c.symbol, c.explicit_name}]
        if len(fitting) == 1:
            chosen[item.id] = Match(item, fitting[0], certain=True)
            continue
        listed = ", ".join(f"{c.symbol} ({c.path})" for c in fitting or candidates) or "none"
        raise NotFound(
            f"--rename {item.id}={wanted}: "
            + ("several definitions fit" if fitting else "no unregistered definition of that name"),
            hint=f"unregistered: {listed}",
        )
    return chosen


def _check_renames(
    planner: Planner, checked: Sequence[CheckedEntry], options: RefreshOptions
) -> None:
    _refuse_renames_of_the_present(checked, options)
    known = {**planner.registry.models, **planner.registry.targets}
    for old in options.renames:
        if old not in known:
            close = nearest(old, known)
            raise NotFound(
                f"--rename {old}=…: no entry {old} is registered",
                hint=f"did you mean {', '.join(close)}?" if close else "mops bundle list",
            )


def _refuse_renames_of_the_present(
    checked: Sequence[CheckedEntry], options: RefreshOptions
) -> None:
    lost = {item.id for item in checked if item.lost}
    for item in checked:
        if item.id in options.renames and item.id not in lost:
            raise InvalidInput(
                f"--rename {item.id}={options.renames[item.id]}: {item.entry.symbol} has not gone "
                f"from {item.entry.path.as_posix()}",
                code="rename_of_present",
                hint="mops bundle status",
            )


def _offer_new(planner: Planner, kind: Kind, found: Found, options: RefreshOptions) -> None:
    source = planner.registry.sources.get(found.path)
    selected = (source.models if kind == "model" else source.targets) if source else None
    if selected != "all" or (source and found.name in source.exclude) or not found.selectable:
        return
    if options.add_new:
        planner.put(found, derive_id(found), Registration())
        return
    planner.changes.append(Change("new", kind, derive_id(found), found.path, symbol=found.name))


def _forget_sources(planner: Planner) -> None:
    """What was selected of a file that is gone selects nothing any more."""
    for path in list(planner.registry.sources):
        if not planner.codebase.is_file(path):
            del planner.registry.sources[path]


def _clean_sets(planner: Planner) -> None:
    """Sets that name what is not there: by hand, or by whoever removed it; each loss is told."""
    for name, group in planner.registry.target_sets.items():
        reasons = _clean_members(planner.registry, group)
        strangers = [key for key in group.weights if key not in group.targets]
        for member in strangers:
            del group.weights[member]
            reasons.append(f"weight of {member} dropped: not in the set")
        if reasons:
            planner.changes.append(Change("changed", "set", name, REGISTRY_PATH, tuple(reasons)))


def _clean_members(registry: BundleRegistry, group: TargetSet) -> list[str]:
    """Follow recorded renames and drop unknown members; return what was done, in words."""
    reasons, members = [], []
    for member in group.targets:
        current = follow_moves(registry, "target", member)
        if current is None:
            reasons.append(f"unknown target {member} left")
            group.weights.pop(member, None)
            continue
        if current != member:
            reasons.append(f"{member} -> {current}")
            if member in group.weights:
                group.weights.setdefault(current, group.weights.pop(member))
        if current not in members:
            members.append(current)
    group.targets = members
    return reasons


def name_commands(
    findings: Sequence[Finding], decisions: Sequence[Decision]
) -> tuple[Finding, ...]:
    """Return the findings; those that a decision settles name the command that takes it."""
    commands: dict[tuple[str, str], str] = {}
    for item in decisions:
        commands.setdefault((item.kind, item.old_id), item.command)
    return tuple(
        item.with_hint(commands[item.kind, item.id], fix="decide")
        if (item.kind, item.id) in commands and item.fix == "refresh"
        else item
        for item in findings
    )
