"""What a job's folder says about it: the simulations it wanted, the scores it has.

The jobs package writes these files; a job that has not written one yet simply has none of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops_contracts.errors import IntegrityError
from modelops_contracts.parameter_set import UniqueParameterSet

if TYPE_CHECKING:
    import polars as pl

    from modelops.results.store import ResultsStore

__all__ = ["read_members", "read_scores", "read_trials"]

_MEMBERS_FILE = "reuse.parquet"
_SCORES_FILE = "evaluations.parquet"
_TRIALS_FILE = "result/trials.parquet"
_PLAN_FILE = "plan.json"
_SPEC_FILE = "spec.json"


def read_members(job_dir: Path, store: ResultsStore) -> pl.DataFrame:
    """One row per simulation that the job wants, in its order.

    Columns code, sim_key, param_id, params (JSON; null when nothing knows them), replicate, seed.
    """
    import polars as pl

    found = _read_table(job_dir / _MEMBERS_FILE)
    if found is None or found.is_empty():
        return pl.DataFrame(schema=_member_schema())
    code = str(_read_json(job_dir / _PLAN_FILE).get("code", ""))
    members = found.select("sim_key", "param_id", "replicate", "seed")
    known = store.parameters(code, members["sim_key"].to_list())
    texts = {**_parameters_of_spec(job_dir), **known}
    params = [texts.get(param_id) for param_id in members["param_id"]]
    return members.select(
        pl.lit(code).alias("code"),
        "sim_key",
        "param_id",
        pl.Series("params", params, pl.String),
        "replicate",
        "seed",
    )


def read_scores(
    job_dir: Path, store: ResultsStore, param_ids: Iterable[str]
) -> pl.DataFrame | None:
    """Rows of ``score_schema``: those that a study wrote, else what the store has of these sets."""
    written = _read_table(job_dir / _SCORES_FILE)
    if written is not None:
        return written
    target = _read_json(job_dir / _PLAN_FILE).get("target_digest")
    return store.scores(str(target), param_ids) if target else None


def read_trials(job_dir: Path) -> pl.DataFrame | None:
    """The trials of a calibration that has ended."""
    return _read_table(job_dir / _TRIALS_FILE)


def _parameters_of_spec(job_dir: Path) -> dict[str, str]:
    """JSON by param_id of the sets in a study; they are there before anything has run."""
    entries = _read_json(job_dir / _SPEC_FILE).get("parameter_sets", [])
    values = [entry.get("params", entry) for entry in entries if isinstance(entry, Mapping)]
    sets = [UniqueParameterSet.from_dict(one) for one in values if isinstance(one, Mapping)]
    return {one.param_id: json.dumps(dict(one.params)) for one in sets}


def _member_schema() -> dict[str, Any]:
    import polars as pl

    text = dict.fromkeys(("code", "sim_key", "param_id", "params"), pl.String)
    return {**text, "replicate": pl.Int64, "seed": pl.UInt64}


def _read_table(path: Path) -> pl.DataFrame | None:
    import polars as pl

    if not path.is_file():
        return None
    try:
        return pl.read_parquet(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error
    return content if isinstance(content, dict) else {}
