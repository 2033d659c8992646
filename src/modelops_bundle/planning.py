"""Plans that change the registry: computed from what is there, applied by somebody else."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from modelops_bundle.candidates import candidate_of, lost_entry
from modelops_bundle.changes import Action, Change, Decision
from modelops_bundle.checking import (
    effective_registration,
    find_symbol,
    is_named,
    models_of,
    targets_of,
    unverified_symbol,
)  # fmt: skip
from modelops_bundle.codebase import Codebase
from modelops_bundle.entries import CodeRecord, Found, derive_id, describe_entry
from modelops_bundle.findings import Finding, sort_findings
from modelops_bundle.fingerprint import find_definition, token_pairs
from modelops_bundle.renames import Match, match_renames
from modelops_contracts.discovery import FoundModel, FoundTarget
from modelops_contracts.errors import Conflict, InvalidInput, NotFound, nearest
from modelops_contracts.registry import (
    BundleRegistry,
    CodeMode,
    Entry,
    Kind,
    ModelEntry,
    Move,
    Registration,
    Source,
    TargetEntry,
)

ONLY_BYTES = "file digest"  # comments, layout, or other definitions of its files


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
        self._drop_source_name(kind, entry)
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
        section = self.registry.models if kind == "model" else self.registry.targets
        target: dict[str, Entry] = section  # type: ignore[assignment]
        if old_id is None or old_id == entry_id:
            target[entry_id] = entry
            return
        renamed = {entry_id if key == old_id else key: item for key, item in target.items()}
        renamed[entry_id] = entry
        target.clear()
        target.update(renamed)
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
            action = "renamed" if previous.symbol != entry.symbol else "moved"
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
        self._rename_in_sources(kind, previous, entry)
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
            sets = [n for n, group in self.registry.target_sets.items() if new_id in group.targets]
            if sets:
                reasons.append(f"sets: {', '.join(sets)}")
        return tuple(reasons)

    def _rename_in_sources(self, kind: Kind, previous: Entry, entry: Entry) -> None:
        was = self.registry.sources.get(previous.path.as_posix())
        selected = (was.models if kind == "model" else was.targets) if was is not None else None
        if isinstance(selected, list):
            self._drop_source_name(kind, previous)
            self.select(kind, entry.path.as_posix(), [entry.symbol])
        elif previous.path != entry.path:
            self._follow_file(kind, previous.path.as_posix(), entry)

    def _follow_file(self, kind: Kind, old_path: str, entry: Entry) -> None:
        """Select what moved; all of the new file when the whole old one became it."""
        path = entry.path.as_posix()
        was = self.registry.sources.get(old_path, Source())
        now = self.registry.sources.get(path, Source())
        before, after = (was.models, now.models) if kind == "model" else (was.targets, now.targets)
        if self.codebase.is_file(old_path) or before != "all" or isinstance(after, list):
            self.select(kind, path, [entry.symbol])
            return
        self.select(kind, path, [])
        new = self.registry.sources[path]
        new.exclude = sorted({*new.exclude, *was.exclude})

    def _drop_source_name(self, kind: Kind, entry: Entry) -> None:
        source = self.registry.sources.get(entry.path.as_posix())
        if source is None:
            return
        selected = source.models if kind == "model" else source.targets
        if isinstance(selected, list):
            selected = [name for name in selected if name != entry.symbol] or None
        self._set_source(kind, entry.path.as_posix(), selected)

    def select(self, kind: Kind, path: str, names: Sequence[str]) -> None:
        """Record that the user chose these names of a file; none means all of them."""
        source = self.registry.sources.setdefault(path, Source())
        selected = source.models if kind == "model" else source.targets
        if not names:
            self._set_source(kind, path, "all")
        elif selected != "all":
            self._set_source(kind, path, list(dict.fromkeys([*(selected or ()), *names])))

    def _set_source(
        self, kind: Kind, path: str, selected: Literal["all"] | list[str] | None
    ) -> None:
        source = self.registry.sources[path]
        if kind == "model":
            source.models = selected
        else:
            source.targets = selected
        if source == Source():
            del self.registry.sources[path]

    def _remember_sketch(self, entry: Entry) -> None:
        tree = self.codebase.facts(entry.path.as_posix()).tree
        node = find_definition(tree, entry.symbol)
        if node is not None and entry.body is not None:
            self.sketches[entry.body] = dict(token_pairs(node, entry.symbol))


# --- registering one file --------------------------------------------------------------------


def plan_registration(
    codebase: Codebase,
    registry: BundleRegistry,
    kind: Kind,
    path: str,
    options: RegisterOptions,
) -> RegistryPlan:
    """Plan what registering one file does; only entries of that file are touched.

    Without names the whole file is meant: new definitions are added, known ones updated, certain
    renames followed, and entries whose definition is gone are removed. With names only those are
    touched, and the entry that a named one certainly replaces.
    Raises `NotFound` for a missing file or an unknown name, `InvalidInput` for a file that does
    not parse, an id taken twice, or a value that cannot be read.
    """
    planner = Planner(codebase, registry)
    found = definitions_of(codebase, kind, path, registry)
    known = {planner.entries(kind)[key].symbol for key in planner.ids_in(kind, path)}
    named = _choose(codebase, kind, path, found, options, known)
    chosen = _select(planner, kind, path, named, options)
    matches = _matches_in_file(planner, kind, path, found)
    _refuse_many_ids(chosen, options)
    replaced: set[str] = set()
    for item in chosen:
        match = next((m for m in matches if m.certain and m.candidate.symbol == item.name), None)
        _register(planner, kind, item, options, match)
        replaced.update({match.lost.id} if match is not None else ())
    _drop_lost(planner, kind, path, found, options, matches, replaced)
    if chosen or options.names:
        planner.select(kind, path, options.names)
    elif not options.exclude:
        planner.findings.append(_nothing_found(kind, path, found))
    _record_exclusions(planner, kind, path, options)
    planner.track.add(".modelops-bundle/registry.yaml")
    return planner.finish()


def _nothing_found(kind: Kind, path: str, found: Mapping[str, Found]) -> Finding:
    wanted = (
        "class that inherits from modelops_calabaria.BaseModel"
        if kind == "model"
        else "function decorated with @calibration_target"
    )
    option = "--class" if kind == "model" else "--target"
    left = next(iter(found), None)
    why = "abstract, private or excluded" if left is not None else f"it has no {wanted}"
    hint = f"mops bundle register-{kind} {path} {option} {left}" if left is not None else ""
    return Finding(
        f"no {kind} to register in {path}: {', '.join(found) + ' is ' if found else ''}{why}",
        code="nothing_found", severity="warning", kind=kind, path=path, fix="edit", hint=hint,
    )  # fmt: skip


def definitions_of(
    codebase: Codebase, kind: Kind, path: str, registry: BundleRegistry
) -> dict[str, Found]:
    """Return the models or targets of a file by name; `NotFound` when there is no such file."""
    if not codebase.is_file(path):
        entries: list[Entry] = [*registry.models.values(), *registry.targets.values()]
        users = [item for item in entries if item.path.as_posix() == path]
        hint = "mops bundle refresh" if users else "name an existing Python file"
        raise NotFound(f"file {path} not found", code="file_missing", hint=hint)
    if kind == "model":
        return dict(codebase.once(models_of, path))
    return dict(codebase.once(targets_of, path))


def _choose(
    codebase: Codebase,
    kind: Kind,
    path: str,
    found: dict[str, Found],
    options: RegisterOptions,
    known: set[str],
) -> list[Found]:
    if not options.names:
        return [item for item in found.values() if item.selectable or item.name in known]
    chosen = []
    for name in options.names:
        item = found.get(name) or find_symbol(codebase, kind, path, name, named=True)
        if item is None:
            raise _unknown_name(codebase, kind, path, name, found)
        chosen.append(item)
    return chosen


def _unknown_name(
    codebase: Codebase, kind: Kind, path: str, name: str, found: Mapping[str, Found]
) -> NotFound:
    noun = "class" if kind == "model" else "function"
    if name in codebase.facts(path).bindings:
        why = (
            "does not inherit from BaseModel"
            if kind == "model"
            else "has no @calibration_target decorator"
        )
        return NotFound(
            f"{noun} {name} in {path} {why}",
            code="not_a_model" if kind == "model" else "not_a_target",
            hint=f"{kind}s found in {path}: {', '.join(found) or 'none'}",
        )
    close = nearest(name, found, 1)
    advice = f"did you mean {close[0]}? " if close else ""
    return NotFound(
        f"{noun} {name} not found in {path}",
        code="symbol_missing",
        hint=f"{advice}{kind}s found in {path}: {', '.join(found) or 'none'}",
    )


def _select(
    planner: Planner, kind: Kind, path: str, named: list[Found], options: RegisterOptions
) -> list[Found]:
    source = planner.registry.sources.get(path)
    excluded = set(options.exclude)
    if not options.names and source is not None:
        excluded.update(source.exclude)
    for name in options.exclude:
        for key in planner.ids_in(kind, path):
            if planner.entries(kind)[key].symbol == name:
                planner.remove(kind, key, "excluded")
    return [item for item in named if item.name not in excluded]


def _record_exclusions(planner: Planner, kind: Kind, path: str, options: RegisterOptions) -> None:
    source = planner.registry.sources.get(path)
    if options.exclude:
        source = source or planner.registry.sources.setdefault(path, Source())
        source.exclude = sorted({*source.exclude, *options.exclude} - set(options.names))
    elif source is not None and options.names:
        source.exclude = [name for name in source.exclude if name not in options.names]
    if source == Source():
        del planner.registry.sources[path]


def _refuse_many_ids(chosen: Sequence[Found], options: RegisterOptions) -> None:
    if options.id is not None and len(chosen) != 1:
        listed = ", ".join(item.name for item in chosen) or "none"
        raise InvalidInput(
            f"--id names one entry, but the file gives {len(chosen)}: {listed}",
            hint="choose one with --class or --target",
        )


def _register(
    planner: Planner, kind: Kind, item: Found, options: RegisterOptions, match: Match | None
) -> None:
    known = next(
        (k for k in planner.ids_in(kind, item.path)
         if planner.entries(kind)[k].symbol == item.name),
        None,
    )  # fmt: skip
    old_id = known or (match.lost.id if match is not None else None)
    previous = planner.entries(kind)[old_id] if old_id is not None else None
    registration = merge_registration(previous, options, planner.codebase)
    entry_id = choose_id(item, old_id, previous, registration, options)
    if options.id is not None:
        registration = replace(registration, id="explicit")
    renamed = old_id if match is not None and known is None else None
    if known is not None and entry_id != known:
        renamed = known
    reasons = ("same body",) if match is not None and known is None else ()
    planner.put(item, entry_id, registration, old_id=renamed, reasons=reasons)


def choose_id(
    item: Found,
    old_id: str | None,
    previous: Entry | None,
    registration: Registration,
    options: RegisterOptions,
) -> str:
    """Return the id of a definition: chosen, written in the decorator, kept, or derived."""
    if options.id is not None:
        return options.id
    if old_id is not None and registration.id == "explicit":
        return old_id
    if isinstance(item, FoundTarget) and item.explicit_name:
        return item.explicit_name
    if old_id is not None and previous is not None and previous.symbol == item.name:
        return old_id
    return derive_id(item)


def merge_registration(
    previous: Entry | None, options: RegisterOptions, codebase: Codebase | None = None
) -> Registration:
    """Return the recorded choices with those given now laid over them."""
    base = effective_registration(previous) if previous is not None else Registration()
    given: dict[str, object] = {}
    if options.data is not None:
        given["data"] = list(options.data)
    if options.code is not None:
        given["code"] = list(options.code)
    for name in ("model_output", "auto_code", "auto_data", "code_mode"):
        value = getattr(options, name)
        if value is not None:
            given[name] = value
    if options.labels:
        given["labels"] = {**base.labels, **options.labels}
    merged: Registration = replace(base, **given)  # type: ignore[arg-type]
    return merged


def _matches_in_file(
    planner: Planner, kind: Kind, path: str, found: Mapping[str, Found]
) -> list[Match]:
    lost = [
        lost_entry(planner.codebase, kind, key, planner.entries(kind)[key])
        for key in planner.ids_in(kind, path)
        if planner.entries(kind)[key].symbol not in found
        and unverified_symbol(planner.codebase, planner.entries(kind)[key]) is None
    ]
    taken = {planner.entries(kind)[key].symbol for key in planner.ids_in(kind, path)}
    new = [item for name, item in found.items() if name not in taken]
    return match_renames(lost, [candidate_of(planner.codebase, item) for item in new])


def _drop_lost(
    planner: Planner,
    kind: Kind,
    path: str,
    found: Mapping[str, Found],
    options: RegisterOptions,
    matches: Sequence[Match],
    replaced: set[str],
) -> None:
    for key in planner.ids_in(kind, path):
        entry = planner.entries(kind)[key]
        if key in replaced or entry.symbol in found or entry.symbol in options.names:
            continue
        if unverified_symbol(planner.codebase, entry) is not None:
            continue
        named = isinstance(entry, ModelEntry) and is_named(planner.registry, entry)
        if named and find_symbol(planner.codebase, kind, path, entry.symbol, named=True):
            continue
        noun = "class" if kind == "model" else "function"
        reason = f"{noun} {entry.symbol} not found in {path}"
        if options.names:
            planner.findings.append(
                Finding(
                    f"{kind.capitalize()} {key}: {reason}", code="symbol_missing", kind=kind,
                    id=key, path=path, fix="register", severity="warning",
                    hint=f"mops bundle register-{kind} {path}",
                )
            )  # fmt: skip
            continue
        likely = [match for match in matches if match.lost.id == key and not match.certain]
        planner.ask_or_remove(kind, key, reason, likely)


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


def describe_changes(before: Entry, after: Entry) -> list[str]:
    """Say what differs between two records of one entry, in a few words each."""
    reasons: list[str] = []
    for name in ("entrypoint", "model_output", "outputs", "scenarios", "parameters", "weight",
                 "labels"):  # fmt: skip
        old, new = getattr(before, name, None), getattr(after, name, None)
        if old != new:
            reasons.append(f"{name} {_shown(old)} -> {_shown(new)}")
    if before.fingerprint != after.fingerprint:
        reasons.append("own code" if before.fingerprint else "digests recorded")
    reasons += [f"{path} (code)" for path in _differing(before.code_fingerprints,
                                                        after.code_fingerprints)]  # fmt: skip
    reasons += [f"{path} (data)" for path in _differing(before.data_digests, after.data_digests)]
    if not reasons and before.digest != after.digest:
        reasons.append("environment")
    if not reasons and before.to_dict() != after.to_dict():
        reasons.append(ONLY_BYTES)
    return reasons


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> Iterable[str]:
    return [path for path in sorted({**before, **after}) if before.get(path) != after.get(path)]


def _shown(value: object) -> str:
    if isinstance(value, list):
        return ",".join(str(item) for item in value) or "none"
    if isinstance(value, dict):
        return ",".join(f"{key}={item}" for key, item in value.items()) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


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
