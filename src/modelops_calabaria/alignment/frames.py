"""Turning what users hand over (polars, pandas, mappings, files) into polars frames."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from modelops_calabaria.alignment.errors import ObservedDataError
from modelops_calabaria.pandas_tables import from_pandas, is_pandas
from modelops_contracts.errors import InvalidInput, MissingFile


def as_frame(data: object, *, what: str = "data") -> pl.DataFrame:
    """A polars frame of a polars or pandas frame, a mapping of columns, or a csv or parquet."""
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, str | Path):
        return _read_file(Path(data), what)
    if is_pandas(data):
        return from_pandas(data, what, strict=False)
    if isinstance(data, Mapping):
        return _from_columns(data, what)
    raise ObservedDataError(
        f"{what}: cannot make a table of a {type(data).__name__}",
        hint="give a polars or pandas frame, a mapping of columns, or the path of a csv or parquet",
    )


def as_frames(simulated: object) -> tuple[list[pl.DataFrame], bool]:
    """The replicates as a list of frames, and whether a single frame stood in its place."""
    if isinstance(simulated, Sequence) and not isinstance(simulated, str | bytes):
        if not simulated:
            raise InvalidReplicatesError(
                "there is nothing to align: the list of replicates is empty"
            )
        return [_as_simulated(item, r) for r, item in enumerate(simulated)], False
    return [_as_simulated(simulated, 0)], True


class InvalidReplicatesError(InvalidInput, ValueError):
    """No replicates, or something that is no table in their place."""


def _as_simulated(item: object, replicate: int) -> pl.DataFrame:
    if isinstance(item, pl.DataFrame):
        return item
    if isinstance(item, pl.LazyFrame):
        return item.collect()
    if is_pandas(item):
        return from_pandas(item, f"replicate {replicate}", strict=False)
    raise InvalidReplicatesError(
        f"replicate {replicate} is a {type(item).__name__}, not a table",
        hint="hand over one polars frame per replicate",
    )


def _read_file(path: Path, what: str) -> pl.DataFrame:
    if not path.is_file():
        raise MissingFile(
            f"{what}: file {path} not found", hint="check the path; it is relative to the project"
        )
    suffix = path.suffix.lower()
    try:
        if suffix == ".csv":
            return pl.read_csv(path, infer_schema_length=None)
        if suffix == ".parquet":
            return pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise ObservedDataError(f"{what}: cannot read {path}: {error}") from error
    raise ObservedDataError(f"{what}: {path} is neither .csv nor .parquet")


def _from_columns(data: Mapping[Any, Any], what: str) -> pl.DataFrame:
    try:
        # Not strict: [3, 5.7] are numbers; texts among them are found when columns are compared.
        return pl.DataFrame({str(name): values for name, values in data.items()}, strict=False)
    except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
        raise ObservedDataError(f"{what}: the columns do not form a table: {error}") from error
