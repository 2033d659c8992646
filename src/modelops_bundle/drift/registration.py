"""Plans that register what one file holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.data_files import Found
from modelops_bundle.code.entries import derive_id
from modelops_bundle.drift.candidates import candidate_of, lost_entry
from modelops_bundle.drift.checking import (
    find_symbol,
    is_named,
    models_of,
    targets_of,
    unverified_symbol,
)  # fmt: skip
from modelops_bundle.drift.choices import choices_to_record
from modelops_bundle.drift.planning import Planner, RegisterOptions, RegistryPlan
from modelops_bundle.drift.renames import Match, match_renames
from modelops_bundle.drift.selecting import exclude_names, select_names
from modelops_bundle.findings import Finding
from modelops_contracts.discovery import FoundModel, FoundTarget
from modelops_contracts.entrypoint import is_scenario_slug, nearest_slug
from modelops_contracts.errors import (
    Conflict,
    EntrypointFormatError,
    InvalidInput,
    NotFound,
    nearest,
)
from modelops_contracts.registry import BundleRegistry, Entry, Kind, ModelEntry, Registration


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
    _refuse_unnameable(path, chosen)
    _refuse_moved(planner, kind, path, chosen, known)
    replaced: set[str] = set()
    for item in chosen:
        match = next((m for m in matches if m.certain and m.candidate.symbol == item.name), None)
        _register(planner, kind, item, options, match)
        replaced.update({match.lost.id} if match is not None else ())
    _drop_lost(planner, kind, path, found, options, matches, replaced)
    if chosen or options.names:
        select_names(planner.registry, kind, path, options.names)
    elif not options.exclude:
        planner.findings.append(_nothing_found(kind, path, found))
    exclude_names(planner.registry, path, options.exclude, options.names)
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


def _refuse_unnameable(path: str, chosen: Sequence[Found]) -> None:
    """A scenario is run by its name in an entry point; what cannot stand there is never run."""
    for item in chosen:
        for scenario in item.scenarios if isinstance(item, FoundModel) else ():
            if not is_scenario_slug(scenario):
                raise EntrypointFormatError(
                    f"{path}: scenario '{scenario}' of {item.name} has a name that no entry point "
                    "can carry",
                    hint=f"rename it, for example to '{nearest_slug(scenario)}'",
                )


def definitions_of(
    codebase: Codebase, kind: Kind, path: str, registry: BundleRegistry
) -> dict[str, Found]:
    """Return the models or targets of a file by name; `NotFound` when there is no such file."""
    if not codebase.is_file(path):
        entries: list[Entry] = [*registry.models.values(), *registry.targets.values()]
        users = [item for item in entries if item.path.as_posix() == path]
        hint = "mops bundle refresh" if users else "name an existing Python file"
        raise NotFound(f"file {path} not found", code="file_missing", hint=hint)
    if not path.endswith(".py"):
        raise InvalidInput(
            f"{path} is no Python file",
            code="not_python",
            hint=f"put the {kind} into a file whose name ends in .py",
        )
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


def _refuse_many_ids(chosen: Sequence[Found], options: RegisterOptions) -> None:
    if options.id is not None and len(chosen) != 1:
        listed = ", ".join(item.name for item in chosen) or "none"
        raise InvalidInput(
            f"--id names one entry, but the file gives {len(chosen)}: {listed}",
            hint="choose one with --class or --target",
        )


def _refuse_moved(
    planner: Planner, kind: Kind, path: str, chosen: Sequence[Found], known: set[str]
) -> None:
    """Leave it to refresh to follow what came here from a file that is gone.

    Registering touches no entry of another file, so the old one would lose its id, sets and labels.
    """
    gone = [
        lost_entry(planner.codebase, kind, key, entry)
        for key, entry in planner.entries(kind).items()
        if entry.path.as_posix() != path and not planner.codebase.is_file(entry.path.as_posix())
    ]
    new = [candidate_of(planner.codebase, item) for item in chosen if item.name not in known]
    moved = [match for match in match_renames(gone, new) if match.certain] if gone else []
    if moved:
        listed = ", ".join(f"{item.lost.id} of {item.lost.path}" for item in moved)
        raise Conflict(
            f"{path} holds what was registered as {listed}, a file that is gone",
            code="moved", exit_code=3,
            hint="mops bundle refresh follows it, with sets, weights and labels",
        )  # fmt: skip


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
    base = Registration()
    if previous is not None:
        base = choices_to_record(planner.codebase, item, previous)
    registration = merge_registration(base, options)
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


def merge_registration(base: Registration, options: RegisterOptions) -> Registration:
    """Return the recorded choices with those given now laid over them."""
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
        given["labels"] = dict(sorted({**base.labels, **options.labels}.items()))
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
