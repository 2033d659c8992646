"""Journals that were tampered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops.jobs.journal import FileJournal, read_lines
from modelops_contracts.errors import IntegrityError


def test_no_file_is_an_empty_journal(tmp_path: Path) -> None:
    assert list(FileJournal(tmp_path / "none").records()) == []


@pytest.mark.parametrize("line", ["{", "[1]", "nonsense"])
def test_damage_in_the_middle_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "j.jsonl"
    path.write_text(f'{{"a":1}}\n{line}\n{{"b":2}}\n')
    with pytest.raises(IntegrityError, match=r"j\.jsonl:2"):
        list(read_lines(path))


def test_numbers_that_json_lacks_are_refused(tmp_path: Path) -> None:
    journal = FileJournal(tmp_path / "j")
    with pytest.raises(ValueError, match="JSON compliant"):
        journal.append({"x": float("nan")})
    assert list(journal.records()) == []
