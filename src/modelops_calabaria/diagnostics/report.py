"""Writing a report, whole or not at all."""

from __future__ import annotations

from pathlib import Path

from modelops_calabaria.diagnostics.blocks import Report
from modelops_calabaria.diagnostics.content import describe_record, describe_table
from modelops_calabaria.diagnostics.html import render_html
from modelops_calabaria.diagnostics.pdf import render_pdf
from modelops_calabaria.diagnostics.source import read_source
from modelops_calabaria.outcome.record import CalibrationRecord
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import InvalidInput

__all__ = ["write_record_report", "write_report"]

_RENDERERS = {"html": render_html, "pdf": render_pdf}


def write_report(
    source: str | Path,
    output: str | Path,
    *,
    format: str = "pdf",  # noqa: A002
    threshold: float = 0.0,
) -> Path:
    """Write the report of ``source`` and return its path.

    ``source`` is a calibration's results directory (or its job's), or a parquet or csv file with
    ``loss`` and ``param_*`` columns. ``format`` is "pdf" or "html". ``threshold``, from 0 to 1,
    leaves parameters that are less identifiable out of the pairs (0 keeps all). Nothing is written
    when this raises (NotFound, InvalidInput).
    """
    _check_options(format, threshold)
    path = Path(source)
    content = read_source(path)
    if isinstance(content, CalibrationRecord):
        report = describe_record(content, threshold=threshold)
    else:
        report = describe_table(content, path.name, threshold=threshold)
    return _write(report, Path(output), format)


def write_record_report(
    record: CalibrationRecord,
    output: Path,
    *,
    format: str,  # noqa: A002
    threshold: float = 0.0,
) -> Path:
    """Write the report of a calibration that is at hand."""
    _check_options(format, threshold)
    return _write(describe_record(record, threshold=threshold), output, format)


def _check_options(kind: str, threshold: float) -> None:
    if kind not in _RENDERERS:
        raise InvalidInput(f"format must be one of {', '.join(_RENDERERS)}, not {kind!r}")
    if not 0.0 <= threshold <= 1.0:
        raise InvalidInput(f"threshold must lie between 0 and 1, not {threshold}")


def _write(report: Report, output: Path, kind: str) -> Path:
    write_atomically(output, _RENDERERS[kind](report))
    return output
