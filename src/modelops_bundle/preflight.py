"""What must hold before a bundle leaves the project, and what is worth a warning."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from modelops_bundle.code.codebase import Codebase
from modelops_bundle.code.environment import PROJECT_FILE, distribution_name
from modelops_bundle.code.fingerprint import find_definition, token_pairs
from modelops_bundle.drift.checked import CheckedEntry, CheckedRegistry
from modelops_bundle.drift.checking import check_registry
from modelops_bundle.findings import Finding, sort_findings
from modelops_bundle.project.ignoring import IGNORE_FILE
from modelops_bundle.project.project import LOCK_FILES, Project, hides_registry_from_git
from modelops_bundle.project.tracking import read_tracked
from modelops_bundle.registry import find_missing_registry
from modelops_contracts.errors import Conflict, Detail, InvalidInput
from modelops_contracts.registry import (
    REGISTRY_PATH,
    BundleRegistry,
    Entry,
    ModelEntry,
    TargetEntry,
)

RUNNERS = frozenset({"modelops", "modelops-calabaria", "calabaria"})
NEVER_PASSED = frozenset({"parse_failed", "registry_missing"})
RUN_FILES = (".modelops/manifest.json", "wire.py")


@dataclass(frozen=True, slots=True)
class Preflight:
    """Everything that was found, and what a push would record and track.

    `registry` is the registry with the digests of now; `track` are files the bundle needs that
    are not tracked yet, `vanished` tracked files that are gone.
    """

    checked: CheckedRegistry
    registry: BundleRegistry
    findings: tuple[Finding, ...]
    tracked: tuple[str, ...]
    track: tuple[str, ...]
    vanished: tuple[str, ...]

    @property
    def structural(self) -> tuple[Finding, ...]:
        """What the registry names and the code does not have."""
        return tuple(item for item in self.findings if item.structural)

    @property
    def blocking(self) -> tuple[Finding, ...]:
        """Other mistakes that a push does not pass over."""
        return tuple(
            item for item in self.findings if item.severity == "error" and not item.structural
        )


def run_preflight(project: Project, codebase: Codebase, registry: BundleRegistry) -> Preflight:
    """Check everything that push and status check; nothing is written."""
    checked = check_registry(codebase, registry)
    tracked = read_tracked(project.root)
    shipped = sorted({path for item in checked.entries if item.record is not None
                      for path in item.record.shipped})  # fmt: skip
    wanted = [path for path in (*shipped, *_lock_files(codebase)) if path not in tracked]
    ignored = [path for path in wanted if codebase.ignore.is_ignored(path)]
    vanished = [path for path, row in codebase.files.rows(tracked).items() if row is None]
    missing = find_missing_registry(project)
    findings = [
        *([missing] if missing is not None else []),
        *(finding for item in checked.entries for finding in item.findings),
        *checked.findings,
        *(finding for item in checked.entries if item.record is not None
          for finding in item.record.findings),
        *_project_findings(project, codebase, tracked, wanted, registry),
        *(_untracked(path) for path in ignored),
        *_unused_outputs(checked),
    ]  # fmt: skip
    return Preflight(
        checked=checked,
        registry=record_digests(codebase, checked),
        findings=tuple(sort_findings(findings)),
        tracked=tracked,
        track=tuple(path for path in wanted if path not in ignored),
        vanished=tuple(path for path in vanished if path != REGISTRY_PATH),
    )


def record_digests(codebase: Codebase, checked: CheckedRegistry) -> BundleRegistry:
    """Return the registry with the digests of the files as they are now.

    Entries that differ in structure stay as they are: new digests would make them look right.
    """
    registry = copy.deepcopy(checked.registry)
    for item in checked.entries:
        if item.record is None or any(finding.structural for finding in item.findings):
            continue
        entry = _with_kept_parts(item)
        if isinstance(entry, ModelEntry):
            registry.models[item.id] = entry
        elif isinstance(entry, TargetEntry):
            registry.targets[item.id] = entry
    if registry.models or registry.targets:
        registry.environment = codebase.environment.record
    return registry


def remember_sketches(codebase: Codebase, registry: BundleRegistry) -> None:
    """Keep what later renames are recognised by."""
    entries: list[Entry] = [*registry.models.values(), *registry.targets.values()]
    for entry in entries:
        path = entry.path.as_posix()
        if entry.body is None or codebase.cache.peek("sketch", entry.body) is not None:
            continue
        if codebase.is_file(path):
            node = find_definition(codebase.facts(path).tree, entry.symbol)
            if node is not None:
                sketch = dict(token_pairs(node, entry.symbol))
                codebase.cache.put("sketch", entry.body, sketch)


def refuse_unready(preflight: Preflight, *, allow_stale: bool = False) -> None:
    """Raise what stops a push: `Conflict` (exit code 3) for structural drift, else `InvalidInput`.

    `allow_stale` lets structural drift pass, except a file that does not parse and a registry that
    is gone.
    """
    structural: Sequence[Finding] = preflight.structural
    if allow_stale:
        structural = [item for item in structural if item.code in NEVER_PASSED]
    if structural:
        raise Conflict(
            _listed("the registry does not match the code", structural),
            code="structural_drift",
            hint=structural[0].hint or "mops bundle refresh",
            exit_code=3,
            details=[Detail(item.path, str(item)) for item in structural],
        )
    blocking = preflight.blocking
    if blocking:
        raise InvalidInput(
            _listed("the project is not ready to be pushed", blocking),
            code="not_ready",
            hint=blocking[0].hint,
            details=[Detail(item.path, str(item)) for item in blocking],
        )


def _listed(what: str, findings: Sequence[Finding]) -> str:
    if len(findings) == 1:
        return str(findings[0])
    return f"{what}: " + "; ".join(str(item) for item in findings)


def _with_kept_parts(item: CheckedEntry) -> Entry:
    assert item.record is not None
    entry = replace(item.record.entry)
    entry.extra = dict(item.entry.extra)
    return entry


def _lock_files(codebase: Codebase) -> list[str]:
    return [name for name in LOCK_FILES if codebase.is_file(name)]


def _untracked(path: str) -> Finding:
    return Finding(
        f"{path} is needed but ignored, so it would be missing from the bundle",
        code="untracked_file", path=path, fix="edit",
        hint=f"add the line !{path} to {IGNORE_FILE}",
    )  # fmt: skip


def _project_findings(
    project: Project,
    codebase: Codebase,
    tracked: Sequence[str],
    wanted: Sequence[str],
    registry: BundleRegistry,
) -> Iterator[Finding]:
    environment = codebase.environment
    if not environment.project_file:
        yield Finding(
            f"{PROJECT_FILE} not found: it says which packages the models need",
            code="project_file_missing", path=PROJECT_FILE, fix="edit",
            hint=f"write {PROJECT_FILE} with [project] name, version and dependencies",
        )  # fmt: skip
    elif environment.error:
        yield Finding(
            environment.error, code="project_file_unreadable", path=PROJECT_FILE, fix="edit",
            hint=f"correct {PROJECT_FILE}",
        )  # fmt: skip
    elif PROJECT_FILE not in tracked and PROJECT_FILE not in wanted:
        yield Finding(
            f"{PROJECT_FILE} is not tracked", code="project_file_untracked", path=PROJECT_FILE,
            fix="register", hint="mops bundle register-model PATH tracks it",
        )  # fmt: skip
    elif registry.models and not _can_run(codebase):
        yield Finding(
            f"{PROJECT_FILE} does not depend on modelops, so nothing could run the models",
            code="no_way_to_run", path=PROJECT_FILE, fix="edit",
            hint=f'add "modelops" to the dependencies in {PROJECT_FILE}',
        )  # fmt: skip
    if (registry.models or registry.targets) and not environment.locked:
        yield Finding(
            f"no lock file: the environment is only as exact as {PROJECT_FILE} says",
            code="unlocked_environment", severity="info", path=PROJECT_FILE, fix="edit",
            hint="uv lock",
        )  # fmt: skip
    if hides_registry_from_git(project.root):
        yield Finding(
            ".gitignore hides .modelops-bundle/, so the registry is not in git",
            code="registry_not_in_git", severity="warning", path=".gitignore", fix="edit",
            hint="mops bundle init --repair",
        )  # fmt: skip


def _can_run(codebase: Codebase) -> bool:
    names = {distribution_name(item) for item in codebase.environment.dependencies}
    return (
        codebase.environment.has_wire
        or bool(names & RUNNERS)
        or any(codebase.is_file(path) for path in RUN_FILES)
    )


def _unused_outputs(checked: CheckedRegistry) -> Iterator[Finding]:
    used = {entry.model_output for entry in checked.registry.targets.values()}
    if not used:
        return
    for key, model in checked.registry.models.items():
        for name in model.outputs:
            if name not in used:
                yield Finding(
                    f"Model {key}: no target uses the output {name}", code="output_unused",
                    severity="info", kind="model", id=key, path=model.path.as_posix(),
                )  # fmt: skip
