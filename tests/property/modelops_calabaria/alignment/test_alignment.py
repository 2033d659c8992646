"""Alignment on random tables: row counts, order, repeated keys, and the account of rows."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelops_calabaria.alignment import AlignedData, AlignmentError, ExactJoin, MetricAlignment

KEYS = st.lists(st.integers(-3, 12), min_size=1, max_size=8, unique=True)
RUNS = st.lists(KEYS, min_size=1, max_size=5)


def observed(keys: list[int]) -> pl.DataFrame:
    return pl.DataFrame({"k": keys, "y": [float(k) for k in keys]})


def simulated(keys: list[int], replicate: int) -> pl.DataFrame:
    """Values that say where they come from."""
    return pl.DataFrame({"k": keys, "y": [100.0 * replicate + k for k in keys]})


def align(keys: list[int], runs: list[list[int]]) -> AlignedData | None:
    tables = [simulated(run, r) for r, run in enumerate(runs)]
    if not set(keys) & {k for run in runs for k in run}:
        with pytest.raises(AlignmentError):
            ExactJoin("k").align(observed(keys), tables)
        return None
    return ExactJoin("k").align(observed(keys), tables)


@given(KEYS, RUNS)
def test_one_row_per_replicate_and_observed_row(keys: list[int], runs: list[list[int]]) -> None:
    aligned = align(keys, runs)
    if aligned is None:
        return
    assert len(aligned) == len(keys) * len(runs)
    assert aligned.data["k"].to_list() == keys * len(runs)
    assert aligned.data["__replicate"].to_list() == [r for r in range(len(runs)) for _ in keys]


@given(KEYS, RUNS)
def test_only_equal_keys_meet(keys: list[int], runs: list[list[int]]) -> None:
    aligned = align(keys, runs)
    if aligned is None:
        return
    expected = [100.0 * r + k if k in run else None for r, run in enumerate(runs) for k in keys]
    assert aligned.data["y__sim"].to_list() == expected


@given(KEYS, RUNS)
def test_every_row_stands_in_the_account(keys: list[int], runs: list[list[int]]) -> None:
    aligned = align(keys, runs)
    if aligned is None:
        return
    coverage = aligned.coverage
    assert coverage is not None
    assert (coverage.n_observed, coverage.n_replicates) == (len(keys), len(runs))
    assert list(coverage.matched) == [len(set(keys) & set(run)) for run in runs]
    assert coverage.n_sim_unused == sum(len(set(run) - set(keys)) for run in runs)
    assert coverage.n_unmatched == aligned.data["y__sim"].null_count()
    assert len(coverage.missing_keys) == min(20, coverage.n_unmatched)


@given(KEYS, RUNS, st.randoms(use_true_random=False))
def test_order_of_replicates_and_rows(
    keys: list[int], runs: list[list[int]], chance: np.random.Generator
) -> None:
    aligned = align(keys, runs)
    if aligned is None:
        return
    order = list(range(len(runs)))
    chance.shuffle(order)
    shuffled = [chance.sample(runs[r], len(runs[r])) for r in order]
    tables = [simulated(run, r) for run, r in zip(shuffled, order, strict=True)]
    other = ExactJoin("k").align(observed(keys), tables)
    assert np.array_equal(other.grid("y__sim"), aligned.grid("y__sim")[order], equal_nan=True)


@given(KEYS, st.lists(st.integers(1, 3), min_size=8, max_size=8))
def test_repeated_keys_never_add_rows(keys: list[int], times: list[int]) -> None:
    repeated = [k for k, n in zip(keys, times, strict=False) for _ in range(n)]
    table = pl.DataFrame({"k": repeated, "y": [float(i) for i in range(len(repeated))]})
    if len(repeated) > len(keys):
        with pytest.raises(AlignmentError):
            ExactJoin("k").align(observed(keys), [table])
    for rule in ("sum", "mean", "last"):
        aligned = ExactJoin("k", duplicates=rule).align(observed(keys), [table, table])
        assert len(aligned) == 2 * len(keys)
        groups = table.group_by("k", maintain_order=True).agg(getattr(pl.col("y"), rule)())
        expected = dict(groups.iter_rows())
        assert aligned.data["y__sim"].to_list() == pytest.approx([expected[k] for k in keys] * 2)


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(-1e6, 1e6), min_size=1, max_size=6),
    st.integers(1, 4),
    st.booleans(),
)
def test_metrics_in_either_layout_are_the_same(
    values: dict[str, float], replicates: int, one_table: bool
) -> None:
    wide = [
        pl.DataFrame({**{k: [v + r] for k, v in values.items()}, "seed": [r]})
        for r in range(replicates)
    ]
    long = [
        pl.DataFrame({"metric": list(values), "value": [v + r for v in values.values()], "seed": r})
        for r in range(replicates)
    ]
    made = [pl.concat(side) if one_table else side for side in (wide, long)]
    tables = [MetricAlignment().align(values, side) for side in made]
    assert tables[0].data.equals(tables[1].data)
    assert len(tables[0]) == len(values) * replicates
    assert tables[0].data["metric"].to_list() == list(values) * replicates
