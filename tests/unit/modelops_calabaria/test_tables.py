from __future__ import annotations

from io import BytesIO

import polars as pl
import pytest

from modelops_calabaria.tables import add_seed, frame_from_ipc, frame_to_ipc
from modelops_contracts.errors import IntegrityError

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
