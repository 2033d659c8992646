from __future__ import annotations

import pytest

from modelops.jobs.explain import compare_code

BEFORE = b"""
LIMIT = 3

def helper(x):
    return x + 1

class Model:
    SIZE = 2

    def run(self, x):
        return helper(x)
"""


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        (b"x + 1", b"x + 2", ["helper"]),
        (b"x + 1", b"(x+1)  # same", []),
        (b"return helper(x)", b"return helper(x + 1)", ["Model.run"]),
        (b"SIZE = 2", b"SIZE = 3", ["Model"]),
        (b"LIMIT = 3", b"LIMIT = 4", ["statements outside functions"]),
        (b"def helper", b"def helped", ["helped", "helper"]),
    ],
)
def test_changed_definitions_are_named(old: bytes, new: bytes, changed: list[str]) -> None:
    found = compare_code("m.py", BEFORE, BEFORE.replace(old, new))
    assert found == [f"m.py: {name}" for name in changed]


def test_what_cannot_be_parsed_or_is_no_code_is_named_whole() -> None:
    assert compare_code("m.py", BEFORE, b"def (") == ["m.py: changed"]
    assert compare_code("data.csv", b"1", b"2") == ["data.csv: changed"]
