"""What the commands that change the registry share: what is registered, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from modelops.cli._call import Call
from modelops.cli._console import Screen
from modelops_contracts.errors import NotFound

if TYPE_CHECKING:
    from modelops_bundle.drift.changes import Change
    from modelops_bundle.project.project import Project
    from modelops_bundle.registry import RegisterOptions, RegistryResult
    from modelops_contracts.registry import Kind

# Action -> (mark, mark in ASCII)
MARKS = {
    "added": ("+", "+"),
    "changed": ("~", "~"),
    "renamed": ("→", ">"),
    "moved": ("→", ">"),
    "removed": ("-", "-"),
    "new": ("?", "?"),
}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """What happens to one entry, and why."""

    kind: str
    id: str
    path: str
    reasons: list[str]
    symbol: str

    @property
    def title(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class RenameRow:
    """An entry that got another id or another file, with its sets, weights and labels.

    `certain`: nobody had to confirm it; `similarity` is how much of the definition stayed.
    """

    kind: str
    id: str
    from_: str
    to: str
    certain: bool
    similarity: float
    path: str
    reasons: list[str]
    symbol: str

    @property
    def title(self) -> str:
        return f"{self.from_} -> {self.to}" if self.from_ != self.to else self.to


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """A rename that is likely but not certain, and the command that confirms it."""

    kind: str
    from_: str
    to: str
    path: str
    similarity: float
    command: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """Something that is wrong or worth knowing."""

    code: str
    severity: str
    kind: str
    id: str
    path: str
    line: int | None
    message: str
    hint: str
    fix: str | None


@dataclass(frozen=True, slots=True)
class RegistryChange:
    """What a command did to the registry, or would do when `written` is false."""

    verb: str
    written: bool
    added: list[ChangeRow]
    changed: list[ChangeRow]
    renamed: list[RenameRow]
    moved: list[RenameRow]
    removed: list[ChangeRow]
    unchanged: list[ChangeRow]
    new: list[ChangeRow]
    decisions: list[DecisionRow]
    findings: list[FindingRow]
    tracked: list[str]
    untracked: list[str]

    def rows(self) -> Iterator[tuple[str, ChangeRow | RenameRow]]:
        for action in MARKS:
            group: list[ChangeRow | RenameRow] = getattr(self, action)
            yield from ((action, row) for row in group)


def as_finding(finding: Any) -> FindingRow:
    return FindingRow(**finding.to_json())


def as_change(verb: str, results: Sequence[RegistryResult]) -> RegistryChange:
    """Several results (one per file) as one answer."""
    groups: dict[str, list[Any]] = {action: [] for action in (*MARKS, "unchanged")}
    for change in (change for result in results for change in result.changes):
        groups[change.action].append(as_row(change))
    return RegistryChange(
        verb=verb,
        written=all(result.written for result in results),
        **groups,
        decisions=[as_decision(item) for result in results for item in result.plan.decisions],
        findings=list(unique(as_finding(f) for result in results for f in result.plan.findings)),
        tracked=list(unique(path for result in results for path in result.tracked)),
        untracked=list(unique(path for result in results for path in result.untracked)),
    )


def as_row(change: Change) -> ChangeRow | RenameRow:
    if change.action not in {"renamed", "moved"}:
        return ChangeRow(
            change.kind, change.id, change.path, list(change.reasons), symbol=change.symbol
        )
    return RenameRow(
        kind=change.kind,
        id=change.id,
        from_=change.old_id or change.id,
        to=change.id,
        certain=change.certain,
        similarity=round(change.similarity, 3),
        path=change.path,
        reasons=list(change.reasons),
        symbol=change.symbol,
    )


def as_decision(item: Any) -> DecisionRow:
    return DecisionRow(
        kind=item.kind,
        from_=item.old_id,
        to=item.new_symbol,
        path=item.new_path,
        similarity=round(item.similarity, 3),
        command=item.command,
    )


def unique(items: Iterable[Any]) -> Iterator[Any]:
    seen: list[Any] = []
    for item in items:
        if item not in seen:
            seen.append(item)
            yield item


def render(answer: RegistryChange, screen: Screen) -> Iterator[str]:
    rows = list(answer.rows())
    width = max((len(row.title) for _, row in rows), default=0)
    for action, row in rows:
        why = f"  ({'; '.join(row.reasons)})" if row.reasons else ""
        mark = screen.mark(*MARKS[action])
        yield f"{mark} {action:<8} {row.kind:<6}  {row.title:<{width}}  {row.path}{why}"
    for path in answer.tracked:
        yield f"  tracking {path}"
    for path in answer.untracked:
        yield f"  no longer tracking {path}"
    for decision in answer.decisions:
        yield (
            f"? {decision.kind} {decision.from_} may have become {decision.to} of "
            f"{decision.path} (similarity {decision.similarity:.2f}): {decision.command}"
        )
    yield outcome(answer)


def outcome(answer: RegistryChange) -> str:
    counted = [
        f"{len(getattr(answer, action))} {action}"
        for action in MARKS
        if action != "new" and getattr(answer, action)
    ]
    if not counted and any(finding.severity == "error" for finding in answer.findings):
        return "Nothing changed: what is wrong is not for this command to mend"
    if not counted:
        return "Nothing to do: the registry says what the code says"
    done = answer.verb if answer.written else f"Would have {answer.verb.lower()}"
    return f"{done}: {', '.join(counted)}"


# ---------------------------------------------------------------- one file, or all of a folder


def register_path(
    call: Call, kind: Kind, path: str, options: RegisterOptions, *, dry_run: bool
) -> RegistryChange:
    """Register what one file holds, or what each file of a folder holds.

    Of a folder every file is planned first, so that a mistake in one of them changes nothing.
    """
    from modelops_bundle.project.project import find_project
    from modelops_bundle.registering import register

    project = find_project(call.start)
    files = [path]
    if (call.start / path).is_dir():
        files = files_with(project, kind, call.start / path)
    results = [
        register(project, kind, file, options, cwd=call.start, dry_run=True) for file in files
    ]
    if not dry_run:
        results = [register(project, kind, file, options, cwd=call.start) for file in files]
    answer = as_change("Registered", results)
    tell_findings(call, answer)
    return answer


def refresh_instead(call: Call, *, dry_run: bool) -> RegistryChange:
    """What --regen-all of the existing suite means here; options of one file say nothing then."""
    from modelops_bundle.project.project import find_project
    from modelops_bundle.registering import refresh

    call.console.warn("--regen-all is mops bundle refresh; PATH and the other options are ignored")
    answer = as_change("Refreshed", [refresh(find_project(call.start), dry_run=dry_run)])
    tell_findings(call, answer)
    return answer


def files_with(project: Project, kind: Kind, folder: Path) -> list[str]:
    """The Python files below a folder that define something of that kind, or did."""
    from modelops_bundle.code.codebase import open_codebase
    from modelops_bundle.drift.registration import definitions_of
    from modelops_bundle.project.tracking import relative_path
    from modelops_bundle.registry import load_registry

    registry = load_registry(project.root)
    codebase = open_codebase(project)
    entries: Mapping[str, Any] = registry.models if kind == "model" else registry.targets
    registered = {entry.path.as_posix() for entry in entries.values()}
    rules = project.ignore_rules()
    found = []
    for file in sorted(folder.rglob("*.py")):
        name = relative_path(project.root, file)
        if rules.is_ignored(name):
            continue
        if name in registered or definitions_of(codebase, kind, name, registry):
            found.append(str(file))
    if not found:
        raise NotFound(
            f"no file in {folder} defines a {kind}",
            hint=f"mops bundle register-{kind} FILE",
            code=f"{kind}_not_found",
        )
    return found


def tell_findings(call: Call, answer: RegistryChange) -> None:
    for finding in answer.findings:
        if finding.severity != "info":
            call.console.warn(finding.message)
        if finding.severity == "error" and finding.hint:
            call.console.hint(finding.hint)
    for row in answer.new:
        call.console.note(f"{row.kind} {row.id} of {row.path} is not registered")


def read_labels(items: Sequence[str]) -> dict[str, str]:
    labels = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"{item!r} is not k=v", param_hint="--label")
        labels[key] = value
    return labels


def data_choice(data: Sequence[str], no_data: bool) -> tuple[str, ...] | None:
    """--data replaces the recorded files, --no-data clears them, neither keeps them."""
    if data and no_data:
        raise click.UsageError("--data and --no-data exclude each other")
    return tuple(data) if data else () if no_data else None
