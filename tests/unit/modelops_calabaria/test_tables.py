from __future__ import annotations

from io import BytesIO

import pandas as pd
import polars as pl
import pytest

from modelops_calabaria.tables import add_seed, as_frame, frame_from_ipc, frame_to_ipc
from modelops_contracts.errors import IntegrityError, InvalidType, InvalidValue

FRAME = pl.DataFrame({"a": [1, 2], "b": ["x", None]})


def test_both_arrow_formats_are_read():
    assert frame_from_ipc(frame_to_ipc(FRAME)).equals(FRAME)
    assert frame_to_ipc(FRAME).startswith(b"ARROW1")
    stream = BytesIO()
    FRAME.write_ipc_stream(stream)
    assert frame_from_ipc(stream.getvalue()).equals(FRAME)


def test_bytes_are_the_same_every_time():
    assert frame_to_ipc(FRAME) == frame_to_ipc(FRAME.clone())


@pytest.mark.parametrize("data", [b"", b"ARROW1 and then nothing", b"\0" * 40])
def test_broken_bytes_are_named(data):
    with pytest.raises(IntegrityError, match="output 'x': not readable"):
        frame_from_ipc(data, "output 'x'")


def test_an_empty_table_stays_empty():
    assert add_seed(FRAME.clear(), 3, "x").height == 0
    assert add_seed(pl.DataFrame(), 3, "x").columns == ["seed"]


@pytest.mark.parametrize("make", [pl.DataFrame, pd.DataFrame])
def test_a_column_of_python_objects_is_refused(make):
    table = make({"n": [1], "who": [object()]})
    with pytest.raises(InvalidType, match="output 'x': column 'who' holds Python objects"):
        as_frame(table, "output 'x'")


@pytest.mark.parametrize("names", [["a", "b", "a"], [1, "b", "1"]])
def test_pandas_columns_that_share_a_name_are_refused(names):
    table = pd.DataFrame([[1, 2, 3]], columns=names)
    with pytest.raises(InvalidValue, match="output 'x' has more than one column"):
        as_frame(table, "output 'x'")


def test_missing_values_of_pandas_are_none():
    table = pd.DataFrame(
        {
            "flag": pd.array([True, None], dtype="boolean"),
            "text": pd.Series(["a", None]),
            "day": pd.to_datetime(["2020-01-01", None]),
        }
    )
    frame = as_frame(table, "output 'x'")
    assert frame.row(1) == (None, None, None)
    assert frame.schema["flag"] == pl.Boolean


def test_missing_whole_numbers_of_pandas_stay_whole_numbers():
    large = 2**53 + 1
    table = pd.DataFrame(
        {"n": pd.array([large, None], dtype="Int64"), "x": pd.array([0.5, None], dtype="Float64")}
    )
    frame = as_frame(table, "output 'x'")
    assert frame.schema == {"n": pl.Int64, "x": pl.Float64}
    assert frame.to_dict(as_series=False) == {"n": [large, None], "x": [0.5, None]}


def test_an_index_of_pandas_that_has_a_name_is_a_column():
    cases = pd.DataFrame({"age": ["old", "young", "old"], "day": [1, 1, 2], "cases": [1, 2, 3]})
    frame = as_frame(cases.groupby(["age", "day"]).sum(), "output 'x'")
    assert frame.columns == ["age", "day", "cases"]
    assert frame.rows() == [("old", 1, 1), ("old", 2, 3), ("young", 1, 2)]
    assert as_frame(cases.iloc[1:], "output 'x'").columns == ["age", "day", "cases"]
    both = cases.set_index("day", drop=False)
    assert as_frame(both, "output 'x'").columns == ["age", "day", "cases"]


def test_a_pandas_column_of_mixed_values_is_refused_by_name():
    table = pd.DataFrame({"n": [1, 2], "what": [1, "a"]})
    with pytest.raises(InvalidType, match="output 'x': column 'what'"):
        as_frame(table, "output 'x'")
