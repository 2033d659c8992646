"""What one code digest has stored: the index segments of its folder, read once each."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from modelops.results.layout import segment_of
from modelops.results.objects import Objects
from modelops.results.reading import read_table_file
from modelops.results.segments import Part, index_schema, parts_of
from modelops_contracts.errors import NotFound, Unavailable

if TYPE_CHECKING:
    import polars as pl

__all__ = ["CodeIndex"]

_LOOKS = 10

#: Long texts stay in the files until somebody asks for failures.
_LEFT_OUT = ("parts", "params", "error_type", "error_message", "traceback", "stderr_tail", "worker")


class CodeIndex:
    """The rows of all index segments below ``folder``, as far as they have been seen."""

    def __init__(self, objects: Objects, folder: str) -> None:
        self._objects = objects
        self._folder = folder
        self._segments: dict[str, pl.DataFrame] = {}
        self._parts: dict[str, list[Part]] = {}
        self._together: pl.DataFrame | None = None

    def refresh(self) -> None:
        """Read segments that are new, forget those that are gone.

        One that another process merges while we look is gone at the next look.
        """
        for _look in range(_LOOKS):
            present = {segment_of(path) for path, _size in self._objects.list(self._folder)}
            for name in self._segments.keys() - present:
                del self._segments[name], self._parts[name]
                self._together = None
            with contextlib.suppress(NotFound):
                for name in sorted(present - self._segments.keys()):
                    self._add(name, self.read(name))
                return
        raise Unavailable(f"{self._folder} of {self._objects.where} changes faster than it is read")

    def read(self, segment: str) -> pl.DataFrame:
        """One index as it was written. Raises NotFound when it has been merged away."""
        return read_table_file(self._objects, self.path(segment))

    def path(self, segment: str) -> str:
        return f"{self._folder}/{segment}.parquet"

    @property
    def segments(self) -> list[str]:
        return sorted(self._segments)

    def parts(self, segment: str) -> list[Part]:
        return self._parts[segment]

    def everything(self) -> pl.DataFrame:
        """One row per stored simulation that ended well, the oldest of equal ones."""
        import polars as pl

        rows = self._all().filter(pl.col("status") == "ok")
        return rows.unique("sim_key", keep="first", maintain_order=True)

    def lookup(self, keys: Sequence[str], *, ok_only: bool) -> pl.DataFrame:
        """One row per key that is stored, in the order of ``keys``.

        Of several rows the first that ended well counts, else the last failure.
        """
        import polars as pl

        wanted = pl.DataFrame({"sim_key": keys}, schema={"sim_key": pl.String})
        wanted = wanted.unique(maintain_order=True).with_row_index("__order")
        found = self._all().join(wanted, on="sim_key", how="inner")
        good = found.filter(pl.col("status") == "ok").unique(
            "sim_key", keep="first", maintain_order=True
        )
        if not ok_only:
            bad = found.join(good, on="sim_key", how="anti")
            good = pl.concat([good, bad.unique("sim_key", keep="last", maintain_order=True)])
        return good.sort("__order").drop("__order")

    def details(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The full index rows behind rows of :meth:`lookup`, in their order."""
        import polars as pl

        names = rows["segment"].unique().to_list()
        full = [self.read(name).with_columns(segment=pl.lit(name)) for name in names]
        empty = pl.DataFrame(schema={**index_schema(), "segment": pl.String})
        places = rows.select("sim_key", "segment").with_row_index("__order")
        joined = pl.concat([empty, *full]).join(places, on=["sim_key", "segment"], how="inner")
        return joined.sort("__order").drop("__order", "segment", *_RANGES)

    def _add(self, segment: str, index: pl.DataFrame) -> None:
        import polars as pl

        self._parts[segment] = parts_of(index)
        self._segments[segment] = index.drop(_LEFT_OUT).with_columns(segment=pl.lit(segment))
        self._together = None

    def _all(self) -> pl.DataFrame:
        import polars as pl

        if self._together is None:
            schema = {k: v for k, v in index_schema().items() if k not in _LEFT_OUT}
            empty = pl.DataFrame(schema={**schema, "segment": pl.String})
            self._together = pl.concat([empty, *(self._segments[n] for n in self.segments)])
        return self._together


_RANGES = ("part", "start", "stop", "parts")
