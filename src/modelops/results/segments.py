"""A batch of outcomes as a segment: parts with rows, and the index that makes them visible.

Pure: values in, bytes out. Tables of one output go into one part when their schemas are
equal, so that what is read back has the types that were written.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from modelops.engine.requests import SimOutcome
from modelops.results.arrow import read_tables, repeat_rows
from modelops.results.layout import PART_COLUMNS, own_name, part_path, stored_name
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.errors import InvalidInput

if TYPE_CHECKING:
    import polars as pl

__all__ = [
    "Part",
    "Segment",
    "build_segment",
    "encode",
    "index_schema",
    "merge_segments",
    "own_columns",
    "parts_of",
]


@dataclass(frozen=True, slots=True)
class Part:
    """One file of rows: where it is, how many rows it has, and its checksum."""

    output: str
    path: str
    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Segment:
    """Files to write, parts first, the index last."""

    name: str
    files: Mapping[str, bytes]
    index: pl.DataFrame


@dataclass(slots=True)
class _Pile:
    """Frames of one output and one schema, collected into one part."""

    output: str
    number: int
    frames: list[pl.DataFrame] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    rows: int = 0

    def add(self, frame: pl.DataFrame, owner: int = 0) -> int:
        """Append a frame; gives the row it starts at."""
        start = self.rows
        self.frames.append(frame)
        self.owners.append(owner)
        self.rows += frame.height
        return start


class _Piles:
    """One pile per output and schema, numbered in order of appearance."""

    def __init__(self) -> None:
        self._by_kind: dict[tuple[Any, ...], _Pile] = {}

    def of(self, output: str, frame: pl.DataFrame) -> _Pile:
        kind = (output, *frame.schema.items())
        pile = self._by_kind.get(kind)
        if pile is None:
            pile = self._by_kind[kind] = _Pile(output, len(self._by_kind))
        return pile

    def __iter__(self) -> Iterator[_Pile]:
        return iter(self._by_kind.values())


def index_schema() -> dict[str, Any]:
    """Columns of an index; ``part``, ``start``, ``stop``: which rows of which part are its own."""
    import polars as pl

    return {
        "sim_key": pl.String,
        "param_id": pl.String,
        "replicate": pl.Int64,
        "seed": pl.UInt64,
        "entrypoint": pl.String,
        "scenario": pl.String,
        "params": pl.String,
        "status": pl.String,
        "part": pl.List(pl.UInt32),
        "start": pl.List(pl.UInt64),
        "stop": pl.List(pl.UInt64),
        "parts": pl.String,
        "wall": pl.Float64,
        "cpu": pl.Float64,
        "peak_bytes": pl.UInt64,
        "worker": pl.String,
        "job": pl.String,
        "error_type": pl.String,
        "error_message": pl.String,
        "traceback": pl.String,
        "stderr_tail": pl.String,
        "written_at": pl.String,
    }


def build_segment(
    name: str, code_digest: str, outcomes: Sequence[SimOutcome], *, job: str, written_at: str
) -> Segment:
    """A segment of finished simulations.

    An output that is no table turns its simulation into a failed one: the others are kept.
    """
    import polars as pl

    piles = _Piles()
    rows: list[dict[str, Any]] = []
    for number, (outcome, tables) in enumerate(_read_all(outcomes)):
        row = _index_row(outcome, job, written_at)
        for output, table in tables.items():
            pile = piles.of(output, table)
            start = pile.add(table, number)
            _append_range(row, pile.number, start, start + table.height)
        rows.append(row)
    keys = pl.DataFrame(
        [{column: row[column] for column in PART_COLUMNS} for row in rows], schema=_key_schema()
    )
    bodies = [_with_keys(pile, keys) for pile in piles]
    return _assemble(name, code_digest, rows, [pile.output for pile in piles], bodies)


def merge_segments(
    name: str,
    code_digest: str,
    indexes: Sequence[pl.DataFrame],
    read_part: Callable[[str], pl.DataFrame],
) -> Segment:
    """One segment with everything that several hold; types and rows stay as they are."""
    import polars as pl

    piles = _Piles()
    rows: list[dict[str, Any]] = []
    for index in indexes:
        places = [_move(part, piles, read_part) for part in parts_of(index)]
        for row in index.iter_rows(named=True):
            moved = [places[part] for part in row["part"]]
            row["part"] = [number for number, _offset in moved]
            for edge in ("start", "stop"):
                row[edge] = [at + moved[i][1] for i, at in enumerate(row[edge])]
            rows.append(row)
    bodies = [pl.concat(pile.frames, how="vertical") for pile in piles]
    return _assemble(name, code_digest, rows, [pile.output for pile in piles], bodies)


def parts_of(index: pl.DataFrame) -> list[Part]:
    """The parts that an index refers to, by number."""
    if index.is_empty():
        return []
    return [Part(**part) for part in json.loads(index["parts"][0])]


def own_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """An output's own columns, under their own names and in their own order."""
    own = frame.drop(PART_COLUMNS)
    return own.rename({column: own_name(column) for column in own.columns})


