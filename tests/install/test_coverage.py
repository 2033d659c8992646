"""COVERAGE.md names tests that exist, and every test of this folder is named in it."""

from __future__ import annotations

import re
from pathlib import Path

from support.testbed import ROOT

HERE = Path(__file__).resolve().parent
HELPERS = {"test_coverage.py"}


def named() -> set[tuple[Path, str]]:
    text = (HERE / "COVERAGE.md").read_text()
    found = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    return {((ROOT if "/" in file else HERE) / file, name) for file, name in found}


def list_tests(file: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)\(", file.read_text(), flags=re.MULTILINE))


def test_every_named_test_exists() -> None:
    missing = [f"{file.name}::{name}" for file, name in named() if name not in list_tests(file)]
    assert missing == []


def test_every_row_names_a_test() -> None:
    rows = [line for line in (HERE / "COVERAGE.md").read_text().splitlines() if line[:1] == "|"]
    for row in rows:
        last = row.rstrip("|").rsplit("|", 1)[1]
        assert "::" in last or "benchmarks/" in last or last.strip() in {"test", "---"}, row


def test_no_test_is_forgotten() -> None:
    files = [file for file in HERE.glob("test_*.py") if file.name not in HELPERS]
    known = {name for _, name in named()}
    assert [name for file in files for name in sorted(list_tests(file)) if name not in known] == []
