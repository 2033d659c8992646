"""Whatever tables simulations give, in whatever batches: the store gives them back."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from modelops.results.arrow import read_table
from modelops.results.layout import own_name, part_path, stored_name
from modelops.results.store import ResultsStore
from support.outcomes import CODE, ok, sim_request

KINDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int": (pl.Int64, st.integers(-(2**63), 2**63 - 1)),
    "float": (pl.Float64, st.floats()),
    "text": (pl.String, st.text(max_size=5)),
    "flag": (pl.Boolean, st.booleans()),
    "list": (pl.List(pl.Int8), st.lists(st.integers(-9, 9), max_size=3)),
    "day": (pl.Date, st.dates()),
}
NAMES = st.sampled_from(["day", "cases", "seed", "replicate", "sim_key", "seed__own", "é x"])


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    height = draw(st.integers(0, 4))
    names = draw(st.lists(NAMES, unique=True, max_size=4))
    columns = {}
    for name in names:
        dtype, values = KINDS[draw(st.sampled_from(sorted(KINDS)))]
        listed = st.lists(st.none() | values, min_size=height, max_size=height)
        columns[name] = pl.Series(name, draw(listed), dtype)
    return pl.DataFrame(columns)


OUTPUTS = st.dictionaries(st.sampled_from(["out", "index", "a/b"]), frames(), max_size=2)


@settings(max_examples=60, deadline=None)
@given(st.lists(OUTPUTS, min_size=1, max_size=8), st.integers(1, 4), st.booleans())
def test_tables_come_back(
    simulations: list[dict[str, pl.DataFrame]], per_batch: int, compact: bool
) -> None:
    requests = [sim_request(seed) for seed in range(len(simulations))]
    outcomes = [ok(r, **tables) for r, tables in zip(requests, simulations, strict=True)]
    with tempfile.TemporaryDirectory() as folder:
        store = ResultsStore.open(Path(folder))
        for start in range(0, len(outcomes), per_batch):
            store.append(CODE, outcomes[start : start + per_batch], job="j")
        if compact:
            store.compact()
        assert store.verify() == []
        found = ResultsStore.open(Path(folder)).tables(CODE, [r.sim_key for r in requests])
        for request, tables in zip(requests, simulations, strict=True):
            back = {name: read_table(data) for name, data in found[request.sim_key].items()}
            assert back.keys() == tables.keys()
            for name, table in tables.items():
                assert_frame_equal(back[name], table)
        for output in ("out", "index", "a/b"):
            expected = sum(tables[output].height for tables in simulations if output in tables)
            assert store.frame(CODE, output).height == expected


@given(st.text())
def test_stored_names_can_be_turned_back(column: str) -> None:
    assert own_name(stored_name(column)) == column
    assert stored_name(column) not in {"sim_key", "param_id", "replicate", "seed"}


@given(st.text(min_size=1), st.text(min_size=1))
def test_outputs_never_share_a_folder(one: str, other: str) -> None:
    paths = [part_path(CODE, output, "s", 0) for output in (one, other)]
    assert (paths[0] == paths[1]) == (one == other)
    assert all(path.count("/") == 3 for path in paths)
    assert all(path.split("/")[2] not in {"index", ".", ".."} for path in paths)
