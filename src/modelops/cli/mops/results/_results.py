"""What the results commands share: a job's tables and summary, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops.cli._call import Call
from modelops.cli.mops.jobs._jobs import find_job, open_backend
from modelops_contracts.errors import InvalidInput, nearest

if TYPE_CHECKING:
    import polars as pl

    from modelops.jobs.folder import JobFolder
    from modelops.jobs.record import JobRecord

# Tables that a calibration keeps beside those every job has.
RESULT_TABLES = ("trials", "candidates", "fit", "plausible_fit", "prior_fit")


@dataclass(frozen=True, slots=True)
class Rows:
    """The first rows of a table; `total` counts all of them."""

    name: str
    columns: list[str]
    rows: list[list[Any]]
    total: int


@dataclass(frozen=True, slots=True)
class FindingRow:
    """One thing to know before the result is trusted."""

    code: str
    severity: str
    message: str
    action: str


@dataclass(frozen=True, slots=True)
class CalibrationSummary:
    """The winner of a calibration. `objective` is the confirmed one; smaller is better."""

    parameters: Mapping[str, Any]
    all_parameters: Mapping[str, Any]
    objective: float | None
    objective_se: float | None
    search_value: float | None
    selection_value: float | None
    optimism: float | None
    verdict: str
    findings: list[FindingRow]
    stop_reason: str
    failure: str | None
    simulations: int


def open_job(call: Call, selector: str) -> tuple[JobRecord, JobFolder]:
    backend = open_backend(call)
    record = find_job(backend, selector)
    return record, backend.folder(record.job_id)


def read_tables(call: Call, folder: Path, names: list[str] | None) -> dict[str, pl.DataFrame]:
    from modelops import wiring
    from modelops.results.views import job_tables

    return job_tables(wiring.open_results(call.config, call.project_root), folder, names=names)


def read_frame(call: Call, folder: JobFolder, name: str) -> pl.DataFrame:
    """One table of a job: of its calibration's result, or of its simulations."""
    import polars as pl

    path = folder.result / f"{name}.parquet"
    if name in RESULT_TABLES and path.is_file():
        return pl.read_parquet(path)
    return read_tables(call, folder.path, [name])[name]


def read_summary(folder: JobFolder) -> CalibrationSummary | None:
    """The summary of a calibration; None for a study and before there is one."""
    path = folder.result / "summary.json"
    if not path.is_file():
        return None
    data = json.loads(path.read_text(encoding="utf-8"))
    findings = json.loads((folder.result / "findings.json").read_text(encoding="utf-8"))
    return CalibrationSummary(
        parameters=data["best_params"],
        all_parameters=data["all_params"],
        objective=data["summary"]["best_value"],
        objective_se=data["objective_se"],
        search_value=data["search_value"],
        selection_value=data["selection_value"],
        optimism=data["optimism"],
        verdict=data["verdict"],
        findings=[
            FindingRow(item["code"], item["severity"], item["message"], item.get("action") or "")
            for item in findings
        ],
        stop_reason=data["stop_reason"],
        failure=data["failure"],
        simulations=data["n_simulations"],
    )


def best_sets(call: Call, folder: JobFolder, count: int) -> Rows | None:
    """The parameter sets of a study with the smallest objective; None without targets."""
    tables = read_tables(call, folder.path, ["parameters", "targets"])
    scores, parameters = tables["targets"], tables["parameters"]
    if scores.is_empty():
        return None
    ranked = (
        scores.unique("param_id", keep="first", maintain_order=True)
        .select("param_id", "objective", "se", "reason")
        .sort("objective", nulls_last=True, maintain_order=True)
        .join(parameters, on="param_id", how="left", maintain_order="left")
    )
    varied = [
        name for name in parameters.columns if name.startswith("param_") and name != "param_id"
    ]
    order = ["objective", "se", *varied, "param_id"]
    if ranked["reason"].null_count() < ranked.height:
        order.insert(2, "reason")
    return frame_rows("best", ranked.select(order), count)


def best_candidates(folder: JobFolder, count: int) -> Rows | None:
    """The candidates of a calibration that were simulated again, best first."""
    import polars as pl

    path = folder.result / "candidates.parquet"
    return frame_rows("candidates", pl.read_parquet(path), count) if path.is_file() else None


def sort_frame(frame: pl.DataFrame, column: str | None, name: str) -> pl.DataFrame:
    """By a column; `-column` for the largest first. Missing values come last."""
    if column is None:
        return frame
    key = column.removeprefix("-") if column not in frame.columns else column
    if key not in frame.columns:
        near = nearest(key, frame.columns)
        raise InvalidInput(
            f"table {name} has no column {key}; "
            + (f"nearest: {', '.join(near)}" if near else f"it has {', '.join(frame.columns)}"),
            code="results.column",
        )
    return frame.sort(key, descending=key != column, nulls_last=True, maintain_order=True)


def frame_rows(name: str, frame: pl.DataFrame, limit: int) -> Rows:
    part = frame.head(limit)
    rows = [[plain(value) for value in row] for row in part.iter_rows()]
    return Rows(name, part.columns, rows, frame.height)


def plain(value: Any) -> Any:
    """A cell as JSON has it; times and the like as text."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    return str(value)
