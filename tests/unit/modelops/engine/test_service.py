"""The service over both executors: the same answers, whatever carries them."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from modelops.engine.requests import EvaluationWork
from modelops.engine.service import EngineService, open_engine
from modelops_contracts.errors import InvalidInput, SimulationFailed, Unavailable
from modelops_contracts.evaluation import EvaluationRequest
from modelops_contracts.ports import SimulationService
from modelops_contracts.simulation import ReplicateSet
from support.engine_projects import Collector, make_project, request, stub_environment

Opener = Callable[..., AbstractContextManager[EngineService]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def opener(tmp_path: Path, project: Path) -> Opener:
    def open_it(**options: Any) -> AbstractContextManager[EngineService]:
        given = {
            "root": project,
            "environment": stub_environment(),
            "slots": 2,
            "log_dir": tmp_path / "log",
            "base_env": dict(os.environ),
            **options,
        }
        return open_engine(**given)

    return open_it


@pytest.fixture(params=["inline", "process_pool"])
def engine(request: pytest.FixtureRequest, opener: Opener) -> Iterator[EngineService]:
    slots = 1 if request.param == "inline" else 2
    with opener(executor=request.param, slots=slots) as service:
        yield service


def test_it_is_the_port(engine: EngineService) -> None:
    assert isinstance(engine, SimulationService)


def test_every_request_gets_its_own_answer(engine: EngineService) -> None:
    requests = [request(seed=i, x=i / 4, config={"c": i // 50}) for i in range(100)]
    seen = Collector()
    engine.run(requests, on_outcomes=seen)
    assert len(seen.outcomes) == 100
    for wanted in requests:
        outcome = seen.by_key()[wanted.sim_key]
        expected = ([("x", wanted.task.seed / 4)], wanted.task.seed, {"c": wanted.task.seed // 50})
        assert outcome.ok
        assert outcome.tables["out"].decode() == str((*expected, "baseline"))
        assert "metadata" not in outcome.tables


def test_outputs_are_selected(engine: EngineService) -> None:
    seen = Collector()
    engine.run([request(outputs=("out",))], on_outcomes=seen)
    assert list(seen.outcomes[0].tables) == ["out"]


def test_callbacks_come_in_the_callers_thread(engine: EngineService) -> None:
    threads: set[int] = set()
    engine.run(
        [request(seed=i) for i in range(20)],
        on_outcomes=lambda _outcomes: threads.add(threading.get_ident()),
    )
    assert threads == {threading.get_ident()}


def test_no_requests_no_callbacks(engine: EngineService) -> None:
    seen = Collector()
    engine.run([], on_outcomes=seen)
    assert seen.batches == []


def test_seeds_may_use_all_64_bits(engine: EngineService) -> None:
    seen = Collector()
    engine.run([request("fails", seed=2**64 - 1)], on_outcomes=seen)
    assert seen.outcomes[0].tables["out"] == str(2**64 - 1).encode()


def test_an_exception_costs_one_simulation(engine: EngineService) -> None:
    requests = [request("fails", seed=i, bad="x" if i == 3 else "") for i in range(6)]
    seen = Collector()
    engine.run(requests, on_outcomes=seen)
    outcomes = [seen.by_key()[one.sim_key] for one in requests]
    assert [outcome.status for outcome in outcomes] == ["ok"] * 3 + ["failed"] + ["ok"] * 2
    assert outcomes[3].error is not None
    assert outcomes[3].error.error_type == "ValueError"
    assert outcomes[3].error.message == "no such thing as x"
    assert 'raise ValueError(f"no such thing' in outcomes[3].traceback


def test_an_import_error_is_reported_as_itself(engine: EngineService, project: Path) -> None:
    (project / "models" / "m.py").write_text("import nothing_of_this_name\n")
    seen = Collector()
    engine.run([request()], on_outcomes=seen)
    error = seen.outcomes[0].error
    assert error is not None
    assert error.error_type == "ModuleNotFoundError"
    assert "nothing_of_this_name" in error.message


def test_an_error_in_the_callback_ends_the_run(engine: EngineService) -> None:
    def refuse(_outcomes: object) -> None:
        raise KeyError("disk full")

    with pytest.raises(KeyError, match="disk full"):
        engine.run([request(seed=i) for i in range(50)], on_outcomes=refuse)
    seen = Collector()
    engine.run([request()], on_outcomes=seen)
    assert seen.outcomes[0].ok


def evaluation_work(*seeds: int, target: str = "models.m:score", bad: int = -1) -> EvaluationWork:
    sims = tuple(
        request("fails", seed=seed, replicate=i, bad="yes" if seed == bad else "")
        for i, seed in enumerate(seeds)
    )
    wanted = EvaluationRequest(sims[0].task, seeds, (target,))
    return EvaluationWork(wanted, sims)


def test_an_evaluation_simulates_and_scores(engine: EngineService) -> None:
    future = engine.start_evaluation(evaluation_work(1, 2, 6))
    assert engine.wait_any([future]) == [future]
    outcome = future.result()
    assert outcome.evaluation.objective == 3.0
    assert [one.request.task.seed for one in outcome.outcomes] == [1, 2, 6]


def test_stored_tables_are_not_simulated_again(engine: EngineService) -> None:
    work = evaluation_work(1, 2)
    stored = {work.sims[0].sim_key: {"out": b"100"}}
    outcome = engine.start_evaluation(EvaluationWork(work.request, work.sims, stored)).result()
    assert [one.request.task.seed for one in outcome.outcomes] == [2]
    assert outcome.evaluation.objective == 51.0


def test_failed_replicates_reach_the_target_as_failures(engine: EngineService) -> None:
    sims = evaluation_work(1, 2).sims
    bad = request("fails", seed=9, replicate=2, bad="rate")
    wanted = EvaluationRequest(sims[0].task, (1, 2, 9), ("models.m:score",))
    outcome = engine.start_evaluation(EvaluationWork(wanted, (*sims, bad))).result()
    (failure,) = outcome.evaluation.failures
    assert (failure.index, failure.seed) == (2, 9)
    assert failure.error.message == "no such thing as rate"
    assert "Traceback" in failure.traceback


def test_a_broken_target_raises_with_its_traceback(engine: EngineService) -> None:
    future = engine.start_evaluation(evaluation_work(1, target="models.m:explode"))
    with pytest.raises(SimulationFailed, match="the target is broken") as caught:
        future.result()
    assert "explode" in caught.value.remote_traceback


def test_descriptions_and_their_errors(engine: EngineService) -> None:
    assert engine.describe("model", "models.m:echo")["doc"] == "Echoes."
    with pytest.raises(SimulationFailed, match="no attribute 'ecco'"):
        engine.describe("model", "models.m:ecco")


def test_predictions_carry_all_members(engine: EngineService) -> None:
    members = [({"a": 1.0}, {"out": b"x", "more": b"yy"}), ({"a": 2.0}, {"out": b""})]
    bands = engine.predict(["models.m:score"], members, entrypoint="models.m.echo/baseline", seed=4)
    expected = [[{"a": 1.0}, ["more", "out"]], [{"a": 2.0}, ["out"]], 4]
    assert json.loads(bands["models.m:score"]) == expected


def test_the_port_submits_tasks(engine: EngineService) -> None:
    tasks = [request("fails", seed=seed).task for seed in range(3)]
    tasks.append(request("fails", bad="x").task)
    returns = engine.gather(engine.submit_batch(tasks))
    assert [one.task_id for one in returns] == [task.task_id() for task in tasks]
    assert returns[1].outputs["out"].verified() == b"1"
    assert returns[3].error is not None
    assert returns[3].error_details is not None
    assert b"no such thing" in returns[3].error_details.verified()


def test_the_port_replicates_and_aggregates(engine: EngineService) -> None:
    wanted = ReplicateSet(request("fails", seed=1).task, 3, seeds=(1, 2, 9))
    returns = engine.submit_replicate_set(wanted).result()
    assert [one.outputs["out"].verified() for one in returns] == [b"1", b"2", b"9"]
    scored = engine.submit_replicate_set(wanted, "models.m:score").result()
    assert (scored.loss, scored.n_replicates) == (4.0, 3)
    evaluation = engine.submit_evaluation(evaluation_work(1, 2).request).result()
    assert evaluation.objective == 1.5


def test_a_table_too_large_for_a_message_goes_by_reference(engine: EngineService) -> None:
    artifact = engine.submit(request("big", size=3_000_000).task).result().outputs["out"]
    assert artifact.ref is not None
    content = Path(artifact.ref.removeprefix("file://")).read_bytes()
    assert artifact.verified(content) == bytes(3_000_000)


def test_debug_lets_the_authors_exception_through(opener: Opener) -> None:
    with (
        opener(executor="inline", slots=1, debug=True) as engine,
        pytest.raises(ValueError, match="no such thing as x"),
    ):
        engine.run([request("fails", bad="x")], on_outcomes=Collector())


def test_inline_leaves_the_process_as_it_was(opener: Opener) -> None:
    import sys

    before = (Path.cwd(), list(sys.path))
    with opener(executor="inline", slots=1) as engine:
        engine.run([request()], on_outcomes=Collector())
    assert (Path.cwd(), list(sys.path)) == before


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"executor": "inlin"}, "inlin"),
        ({"isolation": "cold"}, "cold"),
        ({"slots": 0}, "slots"),
        ({"timeout": 0.0}, "timeout"),
        ({"debug": True}, "debug"),
        ({"executor": "inline"}, "slots"),
        ({"executor": "inline", "slots": 1, "timeout": 1.0}, "timeout"),
        ({"executor": "inline", "slots": 1, "isolation": "fresh-per-batch"}, "isolation"),
        ({"executor": "inline", "slots": 1, "memory_budget": 1}, "memory_budget"),
        ({"executor": "inline", "slots": 1, "environment": stub_environment(Path("/x"))}, "inline"),
    ],
)
def test_options_that_cannot_be_honoured_are_refused(
    opener: Opener, options: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInput, match=named), opener(**options):
        pass


def test_an_environment_that_does_not_start_is_said_once(opener: Opener, tmp_path: Path) -> None:
    missing = stub_environment(tmp_path / "no-python")
    with opener(environment=missing) as engine, pytest.raises(Unavailable, match="no-python"):
        engine.run([request(seed=i) for i in range(20)], on_outcomes=Collector())


def test_an_environment_without_a_wire_is_said_once(opener: Opener, project: Path) -> None:
    (project / "stub_wire.py").write_text("import not_there\n")
    with opener() as engine, pytest.raises(Unavailable, match="not_there"):
        engine.run([request()], on_outcomes=Collector())