def encode(frame: pl.DataFrame) -> bytes:
    """Parquet bytes, zstd."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _move(part: Part, piles: _Piles, read_part: Callable[[str], pl.DataFrame]) -> tuple[int, int]:
    frame = read_part(part.path)
    pile = piles.of(part.output, frame)
    return pile.number, pile.add(frame)


def _read_all(
    outcomes: Sequence[SimOutcome],
) -> Iterator[tuple[SimOutcome, dict[str, pl.DataFrame]]]:
    """Each outcome with its tables read; as a failed one when one of them is no table."""
    names = [sorted(outcome.tables) for outcome in outcomes]
    data = [o.tables[name] for o, own in zip(outcomes, names, strict=True) for name in own]
    found = iter(read_tables(data))
    for outcome, own in zip(outcomes, names, strict=True):
        tables: dict[str, pl.DataFrame] = {}
        broken: ErrorInfo | None = None
        for name in own:
            table = next(found)
            if isinstance(table, InvalidInput):
                broken = ErrorInfo("UnreadableOutput", f"output {name!r} is {table}")
            else:
                tables[name] = table
        if broken is None:
            yield outcome, tables
        else:
            yield replace(outcome, status="failed", tables={}, error=broken), {}


def _append_range(row: dict[str, Any], part: int, start: int, stop: int) -> None:
    row["part"].append(part)
    row["start"].append(start)
    row["stop"].append(stop)


def _index_row(outcome: SimOutcome, job: str, written_at: str) -> dict[str, Any]:
    request, task, error = outcome.request, outcome.request.task, outcome.error
    return {
        "sim_key": request.sim_key,
        "param_id": task.params.param_id,
        "replicate": request.replicate,
        "seed": task.seed,
        "entrypoint": task.import_path,
        "scenario": task.scenario,
        "params": json.dumps(dict(task.params.params)),
        "status": outcome.status,
        "part": [],
        "start": [],
        "stop": [],
        "parts": "",
        "wall": outcome.wall,
        "cpu": outcome.cpu,
        "peak_bytes": outcome.peak_bytes,
        "worker": outcome.worker,
        "job": job,
        "error_type": error.error_type if error else "",
        "error_message": error.message if error else "",
        "traceback": outcome.traceback,
        "stderr_tail": outcome.stderr_tail,
        "written_at": written_at,
    }


def _key_schema() -> dict[str, Any]:
    schema = index_schema()
    return {column: schema[column] for column in PART_COLUMNS}


def _with_keys(pile: _Pile, keys: pl.DataFrame) -> pl.DataFrame:
    """The pile's rows behind the key columns of the simulations they belong to."""
    import polars as pl

    own = pl.concat(pile.frames, how="vertical")
    own = own.rename({column: stored_name(column) for column in own.columns})
    counts = [frame.height for frame in pile.frames]
    return pl.concat([repeat_rows(keys[pile.owners], counts), own], how="horizontal")


def _assemble(
    name: str,
    code_digest: str,
    rows: Sequence[dict[str, Any]],
    outputs: Sequence[str],
    bodies: Sequence[pl.DataFrame],
) -> Segment:
    """Encode the parts, and put their description into every row of the index."""
    import polars as pl

    files: dict[str, bytes] = {}
    parts: list[Part] = []
    for number, (output, body) in enumerate(zip(outputs, bodies, strict=True)):
        path = part_path(code_digest, output, name, number)
        files[path] = encode(body)
        parts.append(Part(output, path, body.height, _sha256(files[path])))
    described = json.dumps([asdict(part) for part in parts])
    index = pl.DataFrame([{**row, "parts": described} for row in rows], schema=index_schema())
    return Segment(name, files, index)


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
