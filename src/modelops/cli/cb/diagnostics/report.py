"""`cb diagnostics report`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, size
from modelops_contracts.errors import InvalidInput, NotFound


@dataclass(frozen=True, slots=True)
class Report:
    """A report that was written. `failed`: codes of the gates a calibration did not pass."""

    source: str
    path: str
    format: str
    bytes: int
    failed: list[str]


def render(answer: Report, screen: Screen) -> Iterator[str]:
    yield f"Report of {answer.source}: {answer.path} ({size(answer.bytes)})"
    for code in answer.failed:
        yield f"  FAIL {code}"


@command(answer=Report, render=render)
@click.argument("source")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write.")
@click.option(
    "--format", "kind", type=click.Choice(("pdf", "html")), help="Default: by --output, else pdf."
)
@click.option(
    "--threshold",
    type=click.FloatRange(0.0, 1.0),
    default=0.0,
    show_default=True,
    help="Leave parameters that are less identifiable than this (0 to 1) out of the pairs.",
)
@click.option("--strict", is_flag=True, help="Exit code 3 when a gate says FAIL.")
def report(
    call: Call,
    source: str,
    output: Path | None,
    kind: str | None,
    threshold: float,
    strict: bool,
) -> Done:
    """Write a report of a calibration, or of any table of losses and parameters.

    SOURCE is a job (its id, `last`, @name), a folder with a calibration's result, or a Parquet or
    CSV file with the columns loss and param_*.
    """
    from modelops_calabaria.diagnostics.report import write_report

    chosen = choose_format(output, kind)
    found = find_source(call, source)
    failed = failed_gates(found)
    if strict and failed is None:
        raise InvalidInput(
            f"--strict: {source} is a table; only a calibration has gates",
            code="usage",
            exit_code=2,
        )
    path = output or beside(call, found, source, chosen)
    write_report(found, path, format=chosen, threshold=threshold)
    answer = Report(source, str(path), chosen, path.stat().st_size, failed or [])
    return Done(answer, 3 if strict and failed else 0)


def failed_gates(found: Path) -> list[str] | None:
    """Codes of the gates that a calibration failed; None for a table, which has none."""
    from modelops_calabaria.diagnostics.source import read_source
    from modelops_calabaria.outcome.findings import FAIL
    from modelops_calabaria.outcome.record import CalibrationRecord

    content = read_source(found)
    if not isinstance(content, CalibrationRecord):
        return None
    return [finding.code for finding in content.findings if finding.severity == FAIL]


def choose_format(output: Path | None, kind: str | None) -> str:
    """The format asked for, else the one of the file's name; two different ones are refused."""
    suffix = "" if output is None else output.suffix.lower().removeprefix(".")
    named = {"pdf": "pdf", "html": "html", "htm": "html"}.get(suffix)
    if kind and named and kind != named:
        raise InvalidInput(
            f"--format {kind} and --output {output} disagree", code="usage", exit_code=2
        )
    if suffix and named is None and kind is None:
        raise InvalidInput(
            f"--output {output}: a report is .pdf or .html", code="usage", exit_code=2
        )
    return kind or named or "pdf"


def find_source(call: Call, source: str) -> Path:
    """A file or folder that is there, else the result of a job."""
    path = call.start / source
    if path.exists():
        return path
    if path.suffix in {".parquet", ".csv"} or "/" in source:
        raise NotFound(f"{source}: no such file", code="report.source")
    from modelops.cli.mops.jobs._jobs import find_job, open_backend

    backend = open_backend(call)
    record = find_job(backend, source)
    result = backend.folder(record.job_id).result
    if record.kind != "calibration":
        raise InvalidInput(
            f"{record.job_id} is a study; a report is made of a calibration",
            hint=f"mops results show {record.job_id}",
            code="report.source",
        )
    if not result.is_dir():
        raise NotFound(
            f"{record.job_id} ({record.state}) has no result yet",
            hint=f"mops jobs status {record.job_id}",
            code="report.source",
        )
    return result


def beside(call: Call, found: Path, source: str, kind: str) -> Path:
    """`<stem>_diagnostic_report.pdf`: beside a file, in the working directory for a job."""
    name = f"{found.stem if found.is_file() else Path(source).name}_diagnostic_report.{kind}"
    return found.parent / name if found.is_file() else call.start / name.replace("@", "")
