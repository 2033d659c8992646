from __future__ import annotations

from collections import Counter

from modelops_bundle.drift.renames import Candidate, Lost, is_only_proposal, match_renames

SKETCH = Counter({"a": 5, "b": 5})
NEAR = Counter({"a": 5, "b": 4, "c": 1})
FAR = Counter({"x": 10})
OUTPUT = frozenset({"output:cases"})


def lost(name: str, **given: object) -> Lost:
    values = {"path": "t.py", "body": f"body-{name}", "sketch": SKETCH, "facets": OUTPUT, **given}
    return Lost(id=name, symbol=name, **values)  # type: ignore[arg-type]


def candidate(name: str, **given: object) -> Candidate:
    values = {"path": "t.py", "body": f"body-{name}", "sketch": NEAR, "facets": OUTPUT,
              "tokens": 20, **given}  # fmt: skip
    return Candidate(symbol=name, **values)  # type: ignore[arg-type]


def pairs(old: list[Lost], new: list[Candidate]) -> list[tuple[str, str, bool]]:
    return [
        (match.lost.id, match.candidate.symbol, match.certain) for match in match_renames(old, new)
    ]


def test_the_name_in_the_decorator_is_the_entry() -> None:
    assert pairs([lost("a")], [candidate("b", explicit_name="a", sketch=FAR)]) == [("a", "b", True)]


def test_an_equal_body_in_the_same_file_is_a_rename() -> None:
    assert pairs([lost("a", body="x")], [candidate("b", body="x")]) == [("a", "b", True)]


def test_two_equal_bodies_are_never_guessed_between() -> None:
    twins = [candidate("b", body="x"), candidate("c", body="x")]
    assert pairs([lost("a", body="x")], twins) == [("a", "b", False), ("a", "c", False)]
    one = match_renames([lost("a", body="x")], twins)
    assert [item.similarity for item in one] == [1.0, 1.0]
    assert not any(is_only_proposal(item, one) for item in one)


def test_a_moved_definition_keeps_its_name() -> None:
    moved = candidate("a", path="new.py", body="body-a")
    assert pairs([lost("a")], [moved]) == [("a", "a", True)]


def test_a_short_body_elsewhere_proves_nothing() -> None:
    new = candidate("b", path="new.py", body="body-a", tokens=5, facets=frozenset())
    assert pairs([lost("a")], [new]) == []
    assert pairs([lost("a")], [candidate("b", path="new.py", body="body-a")]) == [("a", "b", True)]


def test_a_moved_and_edited_definition_is_certain_only_without_the_old_file() -> None:
    new = candidate("a", path="new.py", body="edited")
    assert pairs([lost("a", file_gone=True)], [new]) == [("a", "a", True)]
    assert pairs([lost("a")], [new]) == [("a", "a", False)]


def test_a_probable_rename_must_share_something_and_lead_clearly() -> None:
    assert pairs([lost("a")], [candidate("b")]) == [("a", "b", False)]
    assert pairs([lost("a")], [candidate("b", facets=frozenset({"output:other"}))]) == []
    assert pairs([lost("a")], [candidate("b", sketch=FAR)]) == []
    assert pairs([lost("a")], [candidate("b"), candidate("c")]) == []
    assert pairs([lost("a", sketch=None)], [candidate("b")]) == []


def test_each_side_is_used_once() -> None:
    old = [lost("a", body="x"), lost("b", body="y")]
    new = [candidate("c", body="x"), candidate("d", body="y")]
    assert pairs(old, new) == [("a", "c", True), ("b", "d", True)]
