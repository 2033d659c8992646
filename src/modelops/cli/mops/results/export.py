"""`mops results export`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen, plural, size
from modelops.cli.mops.results._results import open_job, read_tables
from modelops_contracts.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("parquet", "csv", "arrow", "json")


@dataclass(frozen=True, slots=True)
class ExportedTable:
    """One table that was written. `path` is None when it went to stdout."""

    name: str
    path: str | None
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Export:
    """The tables of a job that were written."""

    job: str
    state: str
    format: str
    tables: list[ExportedTable]


def render(answer: Export, screen: Screen) -> Iterator[str]:
    for item in answer.tables:
        if item.path is not None:
            yield f"{item.path}  {plural(item.rows, 'row')}, {size(item.bytes)}"


@command(answer=Export, render=render)
@click.argument("job", default="last", shell_complete=jobs)
@click.option(
    "--format",
    "kind",
    type=click.Choice(FORMATS),
    default="parquet",
    show_default=True,
    help="Form of the files. In csv, lists become JSON text; json is a list of rows.",
)
@click.option("--table", "names", multiple=True, help="Only this table (repeatable).")
@click.option(
    "-o",
    "--output",
    default=None,
    metavar="DIR",
    help="Folder (default: the job's id); - for stdout.",
)
def export(call: Call, job: str, kind: str, names: Sequence[str], output: str | None) -> Export:
    """Write the tables of a job: parameters, each output, targets, failures."""
    if output == "-" and (len(names) != 1 or call.console.json):
        raise InvalidInput(
            "-o - needs stdout for itself and one table: name it with --table, without --json",
            code="usage",
            exit_code=2,
        )
    record, folder = open_job(call, job)
    tables = read_tables(call, folder.path, list(names) or None)
    if not record.state.ended:
        call.console.warn(f"{record.job_id} is {record.state}: these tables are not complete")
    if output == "-":
        written = [to_stdout(call, name, table, kind) for name, table in tables.items()]
    else:
        written = to_files(tables, call.start / (output or record.job_id), kind)
    return Export(record.job_id, str(record.state), kind, written)


def to_files(tables: dict[str, pl.DataFrame], folder: Path, kind: str) -> list[ExportedTable]:
    from modelops.results.views import export_tables

    paths = export_tables(tables, folder, format=kind)
    return [
        ExportedTable(name, str(path), table.height, path.stat().st_size)
        for (name, table), path in zip(tables.items(), paths, strict=True)
    ]


def to_stdout(call: Call, name: str, table: pl.DataFrame, kind: str) -> ExportedTable:
    import tempfile

    from modelops.results.views import export_tables

    with tempfile.TemporaryDirectory() as folder:
        content = export_tables({name: table}, Path(folder), format=kind)[0].read_bytes()
    if sys.stdout is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    return ExportedTable(name, None, table.height, len(content))
