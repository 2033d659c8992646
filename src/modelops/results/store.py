"""The results store: what was simulated and scored, by key.

A segment exists when its index does; the index is written last and whole, so readers never see
half a batch and a killed writer leaves at most a part that nothing refers to.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modelops.engine.requests import SimOutcome
from modelops.results.arrow import write_table
from modelops.results.evaluations import EvaluationShelf
from modelops.results.frames import collect, take_ranges
from modelops.results.index import CodeIndex
from modelops.results.layout import (
    FORMAT,
    FORMAT_FILE,
    index_folder,
    segment_of,
    short_digest,
    sims_folder,
)
from modelops.results.objects import Objects, open_objects
from modelops.results.reading import read_part
from modelops.results.segments import (
    Part,
    Segment,
    build_segment,
    encode,
    merge_segments,
    own_columns,
    parts_of,
)
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import Conflict, IntegrityError, NotFound
from modelops_contracts.evaluation import Evaluation

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Collected", "Fault", "ResultsStore", "StoredSim", "Usage"]

T = TypeVar("T")

#: A writer merges so many of its segments into one, so many of those again into one, and so on.
_MERGE_EVERY = 8
_LARGEST_MERGE_BYTES = 64 << 20
_CACHE_BYTES = 256 << 20
_WRITER_SECONDS = 3600.0
_STORED = ("ok", "failed", "crashed", "timed_out")


@dataclass(frozen=True, slots=True)
class StoredSim:
    """What the index knows of one simulation."""

    sim_key: str
    param_id: str
    replicate: int
    seed: int
    entrypoint: str
    scenario: str
    status: str
    wall: float
    cpu: float
    peak_bytes: int
    job: str
    written_at: str

    @property
    def ok(self) -> bool:
        return self.status == "ok"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something in the store that is not as its index says."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Usage:
    """Files and bytes."""

    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection removed: shortened digests of code and of targets, and the space."""

    codes: tuple[str, ...]
    targets: tuple[str, ...]
    removed: Usage


