"""Small tables and targets for tests of alignment and evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from modelops_calabaria.alignment import AlignedData, ExactJoin
from modelops_calabaria.evaluation.joint import evaluate_joint
from modelops_contracts.evaluation import Evaluation

PARAM_ID = "f" * 64


def frame(**columns: Sequence[Any]) -> pl.DataFrame:
    return pl.DataFrame({name: list(values) for name, values in columns.items()}, strict=False)


def aligned(
    observed: Mapping[str, Sequence[Any]], *replicates: Mapping[str, Sequence[Any]]
) -> AlignedData:
    """Tables without keys of their own, joined by row number."""
    return ExactJoin("i").align(_numbered(observed), [_numbered(item) for item in replicates])


def _numbered(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    return pl.DataFrame(dict(columns)).with_row_index("i")


def output(name: str = "out", **columns: Sequence[Any]) -> dict[str, pl.DataFrame]:
    """The outputs of one replicate: one table."""
    return {name: frame(**columns)}


def joint(
    targets: Sequence[Any],
    outputs: Sequence[Mapping[str, pl.DataFrame] | None],
    *,
    params: Mapping[str, Any] | None = None,
    **options: Any,
) -> Evaluation:
    """``evaluate_joint`` with the seeds 100, 101, ..."""
    seeds = range(100, 100 + len(outputs))
    options.setdefault("seeds", tuple(seeds))
    return evaluate_joint(targets, outputs, param_id=PARAM_ID, params=params or {}, **options)
