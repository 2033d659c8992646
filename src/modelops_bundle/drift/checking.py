"""What the registry says against what the code says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.data_files import Found
from modelops_bundle.code.entries import (
    CodeRecord,
    accepts_entrypoint,
    derive_id,
    describe_entry,
)  # fmt: skip
from modelops_bundle.drift.checked import CheckedEntry, CheckedRegistry
from modelops_bundle.drift.choices import effective_registration
from modelops_bundle.drift.cross_checks import REFRESH, check_ids, check_outputs, check_sets, listed
from modelops_bundle.findings import Finding, Fix
from modelops_contracts.discovery import (
    FoundModel,
    FoundTarget,
    find_class,
    list_models,
    list_targets,
)  # fmt: skip
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.places import REGISTRY_PATH
from modelops_contracts.registry import (
    BundleRegistry,
    Entry,
    Kind,
    ModelEntry,
    Source,
    TargetEntry,
)

ENTRYPOINT = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*")


def check_registry(codebase: Codebase, registry: BundleRegistry) -> CheckedRegistry:
    """Check all entries and sets; nothing is written and no code of the user runs."""
    checked = [
        check_entry(codebase, "model", key, item, named=is_named(registry, item))
        for key, item in registry.models.items()
    ]
    checked += [
        check_entry(codebase, "target", key, item) for key, item in registry.targets.items()
    ]
    findings = [*check_outputs(registry, checked), *check_sets(registry), *check_ids(registry)]
    by_key = {(item.kind, item.id): item for item in checked}
    return CheckedRegistry(registry, tuple(checked), tuple(findings), by_key)


def is_named(registry: BundleRegistry, entry: ModelEntry) -> bool:
    """True when the user chose this class by its name."""
    source = registry.sources.get(entry.path.as_posix())
    return source is not None and source.models != "all" and entry.symbol in (source.models or ())


def check_entry(
    codebase: Codebase, kind: Kind, entry_id: str, entry: Entry, *, named: bool = False
) -> CheckedEntry:
    """Check one entry against its file; a class that was `named` may inherit from anything."""
    about = _About(kind, entry_id, entry)
    problem = _check_place(codebase, about)
    if problem is not None:
        return CheckedEntry(kind, entry_id, entry, (problem,))
    found = find_symbol(codebase, kind, about.path, entry.symbol, named=named)
    notes: list[Finding] = []
    if found is None:
        found = unverified_symbol(codebase, entry)
        notes.append(_unfound(codebase, about) if found is None else _unverified(about))
    if found is None:
        return CheckedEntry(kind, entry_id, entry, tuple(notes))
    record = describe_entry(
        codebase, found, effective_registration(entry), entry_id=entry_id, recorded=entry
    )
    findings = [*_check_record(codebase, about, record), *_check_files(codebase, about, record)]
    structural = [item for item in record.findings if item.structural]
    return CheckedEntry(kind, entry_id, entry, (*notes, *findings, *structural), record)


def find_symbol(
    codebase: Codebase, kind: Kind, path: str, symbol: str, *, named: bool = False
) -> Found | None:
    """Return the model or target of this name, if the file has it."""
    if kind == "target":
        return codebase.once(targets_of, path).get(symbol)
    models = codebase.once(models_of, path)
    if symbol in models or not named:
        return models.get(symbol)
    facts = codebase.facts(path)
    found = find_class(symbol, facts, codebase.lookup)
    return found if found is not None and found.bases else None


def unverified_symbol(codebase: Codebase, entry: Entry) -> Found | None:
    """Return what is recorded of a name that its file assigns or imports; None for any other.

    Whether such a name is a model or a target is only known when the file runs.
    """
    facts = codebase.facts(entry.path.as_posix())
    bindings = facts.bindings.get(entry.symbol, ())
    if not bindings or bindings[-1].kind not in {"value", "import"}:
        return None
    if isinstance(entry, ModelEntry):
        return FoundModel(
            entry.symbol, facts.path, 1, bases=(), outputs=tuple(entry.outputs),
            scenarios=tuple(entry.scenarios), parameters=None,
        )  # fmt: skip
    return FoundTarget(
        entry.symbol, facts.path, 1, model_output=entry.model_output,
        data=tuple(path.as_posix() for path in entry.data), weight=entry.weight,
        labels=entry.labels,
    )  # fmt: skip


def _unverified(about: _About) -> Finding:
    return Finding(
        f"{about.kind.capitalize()} {about.id}: {about.entry.symbol} in {about.path} is assigned "
        "or imported there, so it is believed as recorded",
        code="unverified_symbol", severity="info", kind=about.kind, id=about.id, path=about.path,
    )  # fmt: skip


def models_of(codebase: Codebase, path: str) -> dict[str, FoundModel]:
    """Return the models of a file by the names of their classes."""
    facts = codebase.facts(path)
    return {item.name: item for item in list_models(facts, codebase.lookup)}


def targets_of(codebase: Codebase, path: str) -> dict[str, FoundTarget]:
    """Return the targets of a file by the names of their functions."""
    facts = codebase.facts(path)
    return {item.name: item for item in list_targets(facts, codebase.lookup)}


def find_new(codebase: Codebase, registry: BundleRegistry) -> list[Finding]:
    """Return a warning for each definition that is selected and not registered."""
    kinds: tuple[Kind, ...] = ("model", "target")
    return [
        Finding(
            f"{kind} {derive_id(item)} of {path} is not registered", code="new",
            severity="warning", kind=kind, id=derive_id(item), path=path, fix="refresh",
            hint="mops bundle refresh --add-new",
        )
        for kind in kinds
        for path, source in registry.sources.items()
        for item in _unregistered(codebase, registry, kind, path, source)
    ]  # fmt: skip


def _unregistered(
    codebase: Codebase, registry: BundleRegistry, kind: Kind, path: str, source: Source
) -> list[Found]:
    if (source.models if kind == "model" else source.targets) != "all":
        return []
    try:
        found: Mapping[str, Found] = (
            codebase.once(models_of, path) if kind == "model" else codebase.once(targets_of, path)
        )
    except (InvalidInput, NotFound):
        return []  # a file that is gone or does not parse is another finding's affair
    section: Mapping[str, Entry] = registry.models if kind == "model" else registry.targets
    known = {item.symbol for item in section.values() if item.path.as_posix() == path}
    return [
        item for name, item in found.items()
        if item.selectable and name not in known and name not in source.exclude
    ]  # fmt: skip


class _About:
    """Builds the findings of one entry."""

    def __init__(self, kind: Kind, entry_id: str, entry: Entry) -> None:
        self.kind = kind
        self.id = entry_id
        self.entry = entry
        self.path = entry.path.as_posix()
        self.noun = "class" if kind == "model" else "function"

    def finding(
        self, code: str, text: str, *, fix: Fix = "refresh", hint: str = REFRESH
    ) -> Finding:
        return Finding(
            f"{self.kind.capitalize()} {self.id}: {text}", code=code, kind=self.kind, id=self.id,
            path=self.path, fix=fix, hint=hint,
        )  # fmt: skip


def _check_place(codebase: Codebase, about: _About) -> Finding | None:
    path = about.path
    if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
        return about.finding(
            "path_outside", f"path {path} is not inside the project", fix="edit",
            hint=f"correct path in {REGISTRY_PATH}, or: mops bundle unregister {about.id}",
        )  # fmt: skip
    if not ENTRYPOINT.fullmatch(about.entry.entrypoint):
        return about.finding(
            "bad_entrypoint",
            f"entrypoint {about.entry.entrypoint!r} is not module:{about.noun.capitalize()}",
            fix="edit", hint=f"correct entrypoint in {REGISTRY_PATH}{_example(codebase, about)}",
        )  # fmt: skip
    if not codebase.is_file(path):
        return _missing_file(codebase, about)
    try:
        codebase.facts(path)
    except InvalidInput as error:
        return about.finding(
            "parse_failed", str(error), fix="edit", hint="correct the file, then: " + REFRESH
        )
    return None


def _example(codebase: Codebase, about: _About) -> str:
    name = about.entry.symbol or re.split(r"\W+", about.entry.entrypoint)[-1]
    if not codebase.is_file(about.path) or not name.isidentifier():
        return ""
    return f", for example {codebase.module_of(about.path)}:{name}"


def _missing_file(codebase: Codebase, about: _About) -> Finding:
    if (codebase.root / about.path).is_file():
        return about.finding(
            "case_mismatch", f"file {about.path} exists only in another spelling of its name"
        )
    return about.finding("file_missing", f"file {about.path} not found")


def _unfound(codebase: Codebase, about: _About) -> Finding:
    symbol, path = about.entry.symbol, about.path
    if symbol not in codebase.facts(path).bindings:
        return about.finding("symbol_missing", f"{about.noun} {symbol} not found in {path}")
    if about.kind == "target":
        return about.finding(
            "not_a_target", f"function {symbol} in {path} has no @calibration_target decorator"
        )
    return about.finding("not_a_model", f"class {symbol} in {path} does not inherit from BaseModel")


def _check_record(codebase: Codebase, about: _About, record: CodeRecord) -> Iterator[Finding]:
    entry, now = about.entry, record.entry
    if not accepts_entrypoint(codebase, entry.entrypoint, about.path, entry.symbol):
        module, _, symbol = entry.entrypoint.partition(":")
        text = f"cannot import {module} ({about.path} is {codebase.module_of(about.path)})"
        if symbol != entry.symbol:
            text = f"entrypoint names {symbol}, the entry {entry.symbol}"
        yield about.finding("module_mismatch", text)
    if isinstance(entry, ModelEntry) and isinstance(now, ModelEntry):
        yield from _drift(about, "outputs_drift", "outputs", entry.outputs, now.outputs)
        if entry.scenarios:
            yield from _drift(about, "scenarios_drift", "scenarios", entry.scenarios, now.scenarios)
    if isinstance(entry, TargetEntry) and isinstance(now, TargetEntry):
        yield from _check_target(about, entry, now)
    yield from _check_data(about, now)


def _check_target(about: _About, entry: TargetEntry, now: TargetEntry) -> Iterator[Finding]:
    if now.model_output and entry.model_output != now.model_output:
        yield about.finding(
            "output_drift",
            f"model_output: recorded {entry.model_output}, code says {now.model_output}",
        )
    if entry.fingerprint is not None and entry.weight != now.weight:
        yield about.finding(
            "weight_drift", f"weight: recorded {entry.weight:g}, code says {now.weight:g}"
        )


def _drift(
    about: _About, code: str, what: str, recorded: list[str], current: list[str]
) -> Iterator[Finding]:
    if sorted(recorded) != sorted(current):
        yield about.finding(
            code, f"{what}: recorded {listed(recorded)}, code says {listed(current)}"
        )


def _check_data(about: _About, now: Entry) -> Iterator[Finding]:
    recorded = {path.as_posix() for path in about.entry.data}
    current = {path.as_posix() for path in now.data}
    if about.entry.fingerprint is None:
        current &= recorded  # older files recorded only what was typed
    yield from _drift(about, "data_drift", "data", sorted(recorded), sorted(current))


def _check_files(codebase: Codebase, about: _About, record: CodeRecord) -> Iterator[Finding]:
    data = dict.fromkeys([*about.entry.data, *record.entry.data])
    for path in data:
        if not codebase.is_file(path.as_posix()):
            yield about.finding(
                "data_missing", f"data file {path.as_posix()} not found", fix="edit",
                hint=f"restore the file, or register {about.path} again without it",
            )  # fmt: skip
    for text in about.entry.registration.code:
        if not codebase.is_file(text):
            yield about.finding(
                "code_missing", f"code file {text} not found", fix="edit",
                hint=f"restore the file, or register {about.path} again without it",
            )  # fmt: skip
    for text in record.broken:
        try:
            codebase.facts(text)
        except InvalidInput as error:
            yield about.finding(
                "parse_failed", str(error), fix="edit", hint="correct the file, then: " + REFRESH
            )
