"""Many small tables are read together exactly as they are read alone."""

from __future__ import annotations

import io

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from modelops.results.arrow import count_rows, read_table, read_tables, write_table
from modelops_contracts.errors import InvalidInput
from support.outcomes import incidence, ipc


@pytest.mark.parametrize("height", [0, 1, 7, 1000])
def test_rows_are_counted_from_the_footer(height: int) -> None:
    assert count_rows(ipc(incidence(1, height))) == height


def test_rows_of_several_record_batches() -> None:
    buffer = io.BytesIO()
    incidence(1, 1000).write_ipc(buffer, record_batch_size=64)
    assert count_rows(buffer.getvalue()) == 1000


def test_a_table_without_columns_has_no_rows() -> None:
    assert count_rows(ipc(pl.DataFrame())) == 0


def test_a_mixed_lot_comes_back_in_order() -> None:
    frames = [incidence(i, i % 5) for i in range(20)]
    frames[7] = pl.DataFrame({"other": ["a"]})
    data = [ipc(frame, stream=i % 6 == 0) for i, frame in enumerate(frames)]
    data[11] = b"junk"
    data[12] = b"ARROW1junk"
    data[13] = data[13][:-20] + data[13][-10:]
    found = read_tables(data)
    for i, (frame, back) in enumerate(zip(frames, found, strict=True)):
        if i in {11, 12, 13}:
            assert isinstance(back, InvalidInput)
        else:
            assert isinstance(back, pl.DataFrame)
            assert_frame_equal(back, frame)


def test_categories_of_different_files_are_not_mixed_up() -> None:
    frames = [
        pl.DataFrame({"who": pl.Series([f"{i}", "x"], dtype=pl.Categorical)}) for i in range(10)
    ]
    back = read_tables([ipc(frame) for frame in frames])
    for frame, found in zip(frames, back, strict=True):
        assert isinstance(found, pl.DataFrame)
        assert found["who"].cast(pl.String).to_list() == frame["who"].cast(pl.String).to_list()


def test_written_tables_can_be_read() -> None:
    assert_frame_equal(read_table(write_table(incidence(3))), incidence(3))
