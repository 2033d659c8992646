"""`mops results list`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, figure, size, table
from modelops.cli._options import limit_option
from modelops.cli.mops.jobs._jobs import open_backend
from modelops.cli.mops.jobs.list import say_empty

HEADER = (
    "JOB",
    "NAME",
    "STATE",
    "SETS",
    "REPLICATES",
    "FAILED",
    "TARGETS",
    "BEST",
    "SIZE",
    "UPDATED",
)


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What one job has produced. `size` is that of its own files; simulations are shared."""

    job: str
    name: str
    kind: str
    state: str
    sets: int
    replicates: int
    failed: int
    targets: list[str]
    best: float | None
    size: int
    updated: str
    path: str


@dataclass(frozen=True, slots=True)
class Results:
    """Jobs and what they have produced, newest first."""

    results: list[ResultRow]
    total: int


def render(answer: Results, screen: Screen) -> Iterator[str]:
    rows = [
        (
            item.job,
            item.name or None,
            item.state,
            item.sets,
            item.replicates,
            item.failed,
            ",".join(item.targets) or None,
            figure(item.best),
            size(item.size),
            screen.when(item.updated),
        )
        for item in answer.results
    ]
    yield from table(HEADER, rows, screen)


@command(answer=Results, render=render)
@limit_option("Jobs")
def list_(call: Call, limit: int) -> Results:
    """List what the jobs of this project have produced, newest first."""
    backend = open_backend(call)
    records = backend.records()
    if not records:
        say_empty(call, 0)
    rows = []
    for record in records[:limit]:
        folder = backend.folder(record.job_id).path
        rows.append(
            ResultRow(
                job=record.job_id,
                name=record.name,
                kind=record.kind,
                state=str(record.state),
                sets=record.parameter_sets,
                replicates=record.replicates,
                failed=record.progress.failed,
                targets=list(record.targets),
                best=record.progress.best,
                size=folder_size(folder),
                updated=record.updated,
                path=str(folder),
            )
        )
    return Results(rows, len(records))


def folder_size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
