from __future__ import annotations

import pytest

from modelops.jobs.documents import JobPlan
from modelops.jobs.explain import compare_code, compare_software
from support.plans import make_plan

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


def test_what_changed_in_an_environment_is_named() -> None:
    before = make_plan(environment="a" * 64, software={"numpy": "1", "walk": "1 (ab)", "old": "3"})
    after = make_plan(environment="b" * 64, software={"numpy": "1", "walk": "1 (cd)", "new": "2"})
    assert list(compare_software(after, before)) == [
        "new not there -> 2",
        "old 3 -> not there",
        "walk 1 (ab) -> 1 (cd)",
    ]
    other_python = make_plan(environment="b" * 64, software=before.software)
    assert list(compare_software(other_python, before)) == [
        "environment aaaaaaaaaaaa -> bbbbbbbbbbbb"
    ]
    assert JobPlan.from_json(after.to_json()) == after
    older = {key: value for key, value in after.to_json().items() if key != "software"}
    assert list(compare_software(JobPlan.from_json(older), before)) == [
        "environment aaaaaaaaaaaa -> bbbbbbbbbbbb"
    ]
