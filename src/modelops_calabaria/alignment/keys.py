"""Comparing keys by value: which pairs of types may meet, and in which common type.

Whole and fractional numbers meet when nothing is lost, dates meet date-times and ISO texts;
everything else of two kinds (a number and a text) is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from modelops_calabaria.alignment.errors import AlignmentError

# Whole numbers beyond this lose digits as Float64.
LARGEST_EXACT_INT = 2**53


def join_keys(
    name: str, observed: pl.Series, simulated: Sequence[pl.Series], decimals: int
) -> tuple[pl.Series, pl.Series]:
    """Observed keys and the stacked simulated keys of one column, in one common type.

    Raises AlignmentError (BAD_OUTPUT) naming the column and both types when they cannot meet.
    """
    dtypes = dict.fromkeys([observed.dtype, *(series.dtype for series in simulated)])
    common = _common_type(name, observed.dtype, list(dtypes))
    if len({series.dtype for series in simulated}) == 1:
        simulated = [pl.concat(list(simulated), rechunk=True)]
    parts = [_convert(name, series, common, decimals) for series in simulated]
    stacked = pl.concat(parts) if parts else pl.Series(name, [], dtype=common)
    return _convert(name, observed, common, decimals), stacked


def _kind(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "int"
    if dtype.is_numeric():
        return "float"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "text"
    return str(dtype.base_type()).lower()


def _common_type(name: str, observed: pl.DataType, dtypes: list[pl.DataType]) -> pl.DataType:
    kinds = {_kind(dtype) for dtype in dtypes} - {"null"}
    if kinds <= {"int"}:
        return pl.Int64() if kinds else pl.Null()
    if kinds <= {"int", "float"}:
        return pl.Float64()
    if kinds == {"text"}:
        return pl.String()
    if kinds in ({"date"}, {"date", "text"}):
        return pl.Date()
    if "datetime" in kinds and kinds <= {"date", "datetime", "text"}:
        return _common_datetime(name, dtypes)
    if len(kinds) == 1:
        known = [dtype for dtype in dtypes if _kind(dtype) != "null"]
        return pl.Duration("us") if kinds == {"duration"} else known[0]
    other = next((d for d in dtypes if _kind(d) not in {_kind(observed), "null"}), dtypes[-1])
    raise AlignmentError(
        f"key column {name!r} is {observed} in the observed data and {other} in the simulated",
        reason="BAD_OUTPUT",
        hint=f"give {name!r} one type on both sides",
    )


def _common_datetime(name: str, dtypes: list[pl.DataType]) -> pl.DataType:
    stamps = [dtype for dtype in dtypes if isinstance(dtype, pl.Datetime)]
    zones = {stamp.time_zone for stamp in stamps}
    if len(zones) > 1:
        raise AlignmentError(
            f"key column {name!r} has the time zones {sorted(map(str, zones))}",
            reason="BAD_OUTPUT",
            hint="give both sides one time zone",
        )
    unit = "ns" if any(stamp.time_unit == "ns" for stamp in stamps) else "us"
    return pl.Datetime("ns" if unit == "ns" else "us", zones.pop())


def _convert(name: str, series: pl.Series, common: pl.DataType, decimals: int) -> pl.Series:
    try:
        return _cast(series, common, decimals)
    except (pl.exceptions.PolarsError, ValueError) as error:
        example = series.drop_nulls().head(1).to_list()
        raise AlignmentError(
            f"key column {name!r}: {series.dtype} values such as {example} "
            f"cannot be compared as {common}",
            reason="BAD_OUTPUT",
            hint=f"give {name!r} one type on both sides",
        ) from error


def _cast(series: pl.Series, common: pl.DataType, decimals: int) -> pl.Series:
    dtype = series.dtype
    if isinstance(common, pl.Float64):
        return _as_float_keys(series, decimals)
    if dtype == common:
        return series
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum) and common.is_temporal():
        return _parse(series.cast(pl.String), common)
    return series.cast(common, strict=True)


def _as_float_keys(series: pl.Series, decimals: int) -> pl.Series:
    if series.dtype.is_integer():
        _require_exact(series)
    if series.dtype == pl.Float32:
        # 0.1 in single precision means 0.1, not 0.10000000149.
        series = series.cast(pl.String)
    # Adding 0.0 makes the two zeros one key.
    return series.cast(pl.Float64, strict=True).round(decimals) + 0.0


def _require_exact(series: pl.Series) -> None:
    low, high = series.min(), series.max()
    if low is None or high is None:
        return
    if abs(int(str(low))) > LARGEST_EXACT_INT or abs(int(str(high))) > LARGEST_EXACT_INT:
        raise ValueError("whole numbers too large to compare with fractional ones")


def _parse(texts: pl.Series, common: pl.DataType) -> pl.Series:
    if isinstance(common, pl.Date):
        return texts.str.to_date("%Y-%m-%d", strict=True)
    if isinstance(common, pl.Datetime):
        only_dates = (texts.str.len_chars().fill_null(0) <= len("2000-01-01")).all()
        if only_dates:
            return texts.str.to_date("%Y-%m-%d", strict=True).cast(common)
        parsed = texts.str.to_datetime(time_unit=common.time_unit, strict=True)
        return parsed.cast(common)
    raise ValueError(f"cannot read texts as {common}")
