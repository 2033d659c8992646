"""`mops bundle status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, plural
from modelops.cli.bundle._registry import DecisionRow, FindingRow, as_decision, as_finding
from modelops.cli.bundle._status import EntryRow, SetRow, entry_row, read_project, set_row

if TYPE_CHECKING:
    from modelops_bundle.status import ProjectStatus

DRIFT = 3
EVERYTHING = "*"
WORDS = {"own": "own code", "code": "code", "data": "data", "environment": "environment"}
MARKS = {"modified": "M", "added": "A", "deleted": "D"}


@dataclass(frozen=True, slots=True)
class BundleRow:
    """What the project is pushed as, and what it is compared with."""

    root: str
    repository: str
    tag: str
    environment: str
    baseline: str | None
    pushed_at: str | None


@dataclass(frozen=True, slots=True)
class FileRows:
    """Tracked files that differ from the last push (all of them before the first)."""

    added: list[str]
    modified: list[str]
    deleted: list[str]
    tracked: int


@dataclass(frozen=True, slots=True)
class NewRow:
    """A definition in a registered file that is not registered itself."""

    kind: str
    id: str
    path: str


@dataclass(frozen=True, slots=True)
class Summary:
    """`ready`: a push would go through. `states` counts the entries in each state."""

    ready: bool
    states: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class BundleStatus:
    """How the project stands."""

    bundle: BundleRow
    sync: str
    models: list[EntryRow]
    targets: list[EntryRow]
    target_sets: list[SetRow]
    new: list[NewRow]
    files: FileRows
    findings: list[FindingRow]
    decisions: list[DecisionRow]
    summary: Summary
    show_files: bool
    details: str | None
    explain: str | None


def render(answer: BundleStatus, screen: Screen) -> Iterator[str]:
    if answer.details is not None:
        yield from detail_lines(answer, answer.details)
        return
    if answer.explain is not None:
        yield from explain_lines(answer, answer.explain)
        return
    bundle = answer.bundle
    push = "never pushed"
    if bundle.baseline:
        push = f"last push {bundle.baseline[:19]}, {screen.when(bundle.pushed_at)}"
    yield f"{bundle.repository}:{bundle.tag} (env {bundle.environment}); {push}"
    yield f"Local: {local_text(answer)}"
    yield ""
    yield from entry_lines("Models", answer.models)
    yield from entry_lines("Targets", answer.targets)
    for row in answer.new:
        yield f"New: {row.kind} {row.id} in {row.path} (mops bundle refresh --add-new)"
    if answer.show_files or not (answer.models or answer.targets):
        yield from file_lines(answer.files)
    else:
        yield f"Files: {counts_text(answer.files)}"


def local_text(answer: BundleStatus) -> str:
    changed = len(answer.files.added) + len(answer.files.modified) + len(answer.files.deleted)
    if answer.bundle.baseline is None:
        return f"{plural(answer.files.tracked, 'file')} to push"
    if not changed:
        return "nothing changed since then"
    return f"{plural(changed, 'file')} changed since then"


def entry_lines(title: str, entries: Sequence[EntryRow]) -> Iterator[str]:
    yield f"{title} ({len(entries)})"
    ids = max((len(entry.id) for entry in entries), default=0)
    states = max((len(entry.state) for entry in entries), default=0)
    notes = max((len(entry.note) for entry in entries), default=0)
    for entry in entries:
        yield (f"  {entry.id:<{ids}}  {entry.state:<{states}}  {entry.note:<{notes}}  {entry.path}")


def file_lines(files: FileRows) -> Iterator[str]:
    yield f"Files ({files.tracked} tracked)"
    for word, mark in MARKS.items():
        names: list[str] = getattr(files, word)
        yield from (f"  {mark} {word:<8}  {name}" for name in names)


def counts_text(files: FileRows) -> str:
    parts = [f"{len(getattr(files, word))} {word}" for word in MARKS if getattr(files, word)]
    return f"{', '.join(parts) or 'none changed'} ({files.tracked} tracked; --files lists them)"


def detail_lines(answer: BundleStatus, entry_id: str) -> Iterator[str]:
    for entry in (*answer.models, *answer.targets):
        if entry.id != entry_id:
            continue
        yield f"{entry.id}  {entry.state}  {entry.note}".rstrip()
        yield f"  entry point  {entry.entrypoint} ({entry.path})"
        yield f"  outputs      {', '.join(entry.outputs)}"
        yield f"  digest       {entry.digest or 'not recorded'}"
        for reason in entry.reasons:
            yield f"  {reason.component:<11}  {reason.path}: {short(reason.recorded)} -> " + short(
                reason.current
            )


def explain_lines(answer: BundleStatus, entry_id: str) -> Iterator[str]:
    """Say of one entry, or of all that are not ok, what is different and what cures it."""
    entries = [*answer.models, *answer.targets]
    chosen = [
        item for item in entries
        if item.id == entry_id or (entry_id == EVERYTHING and item.state != "ok")
    ]  # fmt: skip
    if not chosen:
        yield "Every entry is ok: the registry says what the code says"
    for entry in chosen:
        yield f"{entry.id}  {entry.state}  {entry.path}"
        findings = [item for item in answer.findings if item.id == entry.id]
        yield from (f"  {item.severity:<8}  {item.message}" for item in findings)
        if entry.renamed_to is not None:
            yield f"  successor  {entry.renamed_to} (similarity {entry.similarity:.2f})"
        for reason in entry.reasons:
            where = f" {reason.path}" if reason.path else ""
            yield (
                f"  differs    {WORDS[reason.component]}{where}: "
                f"{short(reason.recorded)} -> {short(reason.current)}"
            )
        yield f"  cure       {cure_of(entry, findings)}"


def cure_of(entry: EntryRow, findings: Sequence[FindingRow]) -> str:
    hints = [item.hint for item in findings if item.severity == "error" and item.hint]
    if hints:
        return "; ".join(dict.fromkeys(hints))
    if entry.state == "ok":
        return "none needed"
    return "none needed: push records the new digests (mops bundle refresh does it now)"


def short(digest: str | None) -> str:
    return "missing" if digest is None else digest.rpartition(":")[2][:12]


@command(answer=BundleStatus, render=render)
@click.option("--files", "show_files", is_flag=True, help="List the files that changed.")
@click.option("--details", metavar="ID", help="All that is known of one model or target.")
@click.option(
    "--explain", is_flag=False, flag_value=EVERYTHING, metavar="[ID]",
    help="Say why an entry (all that are not ok) differs, and what cures it.",
)  # fmt: skip
@click.option("--exit-zero", is_flag=True, help="Exit 0 even where a push would be refused.")
def status(
    call: Call, show_files: bool, details: str | None, explain: str | None, exit_zero: bool
) -> Done:
    """Say whether the registry fits the code, and what changed since the last push.

    Your code is read, not run. The exit code is 3 when a push would be refused.
    """
    found = read_project(call)
    answer = as_answer(call, found, show_files, details, explain)
    for name in (details, explain):
        if name not in {None, EVERYTHING}:
            check_known(answer, str(name))
    tell(call, answer)
    return Done(answer, 0 if exit_zero or answer.summary.ready else DRIFT)


def check_known(answer: BundleStatus, entry_id: str) -> None:
    from modelops_contracts.errors import NotFound, nearest

    ids = [entry.id for entry in (*answer.models, *answer.targets)]
    if entry_id not in ids:
        near = nearest(entry_id, ids)
        raise NotFound(
            f"no model or target {entry_id} is registered"
            + (f"; nearest: {', '.join(near)}" if near else ""),
            hint="mops bundle list",
            code="entry.not_found",
        )


def as_answer(
    call: Call,
    found: ProjectStatus,
    show_files: bool,
    details: str | None,
    explain: str | None,
) -> BundleStatus:
    value = found.to_json()
    summary = value["summary"]
    assert isinstance(summary, dict)
    return BundleStatus(
        bundle=BundleRow(
            root=found.root,
            repository=found.repository,
            tag=found.tag,
            environment=call.config.environment,
            baseline=found.last_push,
            pushed_at=found.last_push_at,
        ),
        sync=found.sync,
        models=[entry_row(item) for item in found.models],
        targets=[entry_row(item) for item in found.targets],
        target_sets=[set_row(item) for item in found.sets],
        new=[NewRow(item.kind, item.id, item.path) for item in found.new],
        files=FileRows(
            list(found.files.added),
            list(found.files.modified),
            list(found.files.deleted),
            found.tracked,
        ),
        findings=[as_finding(item) for item in found.findings],
        decisions=[as_decision(item) for item in found.decisions],
        summary=Summary(bool(summary["ready"]), dict(summary["states"])),
        show_files=show_files,
        details=details,
        explain=explain,
    )


def tell(call: Call, answer: BundleStatus) -> None:
    """Findings go to stderr: errors with the command that cures them, then warnings."""
    console = call.console
    hints = []
    for finding in answer.findings:
        if finding.severity == "error":
            console.complain(finding.message)
            hints += [finding.hint] if finding.hint else []
        elif finding.severity == "warning":
            console.warn(finding.message)
    for hint in dict.fromkeys(hints):
        console.hint(hint)
