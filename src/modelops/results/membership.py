"""Which simulations and scores belong to a job: references into the store, kept in its folder."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops.engine.requests import SimRequest
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import IntegrityError

if TYPE_CHECKING:
    import polars as pl

    from modelops.results.store import ResultsStore, StoredSim

__all__ = [
    "FAILURES_FILE",
    "MEMBERS_FILE",
    "SCORED_FILE",
    "read_members",
    "read_scored",
    "write_failures",
    "write_members",
    "write_scored",
]

MEMBERS_FILE = "reuse.parquet"
SCORED_FILE = "scored.parquet"
FAILURES_FILE = "failures.parquet"


def write_members(
    job_dir: Path,
    code_digest: str,
    requests: Iterable[SimRequest],
    reused: Mapping[str, StoredSim],
    *,
    job: str = "",
) -> None:
    """Record what a job wants, in its order, and what of it was there already and from which job.

    Replaces an earlier record. A simulation that is wanted twice is one row. What ``job`` itself
    stored before it was interrupted counts as computed.
    """
    import polars as pl

    others = {key: sim for key, sim in reused.items() if sim.job != job}
    unique = {request.sim_key: request for request in requests}
    rows = [_member(code_digest, request, others.get(key)) for key, request in unique.items()]
    _write(job_dir / MEMBERS_FILE, pl.DataFrame(rows, schema=_member_schema()))


def read_members(job_dir: Path) -> pl.DataFrame:
    """Columns code, sim_key, param_id, params (JSON), replicate, seed, scenario, source, from_job.

    Empty for a job that has not recorded anything yet.
    """
    import polars as pl

    found = _read(job_dir / MEMBERS_FILE)
    return pl.DataFrame(schema=_member_schema()) if found is None else found


def write_scored(job_dir: Path, keys: Mapping[str, Sequence[str]]) -> None:
    """Record a job's evaluations: agg_keys by target digest. Replaces an earlier record."""
    import polars as pl

    rows = [
        {"target_digest": digest, "agg_key": key}
        for digest, listed in keys.items()
        for key in listed
    ]
    _write(job_dir / SCORED_FILE, pl.DataFrame(rows, schema=_scored_schema()))


def read_scored(job_dir: Path) -> pl.DataFrame:
    """Columns target_digest, agg_key, in the job's order."""
    import polars as pl

    found = _read(job_dir / SCORED_FILE)
    return pl.DataFrame(schema=_scored_schema()) if found is None else found


def write_failures(job_dir: Path, store: ResultsStore) -> int:
    """Copy what failed out of the store into the job's folder; gives how many simulations."""
    from modelops.results.views import failure_table

    table = failure_table(store, read_members(job_dir))
    _write(job_dir / FAILURES_FILE, table)
    return table.height


def _member(code: str, request: SimRequest, reused: StoredSim | None) -> dict[str, Any]:
    return {
        "code": code,
        "sim_key": request.sim_key,
        "param_id": request.task.params.param_id,
        "params": json.dumps(dict(request.task.params.params)),
        "replicate": request.replicate,
        "seed": request.task.seed,
        "scenario": request.task.scenario,
        "source": "computed" if reused is None else "reused",
        "from_job": None if reused is None else reused.job,
    }


def _member_schema() -> dict[str, Any]:
    import polars as pl

    text = dict.fromkeys(("code", "sim_key", "param_id", "params"), pl.String)
    more = dict.fromkeys(("scenario", "source", "from_job"), pl.String)
    return {**text, "replicate": pl.Int64, "seed": pl.UInt64, **more}


def _scored_schema() -> dict[str, Any]:
    import polars as pl

    return {"target_digest": pl.String, "agg_key": pl.String}


def _write(path: Path, frame: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())


def _read(path: Path) -> pl.DataFrame | None:
    import polars as pl

    if not path.is_file():
        return None
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error
