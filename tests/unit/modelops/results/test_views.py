"""Views of a job always write, whatever the job looks like."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest

from modelops.engine.requests import SimRequest
from modelops.results.evaluations import score_rows, score_schema
from modelops.results.store import ResultsStore
from modelops.results.views import FORMATS, as_csv_columns, export_tables, job_tables
from modelops_contracts.errors import IntegrityError, InvalidInput
from modelops_contracts.evaluation import Evaluation, TargetScore
from support.outcomes import CODE, failed, incidence, ok, sim_request


@pytest.fixture
def store(tmp_path: Path) -> ResultsStore:
    return ResultsStore.open(tmp_path / "results")


def write_members(folder: Path, requests: Sequence[SimRequest]) -> None:
    """What the jobs package leaves in the folder of a job."""
    rows = [
        {
            "sim_key": request.sim_key,
            "param_id": request.task.params.param_id,
            "replicate": request.replicate,
            "seed": request.task.seed,
            "status": "missing",
        }
        for request in requests
    ]
    frame = pl.DataFrame(rows, schema_overrides={"seed": pl.UInt64})
    frame.write_parquet(folder / "reuse.parquet")
    (folder / "plan.json").write_text(json.dumps({"code": CODE}))


def write_scores(folder: Path, evaluation: Evaluation) -> None:
    rows = score_rows("key", evaluation, job="j")
    frame = pl.DataFrame(rows, schema=score_schema())
    frame.write_parquet(folder / "evaluations.parquet")


def test_a_study_with_everything(store: ResultsStore, tmp_path: Path) -> None:
    pairs = [(beta, seed) for beta in (0.9, 0.1) for seed in (1, 2)]
    requests = [sim_request(seed, replicate=seed - 1, beta=beta) for beta, seed in pairs]
    store.append(CODE, [ok(r, cases=incidence(r.task.seed, 2)) for r in requests[::-1]], job="old")
    bad = sim_request(3, replicate=2, beta=0.1)
    store.append(CODE, [failed(bad)], job="new")
    write_members(tmp_path, [*requests, bad])
    param_id = requests[0].task.params.param_id
    scores = (TargetScore("t:f", "loglik", -2.5, n_observed=14, n_used=14),)
    write_scores(tmp_path, Evaluation(param_id, (1, 2), 2.5, 0.1, "loglik", scores=scores))

    tables = job_tables(store, tmp_path)
    assert list(tables) == ["parameters", "cases", "targets", "failures"]
    assert tables["parameters"]["param_beta"].to_list() == [0.9, 0.1]
    cases = tables["cases"]
    assert cases.columns == ["param_id", "replicate", "seed", "day", "cases"]
    assert cases["cases"].to_list() == [0, 1, 0, 2, 0, 1, 0, 2]
    assert cases["param_id"][0] == param_id
    assert tables["targets"]["loss"].to_list() == [2.5]
    assert tables["targets"]["se"].to_list() == [0.1]
    assert tables["failures"]["error_message"].to_list() == ["negative rate"]
    assert json.loads(tables["failures"]["params"][0]) == {"beta": 0.1}


def test_a_job_that_has_done_nothing(store: ResultsStore, tmp_path: Path) -> None:
    tables = job_tables(store, tmp_path)
    assert list(tables) == ["parameters", "targets", "failures"]
    assert all(table.is_empty() for table in tables.values())
    for kind in FORMATS:
        assert len(export_tables(tables, tmp_path / kind, format=kind)) == 3


def test_everything_failed(store: ResultsStore, tmp_path: Path) -> None:
    requests = [sim_request(seed) for seed in range(3)]
    store.append(CODE, [failed(request) for request in requests], job="j")
    write_members(tmp_path, requests)
    nothing = Evaluation("p", (0, 1, 2), float("inf"), reason="all_replicates_failed")
    write_scores(tmp_path, nothing)
    tables = job_tables(store, tmp_path)
    assert tables["failures"].height == 3
    assert tables["targets"]["reason"].to_list() == ["all_replicates_failed"]
    assert tables["targets"]["loss"].to_list() == [None]


def test_parameter_sets_with_different_names_and_types(store: ResultsStore, tmp_path: Path) -> None:
    sets = [{"a": 1}, {"b": 0.5}, {"a": 1.5, "b": True}, {"a": "text"}]
    requests = [sim_request(1, **params) for params in sets]
    store.append(CODE, [ok(one) for one in requests[:2]], job="j")
    spec = {"parameter_sets": [sets[2], {"params": sets[3], "seed": 1}]}
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    write_members(tmp_path, requests)
    table = job_tables(store, tmp_path)["parameters"]
    assert table["param_id"].to_list() == [r.task.params.param_id for r in requests]
    assert table["param_a"].to_list() == ["1", None, "1.5", "text"]


def test_the_jobs_own_replicate_number_counts(store: ResultsStore, tmp_path: Path) -> None:
    first = sim_request(5, replicate=0)
    store.append(CODE, [ok(first, out=incidence(5, 1))], job="one")
    write_members(tmp_path, [sim_request(5, replicate=7)])
    assert job_tables(store, tmp_path)["out"]["replicate"].to_list() == [7]


def test_an_output_called_like_a_view(store: ResultsStore, tmp_path: Path) -> None:
    request = sim_request()
    store.append(CODE, [ok(request, targets=incidence(1))], job="j")
    write_members(tmp_path, [request])
    tables = job_tables(store, tmp_path)
    assert tables["output_targets"].height == 5
    assert tables["targets"].is_empty()


def test_one_table_and_a_name_that_is_none(store: ResultsStore, tmp_path: Path) -> None:
    request = sim_request()
    store.append(CODE, [ok(request, incidence=incidence(1))], job="j")
    write_members(tmp_path, [request])
    assert list(job_tables(store, tmp_path, names=["incidence"])) == ["incidence"]
    with pytest.raises(InvalidInput, match="incidense") as caught:
        job_tables(store, tmp_path, names=["incidense"])
    assert "incidence" in str(caught.value.hint)


@pytest.mark.parametrize("kind", FORMATS)
def test_nested_columns_are_exported(store: ResultsStore, tmp_path: Path, kind: str) -> None:
    nested = pl.DataFrame(
        {"ages": [[1, 2], None], "who": [{"x": 1}, {"x": None}], "b": [b"1", b""]}
    )
    request = sim_request()
    store.append(CODE, [ok(request, **{"odd/name": nested})], job="j")
    write_members(tmp_path, [request])
    tables = job_tables(store, tmp_path, names=["odd/name"])
    (path,) = export_tables(tables, tmp_path / "out", format=kind)
    assert path.parent == tmp_path / "out"
    readers = {
        "parquet": pl.read_parquet,
        "arrow": pl.read_ipc,
        "csv": pl.read_csv,
        "json": pl.read_json,
    }
    back = readers[kind](path)
    assert back.height == 2
    if kind == "csv":
        assert json.loads(back["ages"][0]) == [1, 2]


def test_csv_leaves_plain_columns_alone() -> None:
    table = pl.DataFrame({"x": [1.5], "s": ["a"]})
    assert as_csv_columns(table).equals(table)


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="parket"):
        export_tables({}, tmp_path / "out", format="parket")
    assert not (tmp_path / "out").exists()


def test_scores_of_a_calibration_come_from_the_store(store: ResultsStore, tmp_path: Path) -> None:
    requests = [sim_request(seed, beta=seed / 10) for seed in (3, 1, 2)]
    write_members(tmp_path, requests[:2])
    (tmp_path / "plan.json").write_text(json.dumps({"code": CODE, "target_digest": "t" * 64}))
    for request in requests:
        score = TargetScore("t:f", "loss", float(request.task.seed))
        param_id = request.task.params.param_id
        evaluation = Evaluation(param_id, (1,), score.value, scores=(score,))
        for _twice in range(2):
            store.append_evaluations("t" * 64, {request.sim_key: evaluation}, job="calib")
    assert job_tables(store, tmp_path)["targets"]["loss"].to_list() == [3.0, 1.0]


def test_what_targets_say_beside_their_loss(store: ResultsStore, tmp_path: Path) -> None:
    request = sim_request()
    write_members(tmp_path, [request])
    (tmp_path / "plan.json").write_text(json.dumps({"code": CODE, "target_digest": "t" * 64}))
    scores = (
        TargetScore("quiet", "loss", 1.0),
        TargetScore("spoken", "loss", 1.0, diagnostics={"mean": 2.5}),
    )
    param_id = request.task.params.param_id
    for key, told in (("a", scores[:1]), ("b", scores)):
        evaluation = Evaluation(param_id, (1,), 1.0, scores=told)
        store.append_evaluations("t" * 64, {key: evaluation}, job="calib")
        targets = job_tables(store, tmp_path)["targets"]
        assert ("diagnostics" in targets.columns) == (key == "b")
    said = targets["diagnostics"].to_list()
    assert said == [None, None, '{"mean": 2.5}']


def test_the_trials_of_a_calibration(store: ResultsStore, tmp_path: Path) -> None:
    (tmp_path / "result").mkdir()
    pl.DataFrame({"trial": [0, 1]}).write_parquet(tmp_path / "result" / "trials.parquet")
    assert job_tables(store, tmp_path)["trials"].height == 2


def test_a_damaged_file_is_named(store: ResultsStore, tmp_path: Path) -> None:
    (tmp_path / "reuse.parquet").write_bytes(b"junk")
    with pytest.raises(IntegrityError, match="reuse"):
        job_tables(store, tmp_path)


def test_json_says_which_numbers_are_not_finite(tmp_path: Path) -> None:
    table = pl.DataFrame({"x": [1.5, float("inf"), float("nan")], "y": [[1.0], [-math.inf], None]})
    (path,) = export_tables({"t": table}, tmp_path, format="json")
    assert json.loads(path.read_text()) == [
        {"x": 1.5, "y": [1.0]},
        {"x": "inf", "y": ["-inf"]},
        {"x": "nan", "y": None},
    ]
    (path,) = export_tables({"t": table.clear()}, tmp_path, format="json")
    assert json.loads(path.read_text()) == []
