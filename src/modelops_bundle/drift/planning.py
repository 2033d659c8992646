"""Plans that change the registry: computed from what is there, applied by somebody else."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.data_files import Found
from modelops_bundle.code.entries import CodeRecord, describe_entry
from modelops_bundle.code.fingerprint import find_definition, token_pairs
from modelops_bundle.drift.changes import Action, Change, Decision
from modelops_bundle.drift.differences import describe_changes
from modelops_bundle.drift.renames import Match
from modelops_bundle.drift.selecting import drop_name, follow_entry
from modelops_bundle.findings import Finding, sort_findings
from modelops_contracts.discovery import FoundModel
from modelops_contracts.errors import Conflict, InvalidInput
from modelops_contracts.registry import (
    BundleRegistry,
    CodeMode,
    Entry,
    Kind,
    ModelEntry,
    Move,
    Registration,
    TargetEntry,
)
from modelops_contracts.registry.ordering import put_in_order, rename_in_order


@dataclass(frozen=True, slots=True)
class RegisterOptions:
    """What a user may say when registering; None keeps what is recorded."""

    names: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    data: tuple[str, ...] | None = None
    code: tuple[str, ...] | None = None
    id: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    model_output: str | None = None
    auto_code: bool | None = None
    auto_data: bool | None = None
    code_mode: CodeMode | None = None


@dataclass(frozen=True, slots=True)
class RegistryPlan:
    """What the registry and the tracked list will be, and the changes that lead there.

    `guesses` are likely renames that need no answer, because nothing hangs on the entry.
    """

    registry: BundleRegistry
    changes: tuple[Change, ...]
    track: tuple[str, ...] = ()
    untrack: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    decisions: tuple[Decision, ...] = ()
    guesses: tuple[Decision, ...] = ()
    sketches: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def count(self, action: Action) -> int:
        """Return how many entries this happens to."""
        return sum(1 for change in self.changes if change.action == action)

    @property
    def changes_entries(self) -> bool:
        """True when some entry is added, changed, renamed, moved or removed."""
        return any(change.action not in {"unchanged", "new"} for change in self.changes)


class Planner:
    """Works on a copy of the registry and writes down what it does."""

    def __init__(self, codebase: Codebase, registry: BundleRegistry) -> None:
        self.codebase = codebase
        self.registry = copy.deepcopy(registry)
        self.changes: list[Change] = []
        self.findings: list[Finding] = []
        self.decisions: list[Decision] = []
        self.guesses: list[Decision] = []
        self.track: set[str] = set()
        self.untrack: set[str] = set()
        self.sketches: dict[str, Mapping[str, int]] = {}

    def entries(self, kind: Kind) -> dict[str, ModelEntry] | dict[str, TargetEntry]:
        """Return the section of one kind."""
        return self.registry.models if kind == "model" else self.registry.targets

    def ids_in(self, kind: Kind, path: str) -> list[str]:
        """Return the ids registered from one file."""
        return [key for key, item in self.entries(kind).items() if item.path.as_posix() == path]

    def put(
        self,
        found: Found,
        entry_id: str,
        registration: Registration,
        *,
        old_id: str | None = None,
        reasons: Sequence[str] = (),
    ) -> None:
        """Write the record of one definition under an id, replacing an older id if given."""
        kind: Kind = "model" if isinstance(found, FoundModel) else "target"
        entries = self.entries(kind)
        previous = entries.get(old_id or entry_id)
        record = describe_entry(
            self.codebase, found, registration, entry_id=entry_id, recorded=previous
        )
        self._refuse_collision(kind, entry_id, old_id, found)
        if isinstance(record.entry, TargetEntry) and not record.entry.model_output:
            self._refuse_unreadable(record, entry_id, found)
        self._keep_extra(record, previous)
        self._replace(kind, entry_id, old_id, record.entry)
        self._note(kind, entry_id, old_id, previous, record, reasons)

    def remove(self, kind: Kind, entry_id: str, reason: str) -> None:
        """Take an entry out of the registry and of all sets."""
        entry = self.entries(kind).pop(entry_id)
        left = self.registry.remove_target_from_sets(entry_id) if kind == "target" else []
        reasons = [reason, *(f"left set {name}" for name in left)]
        drop_name(self.registry, kind, entry)
        self.changes.append(
            Change("removed", kind, entry_id, entry.path.as_posix(), tuple(reasons),
                   symbol=entry.symbol)
        )  # fmt: skip

    def ask_or_remove(
        self, kind: Kind, entry_id: str, reason: str, likely: Sequence[Match]
    ) -> None:
        """Remove a lost entry; what it may have become is asked when something hangs on it."""
        entry = self.entries(kind)[entry_id]
        questions = [decision_for(kind, match) for match in likely]
        if has_something_to_lose(self.registry, entry_id, entry):
            self.decisions += questions
            hints: list[str] = []
        else:
            self.guesses += questions
            hints = [
                f"may have become {item.new_symbol} (similarity {item.similarity:.2f}): "
                f"mops bundle register-{kind} {item.new_path}"
                for item in questions
            ]
        self.remove(kind, entry_id, "; ".join([reason, *hints]))

    def finish(self) -> RegistryPlan:
        """Return the plan; the environment's digest follows what is declared now."""
        used = self.registry.models or self.registry.targets
        self.registry.environment = self.codebase.environment.record if used else None
        order: tuple[Action, ...] = (
            "added", "changed", "renamed", "moved", "removed", "unchanged", "new"
        )  # fmt: skip
        changes = sorted(self.changes, key=lambda c: (order.index(c.action), c.kind, c.id))
        return RegistryPlan(
            registry=self.registry,
            changes=tuple(changes),
            track=tuple(sorted(self.track)),
            untrack=tuple(sorted(self.untrack - self.track)),
            findings=tuple(sort_findings(self.findings)),
            decisions=tuple(self.decisions),
            guesses=tuple(self.guesses),
            sketches=self.sketches,
        )

    def _refuse_collision(
        self, kind: Kind, entry_id: str, old_id: str | None, found: Found
    ) -> None:
        other = self.entries(kind).get(entry_id)
        if other is None or old_id == entry_id or (old_id is None and _is_same(other, found)):
            return
        raise InvalidInput(
            f"{kind} id {entry_id!r} would name both {other.symbol} of {other.path.as_posix()} "
            f"and {found.name} of {found.path}",
            code="id_collision",
            hint=f"mops bundle register-{kind} {found.path} "
            f"{'--class' if kind == 'model' else '--target'} {found.name} --id ANOTHER_ID",
        )

    def _refuse_unreadable(self, record: CodeRecord, entry_id: str, found: Found) -> None:
        unreadable = [item for item in record.findings if item.code == "unreadable_value"]
        why = f": {unreadable[0]}" if unreadable else ""
        raise InvalidInput(
            f"{found.path}:{found.line}: target {entry_id} does not say which model output it "
            f"is compared with{why}",
            code="unreadable_value",
            hint=f"mops bundle register-target {found.path} --target {found.name} --output NAME",
        )

    def _keep_extra(self, record: CodeRecord, previous: Entry | None) -> None:
        if previous is not None:
            record.entry.extra = dict(previous.extra)

    def _replace(self, kind: Kind, entry_id: str, old_id: str | None, entry: Entry) -> None:
        section: dict[str, Entry] = self.entries(kind)  # type: ignore[assignment]
        if old_id is None or old_id == entry_id:
            put_in_order(section, entry_id, entry)
            return
        rename_in_order(section, old_id, entry_id, entry)
        if kind == "target":
            _rename_in_sets(self.registry, old_id, entry_id)

    def _note(
        self,
        kind: Kind,
        entry_id: str,
        old_id: str | None,
        previous: Entry | None,
        record: CodeRecord,
        reasons: Sequence[str],
    ) -> None:
        entry = record.entry
        self.track.update(record.shipped)
        self.findings.extend(record.findings)
        self._remember_sketch(entry)
        if previous is None:
            action: Action = "added"
            found_reasons: tuple[str, ...] = ()
        elif old_id is not None:
            stays = previous.symbol == entry.symbol and previous.path != entry.path
            action = "moved" if stays else "renamed"
            found_reasons = self._record_move(kind, old_id, entry_id, previous, entry)
        else:
            found_reasons = tuple(describe_changes(previous, entry))
            action = "changed" if previous.to_dict() != entry.to_dict() else "unchanged"
        self.changes.append(
            Change(action, kind, entry_id, entry.path.as_posix(), (*reasons, *found_reasons),
                   old_id, entry.symbol)
        )  # fmt: skip

    def _record_move(
        self, kind: Kind, old_id: str, new_id: str, previous: Entry, entry: Entry
    ) -> tuple[str, ...]:
        stays = self.codebase.is_file(previous.path.as_posix())
        follow_entry(self.registry, kind, previous, entry, old_file_stays=stays)
        if old_id != new_id:
            move = Move(
                kind=kind, old=old_id, new=new_id,
                old_entrypoint=previous.entrypoint, new_entrypoint=entry.entrypoint,
            )  # fmt: skip
            kept = [m for m in self.registry.moved if not _undoes(m, move)]
            self.registry.moved = [*kept, move]
        reasons = []
        if previous.path != entry.path:
            reasons.append(f"{previous.path.as_posix()} -> {entry.path.as_posix()}")
            self.untrack.add(previous.path.as_posix())
        if isinstance(entry, TargetEntry):
            reasons += _kept_in_sets(self.registry, new_id)
        return tuple(reasons)

    def _remember_sketch(self, entry: Entry) -> None:
        tree = self.codebase.facts(entry.path.as_posix()).tree
        node = find_definition(tree, entry.symbol)
        if node is not None and entry.body is not None:
            self.sketches[entry.body] = dict(token_pairs(node, entry.symbol))


