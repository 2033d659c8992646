"""Reads the tables of what must not happen: each line names the tests that would see it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def read_items(page: Path) -> dict[str, list[tuple[str, str]]]:
    """Return `what -> tests (path, function)` of every line of the page's tables."""
    lines = page.read_text(encoding="utf-8").splitlines()
    rows = [line.strip("|").split("|") for line in lines if line.startswith("| ")]
    return {
        row[0].strip(): NAMED.findall(row[1])
        for row in rows
        if len(row) == 2 and row[0].strip() != "what"
    }


def absent_tests(items: dict[str, list[tuple[str, str]]]) -> list[str]:
    """Return the named tests that are not there, and the lines that name none."""
    missing = [what for what, tests in items.items() if not tests]
    named = {test for tests in items.values() for test in tests}
    return missing + [
        f"{path}::{name}" for path, name in sorted(named) if name not in _functions(path)
    ]


def _functions(path: str) -> set[str]:
    file = TESTS / path
    if not file.exists():
        return set()
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
