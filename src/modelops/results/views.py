"""Tidy tables of a job, derived from the store whenever somebody asks.

Rows are ordered by parameter set (as the job lists them), replicate, and the model's own order.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelops.results.membership import read_members, read_scores, read_trials
from modelops_calabaria.stacking import stack_tables
from modelops_contracts.errors import InvalidInput, nearest

if TYPE_CHECKING:
    import polars as pl

    from modelops.results.store import ResultsStore

__all__ = [
    "FORMATS",
    "as_csv_columns",
    "export_tables",
    "failure_table",
    "job_outputs",
    "job_tables",
    "parameter_table",
    "target_table",
]

FORMATS = ("parquet", "csv", "arrow", "json")

_OWN_TABLES = ("parameters", "targets", "failures", "trials")


def job_tables(
    store: ResultsStore, job_dir: Path, *, names: Sequence[str] | None = None
) -> dict[str, pl.DataFrame]:
    """``parameters``, one table per output, ``targets`` and ``failures``, or those of ``names``.

    An output that is called like one of the other tables appears as ``output_<name>``. A job
    without targets, or one where everything failed, has them empty. A calibration that has ended
    has its ``trials`` beside them. Raises InvalidInput for a
    name that is none of the job's tables.
    """
    makers = _makers(store, job_dir)
    wanted = list(makers) if names is None else list(names)
    _check_names(wanted, list(makers))
    return {name: makers[name]() for name in wanted}


def _makers(store: ResultsStore, job_dir: Path) -> dict[str, Callable[[], pl.DataFrame]]:
    """How each table of the job is made, in the order they are shown."""
    members = read_members(job_dir, store)
    makers: dict[str, Callable[[], pl.DataFrame]] = {
        "parameters": partial(parameter_table, members)
    }
    for output in job_outputs(store, members):
        name = f"output_{output}" if output in _OWN_TABLES else output
        makers[name] = partial(_output_table, store, members, output)
    makers["targets"] = lambda: target_table(read_scores(job_dir, store, members["param_id"]))
    makers["failures"] = partial(failure_table, store, members)
    trials = read_trials(job_dir)
    if trials is not None:
        makers["trials"] = lambda: trials
    return makers


def job_outputs(store: ResultsStore, members: pl.DataFrame) -> list[str]:
    """Names of the outputs that the job's simulations have, sorted."""
    names: set[str] = set()
    for code, keys in _by_code(members).items():
        names.update(store.outputs(code, keys))
    return sorted(names)


def parameter_table(members: pl.DataFrame) -> pl.DataFrame:
    """param_id and one ``param_*`` column per parameter; null where a set does not have it."""
    import polars as pl

    sets = members.unique("param_id", keep="first", maintain_order=True)
    if sets.is_empty():
        return pl.DataFrame(schema={"param_id": pl.String})
    rows: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for number, (param_id, text) in enumerate(sets.select("param_id", "params").iter_rows()):
        values = json.loads(text or "{}")
        row = {f"param_{name}": value for name, value in values.items()}
        kind = tuple(f"{name}:{type(value).__name__}" for name, value in row.items())
        rows.setdefault(kind, []).append({"param_id": param_id, **row, "__order": number})
    frames = [pl.DataFrame(listed, infer_schema_length=None) for listed in rows.values()]
    return stack_tables(frames).sort("__order").drop("__order")


def _output_table(store: ResultsStore, members: pl.DataFrame, output: str) -> pl.DataFrame:
    """param_id, replicate, seed as this job has them, then the output's own columns."""
    import polars as pl

    ordered = members.with_row_index("__order")
    place_of_set = pl.col("__order").min().over("param_id").alias("__set")
    ordered = ordered.with_columns(place_of_set).sort("__set", "replicate", "__order")
    frames = [store.frame(code, output, keys) for code, keys in _by_code(ordered).items()]
    rows = stack_tables(frames).drop("param_id", "replicate", "seed")
    own = [column for column in rows.columns if column != "sim_key"]
    keys = ordered.select("sim_key", "param_id", "replicate", "seed").with_row_index("__order")
    joined = rows.with_row_index("__row").join(keys, on="sim_key", how="inner")
    return joined.sort("__order", "__row").select("param_id", "replicate", "seed", *own)


def target_table(scores: pl.DataFrame | None) -> pl.DataFrame:
    """One row per parameter set and target, and one per parameter set without any score.

    ``loss`` is the smaller-is-better form: a loss as it is, a log-likelihood with its sign turned.
    ``objective``, ``se`` and ``ess`` are of the whole set; where the objective is infinite,
    ``reason`` says why. Where a target says more than its loss, ``diagnostics`` has that as JSON.
    """
    import polars as pl

    schema = _target_schema()
    if scores is None:
        return pl.DataFrame(schema=schema)
    said = [_diagnostics(text, target) for text, target in scores.select(*_SAID).iter_rows()]
    if any(said):
        schema["diagnostics"] = pl.String
        scores = scores.with_columns(pl.Series("diagnostics", said, pl.String))
    turned = pl.when(pl.col("kind") == "loglik").then(-pl.col("value")).otherwise(pl.col("value"))
    with_losses = scores.with_columns(turned.alias("loss"), pl.col("objective_se").alias("se"))
    return with_losses.select(pl.col(name).cast(dtype) for name, dtype in schema.items())


