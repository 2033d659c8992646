"""Rows from a table somebody else made."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Self

from modelops_calabaria.constants import SEED_COL
from modelops_calabaria.parameters.named import did_you_mean, find_duplicates
from modelops_calabaria.parameters.scalars import Scalar
from modelops_calabaria.parameters.types import ParameterSpace, ParameterSpec
from modelops_calabaria.sampling.base import ColumnDesign, checked_count, checked_start
from modelops_contracts.errors import Detail, InvalidInput, InvalidValue, MissingFile
from modelops_contracts.frozen import as_seed

__all__ = ["FileSampler"]

Row = Mapping[str, Any]


class FileSampler(ColumnDesign):
    """Rows of a csv, parquet or json file: parameters by name, optionally ``seed``.

    Other columns are an error unless ``ignore_columns``. Every bad cell is reported at once, with
    its row (the first is 1) and column.
    """

    kind: ClassVar[str] = "file"
    extendable: ClassVar[bool] = True

    def __init__(
        self,
        parameter_space: ParameterSpace,
        path: str | os.PathLike[str],
        *,
        ignore_columns: bool = False,
    ) -> None:
        super().__init__(parameter_space)
        self.path = Path(path)
        self.ignore_columns = ignore_columns
        self._rows = read_rows(self.path)
        self._names = self._parameter_columns()

    def _parameter_columns(self) -> list[str]:
        columns = list(dict.fromkeys(name for row in self._rows for name in row))
        strangers = [
            name for name in columns if name not in self.parameter_space and name != SEED_COL
        ]
        if strangers and not self.ignore_columns:
            raise InvalidInput(
                f"{self.path}: columns that are no parameters: {', '.join(strangers)}",
                hint=did_you_mean(strangers[0], [*self.parameter_space.names(), SEED_COL]),
            )
        return [name for name in columns if name in self.parameter_space]

    def over(self, space: ParameterSpace) -> Self:
        """The same rows over a space with fewer parameters or narrower bounds."""
        fixed = [name for name in self._names if name not in space]
        if fixed:
            raise InvalidInput(
                f"{self.path} has a column for {', '.join(fixed)}, which is fixed",
                hint="remove the column, or do not fix the parameter",
            )
        return super().over(space)

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters the file has a column for, in the file's order."""
        return tuple(self._names)

    def columns(self, n: int | None = None, start: int = 0) -> dict[str, list[Scalar]]:
        rows = self._rows[checked_start(start) :]
        rows = rows if n is None else rows[: checked_count(n)]
        mistakes: list[Detail] = []
        specs = [self.parameter_space.get_spec(name) for name in self._names]
        found = {
            spec.name: [
                _read_cell(spec, row, number, mistakes)
                for number, row in enumerate(rows, start=start + 1)
            ]
            for spec in specs
        }
        self._raise_if_any(mistakes)
        return found

    def seeds(self, n: int | None = None, start: int = 0) -> list[int | None]:
        """The rows' own seeds, None where a row has none."""
        rows = self._rows[checked_start(start) :]
        rows = rows if n is None else rows[: checked_count(n)]
        mistakes: list[Detail] = []
        seeds = [_read_seed(row, i, mistakes) for i, row in enumerate(rows, start=start + 1)]
        self._raise_if_any(mistakes)
        return seeds

    def _raise_if_any(self, mistakes: Sequence[Detail]) -> None:
        if mistakes:
            shown = "; ".join(str(mistake) for mistake in mistakes[:5])
            more = f"; and {len(mistakes) - 5} more" if len(mistakes) > 5 else ""
            raise InvalidInput(f"{self.path}: {shown}{more}", details=mistakes)

    def settings(self) -> dict[str, Any]:
        return {"path": self.path.as_posix()}


def _read_cell(spec: ParameterSpec, row: Row, number: int, mistakes: list[Detail]) -> Scalar:
    where = f"row {number}, column {spec.name}"
    value = row.get(spec.name)
    if value is None or value == "":
        mistakes.append(Detail(where, "empty"))
        return spec.lower
    try:
        return spec.checked(_as_number(value))
    except (ValueError, TypeError) as error:
        mistakes.append(Detail(where, str(error)))
        return spec.lower


def _read_seed(row: Row, number: int, mistakes: list[Detail]) -> int | None:
    value = row.get(SEED_COL)
    if value is None or value == "":
        return None
    try:
        parsed = _as_number(value)
        return as_seed(int(parsed) if isinstance(parsed, float) and parsed.is_integer() else parsed)
    except (ValueError, TypeError, InvalidInput) as error:
        mistakes.append(Detail(f"row {number}, column {SEED_COL}", str(error)))
        return None


def _as_number(value: object) -> object:
    """Text of csv cells as a number; whole when it is written so."""
    if not isinstance(value, str):
        return value
    for reader in (int, float):
        try:
            return reader(value.strip())
        except ValueError:
            continue
    raise InvalidValue(f"{value!r} is no number")


# ---------------------------------------------------------------- reading


def read_rows(path: Path) -> list[Row]:
    """Rows of a csv, parquet or json file (a list of objects, or an object of lists)."""
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InvalidInput(f"{path}: not a design file", hint="give a .csv, .parquet or .json file")
    if not path.is_file():
        raise MissingFile(f"{path}: no such file")
    rows = reader(path)
    if not rows:
        raise InvalidInput(f"{path}: no rows")
    return rows


def _read_csv(path: Path) -> list[Row]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            table = csv.DictReader(stream, skipinitialspace=True)
            rows: list[Row] = list(table)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path}: not readable as UTF-8: {error}", hint="save the file as UTF-8"
        ) from error
    twice = find_duplicates(table.fieldnames or ())
    if twice:
        raise InvalidInput(f"{path}: more than one column is named {', '.join(twice)}")
    for number, row in enumerate(rows, start=1):
        if None in row:
            raise InvalidInput(f"{path}: row {number} has more cells than the header")
    return rows


def _read_parquet(path: Path) -> list[Row]:
    import polars as pl

    try:
        return list(pl.read_parquet(path).iter_rows(named=True))
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(f"{path}: not readable as parquet: {error}") from error


def _read_json(path: Path) -> list[Row]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{path}: not readable as JSON: {error}") from error
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return data
    if isinstance(data, dict) and all(isinstance(column, list) for column in data.values()):
        if len({len(column) for column in data.values()}) > 1:
            raise InvalidInput(f"{path}: columns of different lengths")
        return [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]
    raise InvalidInput(f"{path}: expected a list of objects, or an object of equally long lists")
