"""Stored tables, read; one that is damaged or lost says how to go on without it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from modelops.results.layout import segment_of
from modelops.results.objects import Objects
from modelops_contracts.errors import IntegrityError, NotFound

if TYPE_CHECKING:
    import polars as pl

__all__ = ["read_part", "read_table_file"]


def read_table_file(objects: Objects, path: str, *, listed_by: str | None = None) -> pl.DataFrame:
    """A Parquet file of the store.

    Raises NotFound, and IntegrityError when it is no Parquet file. ``listed_by`` is the file whose
    removal makes the store forget it; without one it is the file itself.
    """
    import polars as pl

    try:
        return pl.read_parquet(io.BytesIO(objects.get(path)))
    except NotFound as error:
        raise NotFound(str(error), hint=_way_out(objects, listed_by or path)) from error
    except pl.exceptions.PolarsError as error:
        raise IntegrityError(
            f"{path} in {objects.where} is damaged: {error}",
            hint=_way_out(objects, listed_by or path),
        ) from error


def read_part(objects: Objects, path: str) -> pl.DataFrame:
    """Rows of one output. What the index of a lost part lists is simulated again without it."""
    folder = path.rsplit("/", 2)[0]
    segment = segment_of(path).rpartition("-")[0]
    return read_table_file(objects, path, listed_by=f"{folder}/index/{segment}.parquet")


def _way_out(objects: Objects, path: str) -> str:
    return f"remove {objects.where}/{path}; what it lists is computed again, the rest stays"