_SAID = ("evaluation", "target")


def _diagnostics(evaluation: str, target: str | None) -> str | None:
    """JSON of what a target said beside its loss, out of the JSON of a whole evaluation."""
    if '"diagnostics"' not in evaluation:  # few have any, and parsing all costs
        return None
    scores = {score["target"]: score for score in json.loads(evaluation)["scores"]}
    said = scores.get(target, {}).get("diagnostics")
    return json.dumps(said, ensure_ascii=False) if said else None


def _target_schema() -> dict[str, Any]:
    import polars as pl

    return {
        "param_id": pl.String,
        "target": pl.String,
        "kind": pl.String,
        "loss": pl.Float64,
        "weight": pl.Float64,
        "n_replicates": pl.Int64,
        "n_failed": pl.Int64,
        "n_observed": pl.Int64,
        "n_used": pl.Int64,
        "n_missing": pl.Int64,
        "objective": pl.Float64,
        "se": pl.Float64,
        "ess": pl.Float64,
        "flags": pl.List(pl.String),
        "reason": pl.String,
    }


def failure_table(store: ResultsStore, members: pl.DataFrame) -> pl.DataFrame:
    """Simulations of the job that did not end well, with their errors and parameters."""
    import polars as pl

    columns = ["status", "error_type", "error_message", "traceback", "stderr_tail", "wall"]
    schema = dict.fromkeys(("sim_key", *columns[:-1]), pl.String)
    empty = pl.DataFrame(schema={**schema, "wall": pl.Float64})
    found = [
        store.failures(code, keys).select("sim_key", *columns)
        for code, keys in _by_code(members).items()
    ]
    keys = members.select("sim_key", "param_id", "replicate", "seed", "params")
    joined = keys.with_row_index("__order").join(pl.concat([empty, *found]), on="sim_key")
    return joined.sort("__order").select(
        "param_id", "replicate", "seed", *columns, "params", "sim_key"
    )


def export_tables(
    tables: Mapping[str, pl.DataFrame],
    folder: Path,
    *,
    format: str = "parquet",  # noqa: A002
) -> list[Path]:
    """Write each table to ``<folder>/<name>.<format>``; gives the paths.

    In CSV, columns that hold lists or structures become JSON text. JSON is a list of rows; numbers
    that are not finite are the texts inf, -inf and nan there. Raises InvalidInput for an unknown
    format.
    """
    if format not in FORMATS:
        close = nearest(format, FORMATS) or list(FORMATS)
        raise InvalidInput(f"unknown format {format!r}", hint=f"choose from {', '.join(close)}")
    folder.mkdir(parents=True, exist_ok=True)
    return [_export(table, _file(folder, name, format), format) for name, table in tables.items()]


def _export(table: pl.DataFrame, path: Path, kind: str) -> Path:
    import io

    from modelops_contracts.atomic import write_atomically

    buffer = io.BytesIO()
    if kind == "parquet":
        table.write_parquet(buffer)
    elif kind == "arrow":
        table.write_ipc(buffer)
    elif kind == "json":
        buffer.write(_as_json_rows(table))
    else:
        as_csv_columns(table).write_csv(buffer)
    write_atomically(path, buffer.getvalue())
    return path


def _as_json_rows(table: pl.DataFrame) -> bytes:
    rows = [json.dumps(_finite(row), default=str) for row in table.iter_rows(named=True)]
    return ("[" + ",\n ".join(rows) + "]\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list) else value


def as_csv_columns(table: pl.DataFrame) -> pl.DataFrame:
    """The table with every column that CSV cannot hold as JSON text."""
    import polars as pl

    changes = [
        pl.Series(
            name,
            [_as_json(value) for value in table[name].to_list()],
            pl.String,
        )
        for name, dtype in table.schema.items()
        if dtype.is_nested() or dtype in {pl.Binary, pl.Object}
    ]
    return table.with_columns(changes)


def _as_json(value: object) -> str | None:
    return None if value is None else json.dumps(value, default=str)


def _file(folder: Path, name: str, kind: str) -> Path:
    from urllib.parse import quote

    return folder / f"{quote(name, safe=' ')}.{kind}"


def _check_names(wanted: Sequence[str], available: Sequence[str]) -> None:
    for name in wanted:
        if name not in available:
            close = nearest(name, available) or list(available)
            raise InvalidInput(
                f"this job has no table {name!r}", hint=f"choose from {', '.join(close)}"
            )


def _by_code(members: pl.DataFrame) -> dict[str, list[str]]:
    groups = members.group_by("code", maintain_order=True)
    return {str(code): group["sim_key"].to_list() for (code,), group in groups}
