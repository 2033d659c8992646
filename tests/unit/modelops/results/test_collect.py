"""A collection removes what nobody named, whole, and nothing else."""

from __future__ import annotations

from pathlib import Path

from modelops.results.store import ResultsStore
from modelops_contracts.evaluation import Evaluation
from support.outcomes import CODE, incidence, ok, sim_request

OTHER = "d" * 64


def filled(tmp_path: Path) -> ResultsStore:
    store = ResultsStore.open(tmp_path / "results")
    store.append(CODE, [ok(sim_request(1), index=incidence(1))], job="j")
    store.append(OTHER, [ok(sim_request(2), index=incidence(2))], job="j")
    scored = Evaluation(param_id="p", seeds=(1,), objective=1.0, kind="loss", scores=())
    store.append_evaluations("e" * 64, {"k": scored}, job="j")
    return store


def test_what_is_named_stays(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = store.usage()
    found = store.collect([CODE], ["e" * 64])
    assert (found.codes, found.targets) == ((OTHER[:16],), ())
    assert store.usage().bytes == before.bytes - found.removed.bytes
    assert store.codes() == ["c" * 16]
    assert set(store.known(CODE, [sim_request(1).sim_key])) == {sim_request(1).sim_key}
    assert store.known(OTHER, [sim_request(2).sim_key]) == {}
    assert store.verify() == []
    assert set(store.known_evaluations("e" * 64, ["k"])) == {"k"}


def test_a_dry_run_says_the_same_and_removes_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = store.usage()
    planned = store.collect([], [], dry_run=True)
    assert store.usage() == before
    assert planned.removed == before
    assert store.collect([], []) == planned
    assert (store.usage().files, store.codes()) == (0, [])


def test_an_empty_store_has_nothing_to_give(tmp_path: Path) -> None:
    store = ResultsStore.open(tmp_path / "results")
    assert store.collect([], []).removed.files == 0
    assert (store.mergeable(), store.usage().bytes) == (0, 0)
    assert not (tmp_path / "results").exists()


def test_what_is_said_to_be_mergeable_is_merged(tmp_path: Path) -> None:
    store = filled(tmp_path)
    for seed in (3, 4):
        store.append(CODE, [ok(sim_request(seed), index=incidence(seed))], job="j")
    assert store.mergeable() == 3
    assert store.compact() == 3
    assert store.mergeable() == 0
