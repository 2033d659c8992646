"""New keys in YAML files that people wrote comments into."""

from __future__ import annotations

from itertools import permutations
from textwrap import dedent

import pytest

from modelops_contracts.yaml_file import dump_yaml, parse_yaml, update_yaml

TEXT = dedent("""\
    # head
    version: '1.0'  # v
    models:
      # first of all
      a:
        x: 1
        data:
          - one
          - two   # inline

      # about c
      # two lines
      c:
        x: 3
        e: {}
      # about d
      d:
        x: 4  # four
    # about targets
    targets:
      t: {}
    # the end
    """)


def insert(**entries: object) -> str:
    wanted = parse_yaml(TEXT, "x")
    wanted["models"] = dict(sorted({**wanted["models"], **entries}.items()))
    return update_yaml(TEXT, wanted)


def test_a_comment_stays_above_its_key() -> None:
    expected = TEXT.replace("# inline\n", "# inline\n  b:\n    x: 2\n    data:\n      - q\n")
    assert insert(b={"x": 2, "data": ["q"]}) == expected


@pytest.mark.parametrize(
    ("key", "before"), [("a0", "\n  # about c"), ("cc", "  # about d"), ("0", "  # first")]
)
def test_every_gap(key: str, before: str) -> None:
    text = insert(**{key: {"x": 9}})
    new = f"  {key}:\n    x: 9\n" if key != "0" else "  '0':\n    x: 9\n"
    if key != "0":
        assert text == TEXT.replace(before, f"{new}{before.removeprefix(chr(10))}"
                                    if not before.startswith("\n") else new + before)  # fmt: skip
    assert parse_yaml(text, "x")["models"][key] == {"x": 9}
    for line in TEXT.splitlines():
        assert line in text.splitlines()


def test_several_at_once_and_at_the_end() -> None:
    text = insert(b={"x": 2}, bb={"x": 3}, z={"x": 5})
    assert list(parse_yaml(text, "x")["models"]) == ["a", "b", "bb", "c", "d", "z"]
    for line in TEXT.splitlines():
        assert text.count(line) >= 1
    above = text.splitlines()
    assert above[above.index("  c:") - 1] == "  # two lines"
    assert above[above.index("  d:") - 1] == "  # about d"
    assert above[above.index("targets:") - 1] == "# about targets"
    assert update_yaml(text, parse_yaml(text, "x")) == text


def test_the_order_of_arrival_is_not_seen() -> None:
    entries = {key: {"x": key, "data": [key]} for key in "abcd"}
    texts = set()
    for order in permutations(entries):
        text = dump_yaml({"models": {}})
        for count in range(1, 5):
            chosen = {key: entries[key] for key in sorted(order[:count])}
            text = update_yaml(text, {"models": chosen})
        texts.add(text)
    assert texts == {dump_yaml({"models": entries})}


def test_a_comment_goes_with_its_own_key_alone() -> None:
    wanted = parse_yaml(TEXT, "x")
    del wanted["models"]["a"]
    lines = update_yaml(TEXT, wanted).splitlines()
    assert lines[lines.index("  c:") - 1] == "  # two lines"
    del wanted["models"]["d"]
    assert "  # about d" not in update_yaml(TEXT, wanted)
    assert "# about targets" in update_yaml(TEXT, wanted)


def test_an_edit_elsewhere_moves_no_line() -> None:
    wanted = parse_yaml(TEXT, "x")
    wanted["models"]["d"]["x"] = 5
    assert update_yaml(TEXT, wanted) == TEXT.replace("x: 4", "x: 5")
    wanted["models"]["a"]["data"].append("three")
    assert "      - three\n" in update_yaml(TEXT, wanted)
