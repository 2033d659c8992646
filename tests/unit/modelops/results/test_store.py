"""The store gives back what was put in, whole or not at all, in few files."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from modelops.engine.requests import SimRequest, cancelled
from modelops.results.arrow import read_table
from modelops.results.store import ResultsStore
from modelops_contracts.errors import Conflict, IntegrityError
from modelops_contracts.evaluation import Evaluation, TargetScore
from support.outcomes import CODE, failed, incidence, ipc, ok, sim_request


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return ResultsStore.open(tmp_path / "results")


def files(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_opening_and_asking_write_nothing(tmp_path: Path) -> None:
    store = ResultsStore.open(tmp_path / "results")
    assert store.known(CODE, ["x"]) == {}
    assert store.tables(CODE, ["x"]) == {}
    assert store.frame(CODE, "out").is_empty()
    assert store.known_evaluations("t" * 64, ["x"]) == {}
    assert store.verify() == []
    assert not (tmp_path / "results").exists()


def test_tables_come_back_with_types_and_order(store: ResultsStore, tmp_path: Path) -> None:
    strange = pl.DataFrame(
        {
            "when": [date(1978, 1, 22), None],
            "ages": [[1, 2], []],
            "who": pl.Series(["a", "b"], dtype=pl.Enum(["a", "b"])),
            "part": [{"x": 1.5}, {"x": None}],
            "replicate": ["own", "column"],
            "seed__own": [1, 2],
            "seed": [7, 7],
            "small": pl.Series([1, 2], dtype=pl.Int8),
        }
    )
    first, second = sim_request(7), sim_request(8)
    store.append(CODE, [ok(first, a=strange, b=incidence(7)), ok(second, a=strange)], job="j")
    again = ResultsStore.open(tmp_path / "results").tables(CODE, [second.sim_key, first.sim_key])
    assert list(again) == [second.sim_key, first.sim_key]
    assert_frame_equal(read_table(again[first.sim_key]["a"]), strange)
    assert_frame_equal(read_table(again[first.sim_key]["b"]), incidence(7))
    assert set(again[second.sim_key]) == {"a"}


def test_stream_and_file_format_are_both_read(store: ResultsStore) -> None:
    request = sim_request()
    store.append(CODE, [ok(request, out=ipc(incidence(1), stream=True))], job="j")
    table = store.tables(CODE, [request.sim_key])[request.sim_key]["out"]
    assert_frame_equal(read_table(table), incidence(1))


def test_empty_tables_and_no_outputs(store: ResultsStore) -> None:
    empty, none = sim_request(1), sim_request(2)
    store.append(CODE, [ok(empty, out=incidence(1).clear()), ok(none)], job="j")
    found = store.tables(CODE, [empty.sim_key, none.sim_key])
    assert_frame_equal(read_table(found[empty.sim_key]["out"]), incidence(1).clear())
    assert found[none.sim_key] == {}


def test_types_of_one_simulation_do_not_change_those_of_another(store: ResultsStore) -> None:
    whole, real = sim_request(1), sim_request(2)
    tables = (pl.DataFrame({"x": [1]}), pl.DataFrame({"x": [1.5]}))
    store.append(CODE, [ok(whole, out=tables[0]), ok(real, out=tables[1])], job="j")
    found = store.tables(CODE, [whole.sim_key, real.sim_key])
    assert read_table(found[whole.sim_key]["out"]).schema == {"x": pl.Int64}
    assert store.frame(CODE, "out", [whole.sim_key, real.sim_key])["x"].to_list() == [1.0, 1.5]


def test_frame_follows_the_keys_and_the_models_own_order(store: ResultsStore) -> None:
    requests = [
        sim_request(seed, replicate=seed, beta=beta) for beta in (0.2, 0.1) for seed in (2, 1)
    ]
    for request in requests:
        table = incidence(request.task.seed).reverse()
        store.append(CODE, [ok(request, out=table)], job="j")
    frame = store.frame(CODE, "out", [request.sim_key for request in requests])
    assert frame.columns == ["sim_key", "param_id", "replicate", "seed", "day", "cases"]
    assert frame["sim_key"].unique(maintain_order=True).to_list() == [r.sim_key for r in requests]
    assert frame["day"].to_list() == [4, 3, 2, 1, 0] * 4
    assert store.frame(CODE, "none").is_empty()


def test_columns_that_disagree_become_text(store: ResultsStore) -> None:
    one, other = sim_request(1), sim_request(2)
    frames = (pl.DataFrame({"x": ["a"]}), pl.DataFrame({"x": [[1]], "y": [2]}))
    store.append(CODE, [ok(one, out=frames[0]), ok(other, out=frames[1])], job="j")
    frame = store.frame(CODE, "out", [one.sim_key, other.sim_key])
    assert frame["x"].dtype == pl.String
    assert frame["y"].to_list() == [None, 2]


def test_a_seed_column_that_differs_is_kept(store: ResultsStore) -> None:
    request = sim_request(5)
    store.append(CODE, [ok(request, out=pl.DataFrame({"seed": [99]}))], job="j")
    assert store.frame(CODE, "out", [request.sim_key])["seed__own"].to_list() == [99]


def test_failures_are_recorded_but_not_reused(store: ResultsStore) -> None:
    requests = [sim_request(seed) for seed in range(4)]
    statuses = ("failed", "crashed", "timed_out")
    outcomes = [failed(r, s) for r, s in zip(requests, statuses, strict=False)]
    store.append(CODE, [*outcomes, cancelled(requests[3])], job="j")
    keys = [r.sim_key for r in requests]
    assert store.known(CODE, keys) == {}
    known = store.known(CODE, keys, include_failed=True)
    assert [sim.status for sim in known.values()] == list(statuses)
    failures = store.failures(CODE, keys)
    assert failures["error_message"].to_list() == ["negative rate"] * 3
    assert failures["traceback"][0].startswith("Traceback")
    store.append(CODE, [ok(requests[0], out=incidence(1))], job="j2")
    assert list(store.known(CODE, keys)) == [keys[0]]
    assert store.failures(CODE, keys).height == 2


def test_an_output_that_is_no_table_costs_its_simulation_only(store: ResultsStore) -> None:
    bad, good = sim_request(1), sim_request(2)
    store.append(CODE, [ok(bad, out=b"junk"), ok(good, out=incidence(2))], job="j")
    keys = [bad.sim_key, good.sim_key]
    assert list(store.known(CODE, keys)) == [good.sim_key]
    assert "'out'" in store.failures(CODE, keys)["error_message"][0]


def test_many_batches_end_in_few_files(store: ResultsStore, tmp_path: Path) -> None:
    requests = [sim_request(seed) for seed in range(100)]
    for request in requests:
        store.append(CODE, [ok(request, out=incidence(request.task.seed))], job="j")
    keys = [request.sim_key for request in requests]
    before = store.frame(CODE, "out", keys)
    assert len(files(tmp_path / "results")) < 20
    assert store.compact() > 0
    assert len(files(tmp_path / "results")) <= 4
    assert_frame_equal(ResultsStore.open(tmp_path / "results").frame(CODE, "out", keys), before)
    assert_frame_equal(store.frame(CODE, "out", keys), before)
    assert store.verify() == []


def test_a_reader_survives_the_compaction_of_another_process(tmp_path: Path) -> None:
    writer, reader = (ResultsStore.open(tmp_path / "results") for _ in range(2))
    requests = [sim_request(seed) for seed in range(5)]
    for request in requests:
        writer.append(CODE, [ok(request, out=incidence(request.task.seed))], job="j")
    keys = [request.sim_key for request in requests]
    assert len(reader.known(CODE, keys)) == 5
    writer.compact()
    assert len(reader.tables(CODE, keys)) == 5
    assert reader.frame(CODE, "out", keys).height == 25


def test_the_same_simulation_twice_is_seen_once(store: ResultsStore) -> None:
    request = sim_request()
    for job in ("one", "two"):
        store.append(CODE, [ok(request, out=incidence(1))], job=job)
    assert store.known(CODE, [request.sim_key])[request.sim_key].job == "one"
    assert store.frame(CODE, "out").height == 5
    store.compact()
    assert store.frame(CODE, "out", [request.sim_key]).height == 5


def test_a_part_without_an_index_is_not_there(store: ResultsStore, tmp_path: Path) -> None:
    request = sim_request()
    store.append(CODE, [ok(request, out=incidence(1))], job="j")
    index = next((tmp_path / "results").rglob("index/*.parquet"))
    index.unlink()
    fresh = ResultsStore.open(tmp_path / "results")
    assert fresh.known(CODE, [request.sim_key]) == {}
    assert fresh.frame(CODE, "out").is_empty()


def test_verify_names_what_is_missing_or_changed(store: ResultsStore, tmp_path: Path) -> None:
    store.append(CODE, [ok(sim_request(), out=incidence(1), other=incidence(2))], job="j")
    parts = [p for p in (tmp_path / "results").rglob("*.parquet") if p.parent.name != "index"]
    assert store.verify() == []
    parts[0].write_bytes(parts[0].read_bytes() + b"x")
    parts[1].unlink()
    messages = sorted(fault.message for fault in store.verify())
    assert messages == ["does not match its checksum", "is missing"]


def test_an_output_may_be_called_anything(store: ResultsStore) -> None:
    names = ["index", "a/b", "..", "ü ö", "x-1", "%41"]
    request = sim_request()
    store.append(CODE, [ok(request, **{name: incidence(1) for name in names})], job="j")
    assert set(store.tables(CODE, [request.sim_key])[request.sim_key]) == set(names)
    store.append(CODE, [ok(sim_request(2), out=incidence(2))], job="j")
    store.compact()
    assert set(store.tables(CODE, [request.sim_key])[request.sim_key]) == set(names)
    assert store.verify() == []


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "format.json").write_text('{"schema": "modelops.results", "format": 99}')
    with pytest.raises(Conflict, match="99"):
        ResultsStore.open(tmp_path)
    (tmp_path / "format.json").write_text("nonsense")
    with pytest.raises(IntegrityError, match="damaged"):
        ResultsStore.open(tmp_path)


def test_a_store_in_memory_works_alike() -> None:
    store = ResultsStore.open("memory://")
    request = sim_request()
    store.append(CODE, [ok(request, out=incidence(1))], job="j")
    assert store.frame(CODE, "out").height == 5
    assert store.verify() == []


def evaluation(value: float, param_id: str = "p") -> Evaluation:
    score = TargetScore(
        "t:f", "loglik", -value, per_replicate=(-value, -float("inf")), n_observed=3
    )
    return Evaluation(param_id, (1, 2**64 - 1), value, kind="loglik", scores=(score,))


def test_evaluations_come_back_exactly(store: ResultsStore, tmp_path: Path) -> None:
    target = "t" * 64
    values = {f"k{i}": evaluation(0.1 * i) for i in range(70)}
    nothing = Evaluation("q", (1,), float("inf"), reason="all_replicates_failed")
    for key, value in values.items():
        store.append_evaluations(target, {key: value}, job="j")
    store.append_evaluations(target, {"none": nothing}, job="j")
    fresh = ResultsStore.open(tmp_path / "results")
    found = fresh.known_evaluations(target, [*values, "none", "absent"])
    assert {k: v.to_json() for k, v in found.items()} == {
        k: v.to_json() for k, v in {**values, "none": nothing}.items()
    }
    assert len(files(tmp_path / "results" / "evals")) < 15
    fresh.compact()
    assert len(files(tmp_path / "results" / "evals")) == 1
    assert len(store.known_evaluations(target, values)) == 70


def test_two_writers_and_a_reader_at_once(tmp_path: Path) -> None:
    import threading

    root = tmp_path / "results"
    lots = [[sim_request(seed) for seed in range(start, 120, 2)] for start in (0, 1)]

    def write(requests: list[SimRequest]) -> None:
        store = ResultsStore.open(root)
        for request in requests:
            store.append(CODE, [ok(request, out=incidence(request.task.seed))], job="j")

    threads = [threading.Thread(target=write, args=(lot,)) for lot in lots]
    for thread in threads:
        thread.start()
    reader = ResultsStore.open(root)
    keys = [request.sim_key for lot in lots for request in lot]
    while any(thread.is_alive() for thread in threads):
        known = reader.known(CODE, keys)
        assert reader.frame(CODE, "out", list(known)).height == 5 * len(known)
    for thread in threads:
        thread.join()
    assert len(reader.known(CODE, keys)) == 120
    assert reader.verify() == []
