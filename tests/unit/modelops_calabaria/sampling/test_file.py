from __future__ import annotations

import json

import polars as pl
import pytest

from modelops_calabaria.parameters import ParameterSpace, ParameterSpec
from modelops_calabaria.sampling import FileSampler
from modelops_contracts.errors import InvalidInput

SPACE = ParameterSpace([ParameterSpec("beta", 0, 1), ParameterSpec("n", 1, 5, "int")])


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_every_format_reads_alike(tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    frame = pl.DataFrame({"beta": [0.5, 1.0], "n": [2, 3], "seed": [7, None]})
    if suffix == "csv":
        frame.write_csv(path)
    elif suffix == "parquet":
        frame.write_parquet(path)
    else:
        path.write_text(json.dumps(frame.to_dicts()))
    sampler = FileSampler(SPACE, path)
    assert sampler.sample() == [{"beta": 0.5, "n": 2}, {"beta": 1.0, "n": 3}]
    assert sampler.seeds() == [7, None]
    assert sampler.sample(1, start=1) == [{"beta": 1.0, "n": 3}]


def test_all_bad_cells_at_once(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("beta,n,seed\n0.5,2,1\nx,2.5,1\n7,,-1\n")
    with pytest.raises(InvalidInput) as caught:
        FileSampler(SPACE, path).sample()
    assert [detail.path for detail in caught.value.details] == [
        "row 2, column beta",
        "row 3, column beta",
        "row 2, column n",
        "row 3, column n",
    ]
    with pytest.raises(InvalidInput, match="row 3, column seed"):
        FileSampler(SPACE, path).seeds()


def test_strange_columns(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_text("bata,n\n0.5,2\n")
    with pytest.raises(InvalidInput, match="no parameters: bata") as caught:
        FileSampler(SPACE, path)
    assert "beta" in caught.value.hint
    assert FileSampler(SPACE, path, ignore_columns=True).sample() == [{"n": 2}]


def test_unreadable_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        FileSampler(SPACE, tmp_path / "none.csv")
    for name, text, fragment in (
        ("a.txt", "", "not a design file"),
        ("a.csv", "beta\n", "no rows"),
        ("b.csv", "beta\n1,2\n", "row 1 has more cells"),
        ("c.csv", "beta,beta\n1,2\n", "more than one column is named beta"),
        ("a.json", "{", "not readable as JSON"),
        ("b.json", "[1]", "expected a list of objects"),
        ("c.json", '{"beta": [1], "n": [1, 2]}', "different lengths"),
        ("a.parquet", "no", "not readable as parquet"),
    ):
        path = tmp_path / name
        path.write_text(text)
        with pytest.raises(InvalidInput, match=fragment):
            FileSampler(SPACE, path)


def test_a_file_in_another_encoding_is_told(tmp_path):
    (tmp_path / "latin.csv").write_bytes("beta,größe\n1,2\n".encode("latin-1"))
    with pytest.raises(InvalidInput, match=r"latin\.csv: not readable as UTF-8") as caught:
        FileSampler(SPACE, tmp_path / "latin.csv")
    assert caught.value.hint == "save the file as UTF-8"
