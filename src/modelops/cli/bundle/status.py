"""`mops bundle status`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, plural
from modelops.cli.bundle._registry import DecisionRow, FindingRow, as_decision, as_finding
from modelops.cli.bundle._status import EntryRow, SetRow, entry_row, read_project, set_row

if TYPE_CHECKING:
    from modelops_bundle.status.reading import ProjectStatus

DRIFT = 3
EVERYTHING = "*"
UNTRACKED_MARK = "?"
WORDS = {"own": "own code", "code": "code", "data": "data", "environment": "environment"}
MARKS = {"modified": "M", "added": "A", "deleted": "D"}


@dataclass(frozen=True, slots=True)
class BundleRow:
    """What the project is pushed as, and what it is compared with.

    `place` is where its bundles are kept; `remote` the manifest its tag is at there, null when
    that was not asked or there is none.
    """

    root: str
    repository: str
    tag: str
    place: str
    environment: str
    remote: str | None
    baseline: str | None
    pushed_at: str | None


@dataclass(frozen=True, slots=True)
class FileRows:
    """Tracked files that differ from the last push (all of them before the first).

    `untracked` is null when these were not looked for.
    """

    added: list[str]
    modified: list[str]
    deleted: list[str]
    untracked: list[str] | None
    tracked: int


@dataclass(frozen=True, slots=True)
class ComponentRow:
    """One component of an entry; `word` is same, format only, changed or missing."""

    component: str
    path: str
    chain: list[str]
    recorded: str | None
    current: str | None
    word: str


@dataclass(frozen=True, slots=True)
class ExplainedRow:
    """Every component of one entry."""

    kind: str
    id: str
    components: list[ComponentRow]


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
    explained: list[ExplainedRow]
    show_files: bool
    show_remote: bool
    untracked_only: bool
    details: str | None
    explain: str | None


def render(answer: BundleStatus, screen: Screen) -> Iterator[str]:
    if answer.untracked_only:
        yield from answer.files.untracked or []
        return
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
    name = f"{bundle.repository}:{bundle.tag}"
    yield f"{name} at {bundle.place} (env {bundle.environment}); {push}"
    yield f"Local: {local_text(answer)}"
    if answer.show_remote:
        yield f"Remote: {answer.sync}"
    yield ""
    yield from entry_lines("Models", answer.models)
    yield from entry_lines("Targets", answer.targets)
    for row in answer.new:
        yield f"New: {row.kind} {row.id} in {row.path} (mops bundle refresh --add-new)"
    if answer.show_files or not (answer.models or answer.targets):
        yield from file_lines(answer.files)
    else:
        yield f"Files: {counts_text(answer.files)}"
        yield from untracked_lines(answer.files)


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
        yield from (f"  {mark} {word:<9}  {name}" for name in names)
    yield from untracked_lines(files)


def untracked_lines(files: FileRows) -> Iterator[str]:
    yield from (f"  {UNTRACKED_MARK} untracked  {name}" for name in files.untracked or [])


def counts_text(files: FileRows) -> str:
    parts = [f"{len(getattr(files, word))} {word}" for word in MARKS if getattr(files, word)]
    parts = parts or ["none changed"]
    if files.untracked is not None:
        parts.append(f"{len(files.untracked)} untracked")
    more = "--files lists them" if files.untracked is not None else "--files, --untracked list them"
    return f"{', '.join(parts)} ({files.tracked} tracked; {more})"


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
        yield from component_lines(answer.explained, entry)
        yield f"  cure       {cure_of(entry, findings)}"


def component_lines(explained: Sequence[ExplainedRow], entry: EntryRow) -> Iterator[str]:
    rows = [
        (WORDS[row.component], " -> ".join(row.chain) or row.path or "-", row)
        for item in explained
        if item.id == entry.id
        for row in item.components
    ]
    width = max((len(path) for _, path, _ in rows), default=0)
    for word, path, row in rows:
        change = f"  {short(row.recorded)} -> {short(row.current)}"
        yield (f"  {word:<11}  {path:<{width}}  {row.word}{'' if row.word == 'same' else change}")


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
@click.option("-u", "--untracked", is_flag=True, help="Also list files that are not tracked.")
@click.option("--untracked-only", is_flag=True, help="List files that are not tracked, only these.")
@click.option("--include-ignored", is_flag=True, help="Count ignored files as untracked too.")
@click.option("--details", metavar="ID", help="All that is known of one model or target.")
@click.option(
    "--explain", is_flag=False, flag_value=EVERYTHING, metavar="[ID]",
    help="Say why an entry (all that are not ok) differs, and what cures it.",
)  # fmt: skip
@click.option("--remote", is_flag=True, help="Ask the store about the tag: in sync, behind, ...")
@click.option("--exit-zero", is_flag=True, help="Exit 0 even where a push would be refused.")
def status(
    call: Call,
    show_files: bool,
    untracked: bool,
    untracked_only: bool,
    include_ignored: bool,
    details: str | None,
    explain: str | None,
    remote: bool,
    exit_zero: bool,
) -> Done:
    """Say whether the registry fits the code, and what changed since the last push.

    Your code is read, not run, and nobody is asked over the network without --remote. The exit
    code is 3 when a push would be refused, 5 or 4 when --remote gets no answer.
    """
    found = read_project(call, remote=remote)
    files = None
    if untracked or untracked_only or include_ignored:
        files = untracked_files(call, include_ignored=include_ignored)
    answer = replace(
        as_answer(call, found, files),
        explained=[] if explain is None else explained_rows(call, explain),
        show_files=show_files,
        show_remote=remote,
        untracked_only=untracked_only,
        details=details,
        explain=explain,
    )
    for name in (details, explain):
        if name not in {None, EVERYTHING}:
            check_known(answer, str(name))
    tell(call, answer)
    if found.sync_problem is not None:
        call.console.warn(f"the state of the remote is not known: {found.sync_problem}")
        if found.sync_hint is not None:
            call.console.hint(found.sync_hint)
    code = 0 if answer.summary.ready else DRIFT
    return Done(answer, 0 if exit_zero else code or found.sync_exit_code)


def untracked_files(call: Call, *, include_ignored: bool) -> list[str]:
    from modelops_bundle.project.project import find_project
    from modelops_bundle.project.untracked import find_untracked

    return list(find_untracked(find_project(call.start), include_ignored=include_ignored))


def explained_rows(call: Call, wanted: str) -> list[ExplainedRow]:
    from modelops_bundle.project.project import find_project
    from modelops_bundle.status.explaining import explain_entries

    found = explain_entries(find_project(call.start))
    return [
        ExplainedRow(kind, entry_id, [component_row(item) for item in items])
        for (kind, entry_id), items in found.items()
        if wanted in {EVERYTHING, entry_id}
    ]


def component_row(item: Any) -> ComponentRow:
    return ComponentRow(
        item.component, item.path, list(item.chain), item.recorded, item.current, item.word
    )


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


def as_answer(call: Call, found: ProjectStatus, untracked: list[str] | None) -> BundleStatus:
    from modelops import wiring

    place = wiring.locate_artifacts(call.config, found.repository)
    value = found.to_json()
    summary = value["summary"]
    assert isinstance(summary, dict)
    return BundleStatus(
        bundle=BundleRow(
            root=found.root,
            repository=found.repository,
            tag=found.tag,
            place=place.removesuffix(f"/{found.repository}"),
            remote=found.remote,
            environment=call.config.environment,
            baseline=found.last_push,
            pushed_at=found.last_push_at,
        ),
        sync=str(value["sync"]),
        models=[entry_row(item) for item in found.models],
        targets=[entry_row(item) for item in found.targets],
        target_sets=[set_row(item) for item in found.sets],
        new=[NewRow(item.kind, item.id, item.path) for item in found.new],
        files=FileRows(
            list(found.files.added),
            list(found.files.modified),
            list(found.files.deleted),
            untracked,
            found.tracked,
        ),
        findings=[as_finding(item) for item in found.findings],
        decisions=[as_decision(item) for item in found.decisions],
        summary=Summary(bool(summary["ready"]), dict(summary["states"])),
        explained=[],
        show_files=False,
        show_remote=False,
        untracked_only=False,
        details=None,
        explain=None,
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
