"""Stored scores: one row per evaluation and target, readable alone and exact when read back."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from modelops.results.layout import eval_folder, segment_of
from modelops.results.objects import Objects
from modelops.results.reading import read_table_file
from modelops_contracts.errors import NotFound
from modelops_contracts.evaluation import Evaluation, TargetScore

if TYPE_CHECKING:
    import polars as pl

__all__ = ["EvaluationShelf", "score_rows", "score_schema"]

_MERGE_EVERY = 32


class EvaluationShelf:
    """The evaluations of a store, by target digest and agg_key."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, dict[str, str]] = {}
        self._read: dict[str, set[str]] = {}
        self._recent: dict[str, list[str]] = {}

    def known(self, target_digest: str, keys: Iterable[str]) -> dict[str, Evaluation]:
        folder = eval_folder(target_digest)
        self._refresh(folder)
        texts = self._known.get(folder, {})
        return {key: Evaluation.from_json(json.loads(texts[key])) for key in keys if key in texts}

    def rows(self, target_digest: str) -> pl.DataFrame:
        """Every stored score of a target digest, each key once, without the JSON."""
        import polars as pl

        folder = eval_folder(target_digest)
        names = [segment_of(path) for path, _size in self._objects.list(folder)]
        frames = [self._load(folder, name) for name in names]
        together = pl.concat([pl.DataFrame(schema=score_schema()), *frames])
        return together.unique(["agg_key", "target"], keep="first", maintain_order=True)

    def append(
        self, target_digest: str, evaluations: Mapping[str, Evaluation], *, job: str
    ) -> None:
        """One new file; every 32 of them are merged into one."""
        import polars as pl

        folder = eval_folder(target_digest)
        rows = [
            row
            for key, evaluation in evaluations.items()
            for row in score_rows(key, evaluation, job=job)
        ]
        name = self._write(folder, pl.DataFrame(rows, schema=score_schema()))
        recent = self._recent.setdefault(folder, [])
        recent.append(name)
        if len(recent) >= _MERGE_EVERY:
            # Not found: another process has merged some of them.
            with contextlib.suppress(NotFound):
                self._merge(folder, recent)
            recent.clear()

    def compact(self) -> int:
        """Merge the files of every target; gives how many there were."""
        return sum(self._merge(folder, names) for folder, names in self._folders().items())

    def mergeable(self) -> int:
        """How many files :meth:`compact` would merge."""
        counts = [len(names) for names in self._folders().values()]
        return sum(count for count in counts if count > 1)

    def _folders(self) -> dict[str, list[str]]:
        folders: dict[str, list[str]] = {}
        for path, _size in self._objects.list("evals"):
            folders.setdefault(path.rpartition("/")[0], []).append(segment_of(path))
        return folders

    def _merge(self, folder: str, names: list[str]) -> int:
        import polars as pl

        if len(names) < 2:
            return 0
        frames = [self._load(folder, name) for name in names]
        self._write(folder, pl.concat(frames).unique(["agg_key", "target"], maintain_order=True))
        self._objects.delete(f"{folder}/{name}.parquet" for name in names)
        return len(names)

    def _refresh(self, folder: str) -> None:
        read = self._read.setdefault(folder, set())
        texts = self._known.setdefault(folder, {})
        for path, _size in self._objects.list(folder):
            name = segment_of(path)
            if name in read:
                continue
            try:
                frame = self._load(folder, name)
            except NotFound:
                # Merged by another process between listing and reading: its rows are in a file
                # that the next look finds.
                continue
            for key, text in frame.select("agg_key", "evaluation").iter_rows():
                texts.setdefault(key, text)
            read.add(name)

    def _load(self, folder: str, name: str) -> pl.DataFrame:
        return read_table_file(self._objects, f"{folder}/{name}.parquet")

    def _write(self, folder: str, frame: pl.DataFrame) -> str:
        buffer = io.BytesIO()
        frame.write_parquet(buffer, compression="zstd")
        name = f"{time.time_ns() // 1_000_000:013d}-{secrets.token_hex(4)}"
        self._objects.put_new(f"{folder}/{name}.parquet", buffer.getvalue())
        return name


def score_schema() -> dict[str, Any]:
    """Columns of a stored evaluation; ``evaluation`` holds the whole of it as JSON."""
    import polars as pl

    return {
        "agg_key": pl.String,
        "param_id": pl.String,
        "target": pl.String,
        "kind": pl.String,
        "value": pl.Float64,
        "weight": pl.Float64,
        "n_observed": pl.Int64,
        "n_used": pl.Int64,
        "n_missing": pl.Int64,
        "n_replicates": pl.Int64,
        "n_failed": pl.Int64,
        "objective": pl.Float64,
        "objective_se": pl.Float64,
        "ess": pl.Float64,
        "flags": pl.List(pl.String),
        "reason": pl.String,
        "job": pl.String,
        "evaluation": pl.String,
    }


def score_rows(key: str, evaluation: Evaluation, *, job: str) -> list[dict[str, Any]]:
    """One row per target; one without a target when nothing could be scored."""
    common = {
        "agg_key": key,
        "param_id": evaluation.param_id,
        "n_replicates": len(evaluation.seeds),
        "n_failed": len(evaluation.failures),
        "objective": evaluation.objective,
        "objective_se": evaluation.objective_se,
        "ess": evaluation.ess,
        "reason": evaluation.reason,
        "job": job,
        "evaluation": json.dumps(evaluation.to_json()),
    }
    scores = [_score(score, evaluation) for score in evaluation.scores]
    return [{**common, **score} for score in scores or [_no_score(evaluation)]]


def _score(score: TargetScore, evaluation: Evaluation) -> dict[str, Any]:
    return {
        "target": score.target,
        "kind": score.kind,
        "value": score.value,
        "weight": score.weight,
        "n_observed": score.n_observed,
        "n_used": score.n_used,
        "n_missing": score.n_observed - score.n_used,
        "flags": [*evaluation.flags, *score.flags],
    }


def _no_score(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "target": None,
        "kind": evaluation.kind,
        "value": None,
        "weight": None,
        "n_observed": None,
        "n_used": None,
        "n_missing": None,
        "flags": list(evaluation.flags),
    }