class ResultsStore:
    """One store, opened. Not thread-safe; any number of processes may use it at once."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._indexes: dict[str, CodeIndex] = {}
        self._frames: dict[str, pl.DataFrame] = {}
        self._cached_bytes = 0
        self._recent: dict[str, list[dict[str, int]]] = {}
        self._writable = False
        self._evaluations = EvaluationShelf(objects)

    @classmethod
    def open(cls, root: Path | str) -> ResultsStore:
        """The store in a folder or at a URL; nothing is written before the first append.

        Raises Conflict when a newer version of this product wrote it.
        """
        objects = open_objects(root)
        _check_format(objects)
        return cls(objects)

    # ------------------------------------------------------------ simulations

    def known(
        self, code_digest: str, keys: Iterable[str], *, include_failed: bool = False
    ) -> dict[str, StoredSim]:
        """Which of ``keys`` are stored.

        Those that failed are left out unless asked for: they may be run again.
        """
        wanted = list(keys)
        rows = self._index(code_digest).lookup(wanted, ok_only=not include_failed)
        fields = list(StoredSim.__dataclass_fields__)
        found = {row["sim_key"]: StoredSim(**row) for row in rows.select(fields).to_dicts()}
        return {key: found[key] for key in wanted if key in found}

    def append(self, code_digest: str, outcomes: Sequence[SimOutcome], *, job: str) -> None:
        """Make finished simulations part of the store; durable when this returns.

        Failed ones are recorded too; cancelled ones are not. Small segments that this object
        wrote are merged as they pile up, so that any number of batches ends in few files.
        """
        finished = [outcome for outcome in outcomes if outcome.status in _STORED]
        if not finished:
            return
        name = _new_name()
        at = datetime.now(UTC).isoformat(timespec="milliseconds")
        segment = build_segment(name, code_digest, finished, job=job, written_at=at)
        self._write(code_digest, segment)
        self._keep_few(code_digest, segment)

    def tables(self, code_digest: str, keys: Iterable[str]) -> dict[str, dict[str, bytes]]:
        """Arrow IPC bytes per output of every stored simulation among ``keys``."""
        wanted = list(keys)
        return self._retried(code_digest, lambda: self._tables(code_digest, wanted))

    def frame(
        self, code_digest: str, output: str, keys: Iterable[str] | None = None
    ) -> pl.DataFrame:
        """Rows of one output: sim_key, param_id, replicate, seed, then the output's own columns.

        Simulations come in the order of ``keys``; without keys, all that are stored, by parameter
        set, replicate and seed. A column of the output that repeats one of the first four is
        left out; one that differs keeps its name with ``__own`` behind it. Where
        simulations disagree about a column's type, it is the wider one, or text.
        """
        listed = None if keys is None else list(keys)
        return self._retried(code_digest, lambda: self._frame(code_digest, output, listed))

    def outputs(self, code_digest: str, keys: Iterable[str]) -> list[str]:
        """Names of the outputs that stored simulations among ``keys`` have, sorted."""
        index = self._index(code_digest)
        rows = index.lookup(list(keys), ok_only=True)
        used = rows.select("segment", "part").explode("part").drop_nulls().unique()
        names = {index.parts(segment)[part].output for segment, part in used.iter_rows()}
        return sorted(names)

    def failures(self, code_digest: str, keys: Iterable[str]) -> pl.DataFrame:
        """Index rows, with error and traceback, of those of ``keys`` that did not end well."""
        import polars as pl

        return self._details(code_digest, list(keys), pl.col("status") != "ok")

    def parameters(self, code_digest: str, keys: Iterable[str]) -> dict[str, str]:
        """JSON of the parameters, by param_id, of the stored simulations among ``keys``."""
        import polars as pl

        rows = self._details(code_digest, list(keys), pl.lit(value=True))
        return dict(rows.select("param_id", "params").unique("param_id").iter_rows())

    def _details(self, code_digest: str, wanted: list[str], which: pl.Expr) -> pl.DataFrame:
        def read() -> pl.DataFrame:
            index = self._index(code_digest)
            return index.details(index.lookup(wanted, ok_only=False).filter(which))

        return self._retried(code_digest, read)

    # ------------------------------------------------------------ evaluations

    def known_evaluations(self, target_digest: str, keys: Iterable[str]) -> dict[str, Evaluation]:
        """Stored evaluations by agg_key."""
        return self._evaluations.known(target_digest, keys)

    def scores(self, target_digest: str, param_ids: Iterable[str]) -> pl.DataFrame:
        """Stored scores of these parameter sets, in their order: rows of ``score_schema``."""
        import polars as pl

        order = pl.DataFrame({"param_id": list(param_ids)}, schema={"param_id": pl.String})
        order = order.unique(maintain_order=True).with_row_index("__order")
        rows = self._retried(target_digest, lambda: self._evaluations.rows(target_digest))
        found = rows.join(order, on="param_id").sort("__order", "n_replicates", "agg_key")
        return found.drop("__order")

    def append_evaluations(
        self, target_digest: str, evaluations: Mapping[str, Evaluation], *, job: str
    ) -> None:
        """Store evaluations by agg_key; durable when this returns."""
        if evaluations:
            self._claim()
            self._evaluations.append(target_digest, evaluations, job=job)

    # ------------------------------------------------------------ care

    def codes(self) -> list[str]:
        """The shortened code digests that have simulations here."""
        paths = [path for path, _size in self._objects.list("sims")]
        return sorted({path.split("/")[1] for path in paths if path.count("/") > 1})

    def compact(self, code_digest: str | None = None) -> int:
        """Merge segments until each is large or the only one; gives how many were merged.

        Parts that no index refers to and that are older than any running writer are removed.
        """
        codes = self.codes() if code_digest is None else [short_digest(code_digest)]
        merged = sum(self._compact(code) for code in codes)
        return merged + (self._evaluations.compact() if code_digest is None else 0)

    def mergeable(self) -> int:
        """How many files a compaction would merge now."""
        groups = [_groups(self._segment_sizes(code), _LARGEST_MERGE_BYTES) for code in self.codes()]
        segments = sum(len(group) for of_code in groups for group in of_code)
        return segments + self._evaluations.mergeable()

    def usage(self) -> Usage:
        """Files and bytes of everything but the jobs."""
        sizes = [size for folder in ("sims", "evals") for _path, size in self._objects.list(folder)]
        return Usage(len(sizes), sum(sizes))

    def collect(
        self, codes: Iterable[str], targets: Iterable[str], *, dry_run: bool = False
    ) -> Collected:
        """Remove the simulations and evaluations of all digests but these.

        Nothing may write or read them meanwhile: the caller knows that no job is running.
        """
        kept = {
            "sims": {short_digest(digest) for digest in codes},
            "evals": {short_digest(digest) for digest in targets},
        }
        doomed: dict[str, int] = {}
        gone: dict[str, set[str]] = {"sims": set(), "evals": set()}
        for folder, digests in kept.items():
            for path, size in self._objects.list(folder):
                digest = path.split("/")[1]
                if digest not in digests:
                    doomed[path] = size
                    gone[folder].add(digest)
        if not dry_run:
            # Indexes first: what is half removed is seen by nobody.
            self._objects.delete(sorted(doomed, key=lambda path: path.split("/")[2] != "index"))
            self._indexes.clear()
        removed = Usage(len(doomed), sum(doomed.values()))
        return Collected(tuple(sorted(gone["sims"])), tuple(sorted(gone["evals"])), removed)

    def verify(self) -> list[Fault]:
        """Everything that is not as the indexes say: missing or changed parts, ranges, rows."""
        return [fault for code in self.codes() for fault in self._verify(code)]

    # ------------------------------------------------------------ private: reading

    def _index(self, code_digest: str) -> CodeIndex:
        code = short_digest(code_digest)
        index = self._indexes.get(code)
        if index is None:
            index = self._indexes[code] = CodeIndex(self._objects, index_folder(code))
        index.refresh()
        return index

    def _retried(self, code_digest: str, read: Callable[[], T]) -> T:
        """Another process may merge segments while we read: look again, three times at most."""
        for _attempt in range(3):
            try:
                return read()
            except NotFound:
                self._indexes.pop(short_digest(code_digest), None)
        return read()

    def _tables(self, code_digest: str, wanted: list[str]) -> dict[str, dict[str, bytes]]:
        index = self._index(code_digest)
        found: dict[str, dict[str, bytes]] = {}
        for row in index.lookup(wanted, ok_only=True).iter_rows(named=True):
            parts = index.parts(row["segment"])
            ranges = zip(row["part"], row["start"], row["stop"], strict=True)
            found[row["sim_key"]] = {
                parts[part].output: write_table(
                    own_columns(self._part(parts[part].path)[start:stop])
                )
                for part, start, stop in ranges
            }
        return {key: found[key] for key in wanted if key in found}

    def _frame(self, code_digest: str, output: str, keys: Sequence[str] | None) -> pl.DataFrame:
        index = self._index(code_digest)
        if keys is None:
            rows = index.everything().sort("param_id", "replicate", "seed", "sim_key")
        else:
            rows = index.lookup(keys, ok_only=True)
        places = rows.select("segment", "part", "start", "stop").with_row_index("order")
        places = places.explode("part", "start", "stop").drop_nulls("part")
        pieces: list[pl.DataFrame] = []
        for (segment, number), group in places.group_by("segment", "part", maintain_order=True):
            part = index.parts(str(segment))[int(number)]
            if part.output == output:
                ranges = (group["start"].to_list(), group["stop"].to_list())
                pieces.append(take_ranges(self._part(part.path), *ranges, group["order"].to_list()))
        return collect(pieces, rows["sim_key"])

    def _part(self, path: str) -> pl.DataFrame:
        frame = self._frames.get(path)
        if frame is None:
            frame = self._read_part(path)
            self._cached_bytes += int(frame.estimated_size())
            if self._cached_bytes > _CACHE_BYTES:
                self._frames.clear()
                self._cached_bytes = int(frame.estimated_size())
            self._frames[path] = frame
        return frame

    def _read_part(self, path: str) -> pl.DataFrame:
        return read_part(self._objects, path)

    # ------------------------------------------------------------ private: writing

    def _claim(self) -> None:
        """Say which format this store has, once."""
        if self._writable:
            return
        text = json.dumps({"schema": "modelops.results", "format": FORMAT}).encode()
        with contextlib.suppress(Conflict):
            self._objects.put_new(FORMAT_FILE, text)
        self._writable = True

    def _write(self, code_digest: str, segment: Segment) -> None:
        self._claim()
        for path, data in segment.files.items():
            self._objects.put_new(path, data)
        index = f"{index_folder(code_digest)}/{segment.name}.parquet"
        self._objects.put_new(index, encode(segment.index))

    def _keep_few(self, code_digest: str, written: Segment) -> None:
        """Merge what this object wrote, level by level, as long as it is not large.

        Each simulation is written again once per level: three times for a thousand batches.
        """
        levels = self._recent.setdefault(short_digest(code_digest), [])
        for level in itertools.count():
            if level == len(levels):
                levels.append({})
            recent = levels[level]
            recent[written.name] = sum(len(data) for data in written.files.values())
            if len(recent) < _MERGE_EVERY:
                return
            names, size = list(recent), sum(recent.values())
            recent.clear()
            if size > _LARGEST_MERGE_BYTES:
                return
            # Not found: another process has merged some of them.
            with contextlib.suppress(NotFound):
                written = self._merge(code_digest, names)
                continue
            return

    def _merge(self, code_digest: str, names: Sequence[str]) -> Segment:
        """Put several segments into one and remove them.

        A crash after the new index leaves some rows twice, which readers see once.
        """
        index = CodeIndex(self._objects, index_folder(code_digest))
        indexes = [index.read(name) for name in names]
        merged = merge_segments(_new_name(), code_digest, indexes, self._read_part)
        self._write(code_digest, merged)
        self._objects.delete(index.path(name) for name in names)
        self._objects.delete(part.path for one in indexes for part in parts_of(one))
        return merged

    # ------------------------------------------------------------ private: care

    def _compact(self, code: str) -> int:
        with self._only_one():
            sizes = self._segment_sizes(code)
            merged = 0
            for group in _groups(sizes, _LARGEST_MERGE_BYTES):
                self._merge(code, group)
                merged += len(group)
            self._objects.delete(self._abandoned(code))
            self._recent.pop(code, None)
            return merged

    def _only_one(self) -> contextlib.AbstractContextManager[object]:
        """Two processes must not merge the same segments; in a bucket that only costs space."""
        folder = self._objects.folder
        return contextlib.nullcontext() if folder is None else FileLock(folder / "lock")

    def _segment_sizes(self, code: str) -> dict[str, int]:
        """Bytes of every visible segment, parts and index together."""
        visible = {segment_of(path) for path, _size in self._objects.list(index_folder(code))}
        sizes = dict.fromkeys(sorted(visible), 0)
        for path, size in self._objects.list(sims_folder(code)):
            name = _segment_of_file(path)
            if name in sizes:
                sizes[name] += size
        return sizes

    def _abandoned(self, code: str) -> list[str]:
        """Parts without an index, of segments whose writer would have finished long ago."""
        visible = self._segment_sizes(code)
        limit = _new_name(age_seconds=_WRITER_SECONDS)
        return [
            path
            for path, _size in self._objects.list(sims_folder(code))
            if (name := _segment_of_file(path)) not in visible and name < limit
        ]

    def _verify(self, code: str) -> list[Fault]:
        index = CodeIndex(self._objects, index_folder(code))
        index.refresh()
        faults: list[Fault] = []
        for segment in index.segments:
            for number, part in enumerate(index.parts(segment)):
                faults.extend(_check_part(self._objects, part))
                faults.extend(_check_ranges(index.read(segment), number, part))
        return faults


def _check_format(objects: Objects) -> None:
    try:
        text = objects.get(FORMAT_FILE)
    except NotFound:
        return
    try:
        found = int(json.loads(text)["format"])
    except (ValueError, KeyError, TypeError) as error:
        raise IntegrityError(
            f"{FORMAT_FILE} in {objects.where} is damaged",
            hint=f"remove {objects.where}/{FORMAT_FILE}; it holds nothing but a number",
        ) from error
    if found > FORMAT:
        raise Conflict(
            f"{objects.where} was written in results format {found}; this version reads {FORMAT}",
            hint="install a version of modelops that is at least as new as the one that wrote it",
            code="newer_format",
        )


def _check_part(objects: Objects, part: Part) -> list[Fault]:
    try:
        data = objects.get(part.path)
    except NotFound:
        return [Fault(part.path, "is missing")]
    if hashlib.sha256(data).hexdigest() != part.sha256:
        return [Fault(part.path, "does not match its checksum")]
    return []


def _check_ranges(index: pl.DataFrame, number: int, part: Part) -> list[Fault]:
    """The ranges of a part must cover each of its rows exactly once."""
    at = 0
    for numbers, starts, stops in index.select("part", "start", "stop").iter_rows():
        for which, start, stop in zip(numbers, starts, stops, strict=True):
            if which != number:
                continue
            if start != at or stop < start:
                return [Fault(part.path, f"rows {at} to {start} belong to no simulation")]
            at = stop
    return [] if at == part.rows else [Fault(part.path, f"has {part.rows} rows, {at} are indexed")]


def _groups(sizes: Mapping[str, int], most: int) -> list[list[str]]:
    """Neighbours that together stay below ``most`` bytes; groups of one are left out."""
    groups: list[list[str]] = [[]]
    total = 0
    for name, size in sizes.items():
        if total + size > most and groups[-1]:
            groups.append([])
            total = 0
        groups[-1].append(name)
        total += size
    return [group for group in groups if len(group) > 1]


def _segment_of_file(path: str) -> str:
    """The segment of an index or a part."""
    name = segment_of(path)
    return name if path.split("/")[2] == "index" else name.rpartition("-")[0]


def _new_name(*, age_seconds: float = 0.0) -> str:
    """Names sort by time of writing."""
    return f"{int((time.time() - age_seconds) * 1000):013d}-{secrets.token_hex(4)}"
