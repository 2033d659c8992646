"""pandas frames as polars, without importing pandas and without what polars' own way needs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from modelops_contracts.errors import InvalidType, InvalidValue

if TYPE_CHECKING:
    import polars as pl

__all__ = ["from_pandas", "is_pandas"]


def is_pandas(value: object) -> bool:
    """True for anything of the pandas package."""
    return type(value).__module__.partition(".")[0] == "pandas"


def from_pandas(table: Any, where: str, *, strict: bool = True) -> pl.DataFrame:
    """A pandas frame as polars. Missing values of every kind are null, floats of numpy keep NaN.

    An index that has a name is a column before the others; one without only counts rows. Raises
    InvalidValue for columns that share a name, and InvalidType for one whose values are of several
    types; with ``strict=False`` these become what they have in common, or null.
    """
    import polars as pl

    columns = [*_named_levels(table), *((str(name), i) for i, name in enumerate(table.columns))]
    names = [name for name, _ in columns]
    if len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InvalidValue(f"{where} has more than one column '{twice[0]}'")
    series = []
    for name, place in columns:
        column = table.iloc[:, place] if isinstance(place, int) else place
        try:
            series.append(pl.Series(name, _values(column), strict=strict))
        except (TypeError, pl.exceptions.PolarsError) as error:
            raise InvalidType(
                f"{where}: column '{name}' holds values of several types: {error}"
            ) from error
    return pl.DataFrame(series)


def _named_levels(table: Any) -> Iterator[tuple[str, Any]]:
    """Levels of the index that say something the columns do not."""
    taken = {str(name) for name in table.columns}
    for number, name in enumerate(table.index.names):
        if name is not None and str(name) not in taken:
            yield str(name), table.index.get_level_values(number)


def _values(column: Any) -> Any:
    """An array as it is where numpy has no other word for missing; else a list with None."""
    plain = type(column.dtype).__module__.partition(".")[0] == "numpy"
    if plain and column.dtype.kind in "iufb":
        return column.to_numpy()
    missing = column.isna().tolist()
    return [None if gone else one for one, gone in zip(column.tolist(), missing, strict=True)]