def _kept_in_sets(registry: BundleRegistry, target_id: str) -> Iterator[str]:
    """Yield what a target keeps of its sets, in a few words."""
    sets = {name: group for name, group in registry.target_sets.items()
            if target_id in group.targets}  # fmt: skip
    if sets:
        yield f"sets: {', '.join(sets)}"
    weights = {name: group.weights[target_id] for name, group in sets.items()
               if target_id in group.weights}  # fmt: skip
    if len(set(weights.values())) == 1 and len(weights) == len(sets):
        yield f"weight {next(iter(weights.values()))} kept"
    elif weights:
        listed = ", ".join(f"{weight} in {name}" for name, weight in weights.items())
        yield f"weights {listed} kept"


def decision_for(kind: Kind, match: Match) -> Decision:
    """Return the question that a probable rename raises."""
    new = match.candidate
    return Decision(
        kind=kind,
        old_id=match.lost.id,
        new_symbol=new.symbol,
        new_path=new.path,
        similarity=match.similarity,
        command=f"mops bundle refresh --rename {match.lost.id}={new.symbol}",
    )


def has_something_to_lose(registry: BundleRegistry, entry_id: str, entry: Entry) -> bool:
    """True when removing an entry would lose a set membership or a choice of the user."""
    in_sets = isinstance(entry, TargetEntry) and any(
        entry_id in group.targets for group in registry.target_sets.values()
    )
    return in_sets or bool(entry.registration.to_dict())


def _undoes(earlier: Move, later: Move) -> bool:
    if earlier.kind != later.kind:
        return False
    return (earlier.old, earlier.new) == (later.new, later.old) or earlier.old == later.old


def _rename_in_sets(registry: BundleRegistry, old: str, new: str) -> None:
    for group in registry.target_sets.values():
        group.targets = [new if member == old else member for member in group.targets]
        group.weights = {new if key == old else key: v for key, v in group.weights.items()}


def _is_same(entry: Entry, found: Found) -> bool:
    return (entry.path.as_posix(), entry.symbol) == (found.path, found.name)


def refuse_open_decisions(plan: RegistryPlan) -> None:
    """Raise `Conflict` (exit code 3) when the plan needs an answer first."""
    if plan.decisions:
        listed = "; ".join(
            f"{item.old_id} may have become {item.new_symbol} of {item.new_path} "
            f"(similarity {item.similarity:.2f})"
            for item in plan.decisions
        )
        raise Conflict(
            f"a decision is needed: {listed}",
            code="rename_undecided",
            hint=f"{plan.decisions[0].command}, or mops bundle refresh --no-renames",
            exit_code=3,
        )
