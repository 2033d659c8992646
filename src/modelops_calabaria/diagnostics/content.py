"""What a report says, independent of the paper it is printed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelops_calabaria.diagnostics.blocks import Report, Section
from modelops_calabaria.diagnostics.sections.data import data_sections
from modelops_calabaria.diagnostics.sections.estimates import estimate_sections
from modelops_calabaria.diagnostics.sections.failures import failure_sections
from modelops_calabaria.diagnostics.sections.search import parameter_sections, search_section
from modelops_calabaria.diagnostics.sections.settings import settings_section
from modelops_calabaria.diagnostics.sections.tables import table_overview, table_search
from modelops_calabaria.diagnostics.sections.targets import (
    candidate_sections,
    contribution_sections,
)
from modelops_calabaria.diagnostics.sections.verdict import verdict_section
from modelops_calabaria.diagnostics.sections.wording import best_of
from modelops_calabaria.diagnostics.views import view_record, view_table
from modelops_calabaria.outcome.record import CalibrationRecord

if TYPE_CHECKING:
    import polars as pl

__all__ = ["describe_record", "describe_table"]


def describe_record(record: CalibrationRecord, *, threshold: float = 0.0) -> Report:
    """The report of a calibration; ``threshold`` is the least identifiability of paired ones."""
    view = view_record(record)
    sections = [
        verdict_section(record),
        *estimate_sections(record),
        search_section(record, view),
        *parameter_sections(view, best_of(record), threshold),
        *data_sections(record),
        *contribution_sections(record),
        *candidate_sections(record),
        *failure_sections(record.trials),
        settings_section(record),
    ]
    name = str(record.spec.metadata.get("name") or record.job_id)
    return Report(
        title=f"Calibration report: {name}",
        subtitle=f"{record.settings['model']} · scenario {record.settings['scenario']} · "
        f"engine {record.settings['sampler']['type']} · job {record.job_id}",
        sections=tuple(sections),
        footer=f"{record.job_id} · fingerprint {record.fingerprint[:16]} · "
        f"ModelOps {record.versions.get('modelops', '')}",
    )


def describe_table(table: pl.DataFrame, name: str, *, threshold: float = 0.0) -> Report:
    """The report of any table of trials. Nothing in it was confirmed, and it says so."""
    view = view_table(table)
    n_failed = len(view.loss) - view.n_finite
    sections = [
        Section("Overview", tuple(table_overview(view, n_failed))),
        *(table_search(view) if view.n_finite else ()),
        *parameter_sections(view, None, threshold),
        *failure_sections(table),
    ]
    return Report(
        title=f"Trials report: {name}",
        subtitle=f"{len(view.loss)} rows · {len(view.columns)} varied parameters",
        sections=tuple(sections),
        footer=name,
    )
