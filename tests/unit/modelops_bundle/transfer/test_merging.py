"""The decision for every path, and the merge of registries; nothing is on disk here."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from modelops_bundle.transfer.merging import compare_three, merge_registries, plan_files

A, B, C = ("a" * 64, "0644"), ("b" * 64, "0644"), ("c" * 64, "0644")

# local, remote, base -> decision
TABLE = [
    (None, A, None, "take"),
    (A, A, None, ""),
    (A, None, None, "keep"),
    (A, B, None, "both changed"),
    (A, A, A, ""),
    (A, B, A, "take"),
    (A, None, A, "delete"),
    (B, A, A, "keep"),
    (B, C, A, "both changed"),
    (B, B, A, ""),
    (B, None, A, "deleted there"),
    (None, A, A, "removed"),
    (None, B, A, "deleted here"),
    (None, None, A, ""),
]


def decide(local: Any, remote: Any, base: Any, disk: Any = None) -> str:
    def state(facts: Any) -> dict[str, Any]:
        return {"p": facts} if facts is not None else {}

    plan = plan_files(state(local), state(remote), state(base), state(disk or local))
    groups = ("take", "adopt", "delete", "keep", "removed")
    found = [name for name in groups if getattr(plan, name)]
    found += [item.cause for item in plan.conflicts]
    assert len(found) <= 1
    return "".join(found)


@pytest.mark.parametrize(("local", "remote", "base", "wanted"), TABLE)
def test_three_ways(local: Any, remote: Any, base: Any, wanted: str) -> None:
    assert decide(local, remote, base) == wanted


def test_every_combination_is_decided_and_none_loses_a_change() -> None:
    values = (None, A, B, C)
    for local, remote, base in itertools.product(values, repeat=3):
        found = decide(local, remote, base)
        if found in {"take", "delete"}:
            assert local == base, "a local change would be lost"
        if found in {"keep", "removed"}:
            assert remote == base, "a remote change would be missed"


@pytest.mark.parametrize(
    ("disk", "remote", "base", "wanted"),
    [
        (A, A, None, "adopt"),
        (A, B, None, "untracked"),
        (A, B, A, "untracked"),
        (A, None, A, ""),
        (B, A, A, "removed"),
    ],
)
def test_untracked_files_are_never_touched(disk: Any, remote: Any, base: Any, wanted: str) -> None:
    assert decide(None, remote, base, disk) == wanted


def test_differences_are_grouped_by_who_made_them() -> None:
    found = compare_three(
        {"mine": A, "edited": B, "old": A, "gone there": A, "both": B},
        {"theirs": A, "edited": A, "old": B, "gone here": A, "both": C},
        {"edited": A, "old": A, "gone there": A, "gone here": A, "both": A},
    )
    assert found.local_only == ("mine",)
    assert found.remote_only == ("theirs",)
    assert found.modified_locally == ("edited",)
    assert found.modified_remotely == ("old",)
    assert found.deleted_locally == ("gone here",)
    assert found.deleted_remotely == ("gone there",)
    assert [item.path for item in found.conflicts] == ["both"]


def registry(**sections: Any) -> dict[str, Any]:
    return {"version": "1.0", "models": {}, "targets": {}, "target_sets": {}, **sections}


def test_entries_of_both_sides_are_kept() -> None:
    base = registry(targets={"a": {"path": "a.py", "digest": "1"}})
    local = registry(targets={**base["targets"], "b": {"path": "b.py"}})
    remote = registry(targets={"a": {"path": "a.py", "digest": "2"}, "c": {"path": "c.py"}})
    merged, clashes = merge_registries(local, remote, base)
    assert clashes == ()
    assert set(merged["targets"]) == {"a", "b", "c"}


def test_a_deletion_there_and_an_edit_here() -> None:
    base = registry(targets={"a": {"path": "a.py"}, "b": {"path": "b.py"}})
    local = registry(targets={"a": {"path": "a.py"}, "b": {"path": "b.py", "weight": 2.0}})
    remote = registry()
    merged, clashes = merge_registries(local, remote, base)
    assert clashes == ("targets.b",)
    assert "a" not in merged["targets"]
    mine, none = merge_registries(local, remote, base, prefer="local")
    theirs, _ = merge_registries(local, remote, base, prefer="remote")
    assert none == ()
    assert (set(mine["targets"]), set(theirs["targets"])) == ({"b"}, set())


def test_digests_are_no_conflict() -> None:
    def one(digest: str) -> dict[str, Any]:
        return registry(models={"m": {"path": "m.py", "digest": digest, "code_digests": {}}})

    merged, clashes = merge_registries(one("1"), one("2"), one("0"))
    assert clashes == ()
    assert merged["models"]["m"]["path"] == "m.py"


def test_moves_of_both_sides_are_kept() -> None:
    def moves(*pairs: tuple[str, str]) -> list[dict[str, str]]:
        return [{"kind": "target", "from": old, "to": new} for old, new in pairs]

    merged, clashes = merge_registries(
        registry(moved=moves(("a", "b"))), registry(moved=moves(("x", "y"))), registry()
    )
    assert clashes == ()
    assert merged["moved"] == moves(("a", "b"), ("x", "y"))


def test_what_undoes_our_push_is_asked_about() -> None:
    def state(digests: dict[str, str]) -> dict[str, tuple[str, str]]:
        return {path: (digest, "0644") for path, digest in digests.items()}

    ours = state({"a": "2", "b": "2", "new": "1", "c": "2"})
    theirs = state({"a": "1", "b": "3", "c": "2", "d": "1"})
    replaced = {**state({"a": "1", "b": "1"}), "new": None}
    plan = plan_files(ours, theirs, ours, ours, replaced)
    assert [str(item) for item in plan.conflicts] == ["a (undone there)", "new (undone there)"]
    assert plan.take == ("b", "d")
    assert plan.delete == ()


def test_entries_that_our_push_made_are_not_dropped_unasked() -> None:
    before = {"targets": {"old": {"weight": 1}, "same": {"weight": 1}}}
    ours = {"targets": {"old": {"weight": 2}, "same": {"weight": 1}, "new": {"weight": 3}}}
    theirs = {"targets": {"old": {"weight": 1}, "other": {"weight": 1}}}
    merged, clashes = merge_registries(ours, theirs, ours, replaced=before)
    assert clashes == ("targets.old", "targets.new")
    assert {"new", "old", "other"} == set(merged["targets"])
    kept, none = merge_registries(ours, theirs, ours, replaced=before, prefer="local")
    assert none == ()
    assert kept["targets"] == {
        "new": {"weight": 3}, "old": {"weight": 2}, "other": {"weight": 1},
    }  # fmt: skip
    taken, _ = merge_registries(ours, theirs, ours, replaced=before, prefer="remote")
    assert taken["targets"] == theirs["targets"]
