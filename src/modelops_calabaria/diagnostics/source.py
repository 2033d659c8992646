"""What a report is written about: a calibration's results directory, or any table of trials."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modelops_calabaria.outcome.record import CalibrationRecord
from modelops_contracts.errors import InvalidInput, MissingFile

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_source"]


def read_source(path: Path) -> CalibrationRecord | pl.DataFrame:
    """A calibration from its directory (or a job's), else the table in a parquet or csv file.

    The table has ``loss`` and at least one ``param_*`` column. Raises NotFound, InvalidInput.
    """
    if not path.exists():
        raise MissingFile(f"{path} does not exist")
    if path.is_dir():
        return _read_directory(path)
    table = _read_table(path)
    _check_table(table, path)
    return table


def _read_directory(path: Path) -> CalibrationRecord | pl.DataFrame:
    for folder in (path, path / "result"):
        if (folder / "result.json").exists():
            return CalibrationRecord.load(folder)
    if (path / "trials.parquet").exists():
        return read_source(path / "trials.parquet")
    raise InvalidInput(
        f"{path} holds no calibration result",
        hint="name a results directory with result.json, or a parquet or csv file",
    )


def _read_table(path: Path) -> pl.DataFrame:
    import polars as pl

    readers = {".parquet": _parquet, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(f"{path}: a report reads .parquet or .csv files, or a directory")
    try:
        return reader(path)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}") from error


def _parquet(path: Path) -> pl.DataFrame:
    import polars as pl

    return pl.read_parquet(path)


def _csv(path: Path) -> pl.DataFrame:
    import polars as pl

    return pl.read_csv(path, infer_schema_length=None, raise_if_empty=False)


def _check_table(table: pl.DataFrame, path: Path) -> None:
    found = ", ".join(table.columns) or "none"
    if table.height == 0:
        raise InvalidInput(f"{path} has no rows, so there is nothing to report")
    if "loss" not in table.columns:
        raise InvalidInput(f"{path} has no column 'loss'; columns: {found}")
    if not any(name.startswith("param_") for name in table.columns):
        raise InvalidInput(f"{path} has no column 'param_<name>'; columns: {found}")
    _refuse_text(table.get_column("loss"), path)


def _refuse_text(loss: pl.Series, path: Path) -> None:
    """Text that is no number would look like a failed trial."""
    import polars as pl

    text = loss.cast(pl.String).drop_nulls()
    strange = text.filter(text.cast(pl.Float64, strict=False).is_null() & (text != ""))
    if not loss.dtype.is_numeric() and len(strange):
        raise InvalidInput(
            f"{path}: column 'loss' holds text such as {strange[0]!r} in {len(strange)} rows",
            hint="write numbers with a decimal point; leave the cell of a failed trial empty",
        )
