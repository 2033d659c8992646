"""What the author's code may do to its process, and what that may cost: one simulation."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from modelops.engine.requests import EvaluationWork, SimOutcome, SimRequest
from modelops.engine.service import EngineService, open_engine
from modelops_contracts.errors import SimulationFailed
from modelops_contracts.evaluation import EvaluationRequest
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
            "log_dir": tmp_path / "log",
            "base_env": {**os.environ, "PYTHONPATH": "/nowhere", "PYTHONHASHSEED": "7"},
            **options,
        }
        return open_engine(**given)

    return open_it


def run(engine: EngineService, requests: list[SimRequest], **options: Any) -> list[SimOutcome]:
    seen = Collector()
    engine.run(requests, on_outcomes=seen, **options)
    found = seen.by_key()
    return [found[one.sim_key] for one in requests if one.sim_key in found]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("hard", "exited with status 4"),
        ("segv", "killed by SIGSEGV"),
        ("kill", "killed by SIGKILL"),
        ("close", "exited"),
    ],
)
def test_ending_the_process_costs_one_simulation(opener: Opener, how: str, reason: str) -> None:
    requests = [request("leaves", seed=i, how=how if i == 5 else "stay") for i in range(12)]
    with opener() as engine:
        outcomes = run(engine, requests)
    assert [one.status for one in outcomes] == ["ok"] * 5 + ["crashed"] + ["ok"] * 6
    crashed = outcomes[5]
    assert crashed.error is not None
    assert crashed.error.error_type == "ProcessDied"
    assert reason in crashed.error.message
    assert f"about to {how}" in crashed.stderr_tail
    assert crashed.peak_bytes > 1 << 20
    assert not crashed.tables


@pytest.mark.parametrize("executor", ["inline", "process_pool"])
def test_sys_exit_costs_one_simulation_and_no_process(opener: Opener, executor: str) -> None:
    hows = ["stay", "exit", "stay"]
    with opener(executor=executor) as engine:
        outcomes = run(engine, [request("leaves", seed=i, how=how) for i, how in enumerate(hows)])
    assert [one.status for one in outcomes] == ["ok", "failed", "ok"]
    assert outcomes[1].error is not None
    assert (outcomes[1].error.error_type, outcomes[1].error.message) == ("SystemExit", "3")
    assert "sys.exit(3)" in outcomes[1].traceback


def test_sys_exit_does_not_end_who_debugs(opener: Opener) -> None:
    with (
        opener(executor="inline", debug=True) as engine,
        pytest.raises(SimulationFailed, match=r"the model called sys.exit\(3\)"),
    ):
        run(engine, [request("leaves", how="exit")])


def test_a_child_that_the_model_forks_ends_with_its_own_status(opener: Opener) -> None:
    with opener() as engine:
        hows = ("exit", "raise", "return")
        outcomes = run(engine, [request("parents", how=how) for how in hows])
    assert [one.tables["out"].decode() for one in outcomes] == ["3", "1", "0"]


def test_several_bad_ones_in_a_row(opener: Opener) -> None:
    hows = ["hard", "hard", "stay", "segv", "kill"]
    requests = [request("leaves", seed=i, how=how) for i, how in enumerate(hows)]
    with opener(slots=2) as engine:
        statuses = [one.status for one in run(engine, requests)]
    assert statuses == ["crashed", "crashed", "ok", "crashed", "crashed"]


def test_a_death_that_does_not_repeat_costs_nothing(opener: Opener, tmp_path: Path) -> None:
    with opener() as engine:
        (outcome,) = run(engine, [request("once", flag=str(tmp_path / "flag"))])
    assert outcome.ok


def test_a_hang_is_killed_at_the_limit(opener: Opener) -> None:
    requests = [request("leaves", seed=i, how="hang" if i == 1 else "stay") for i in range(4)]
    with opener(timeout=0.5) as engine:
        outcomes = run(engine, requests)
    assert [one.status for one in outcomes] == ["ok", "timed_out", "ok", "ok"]
    assert outcomes[1].error is not None
    assert "0.5 s" in outcomes[1].error.message
    assert "about to hang" in outcomes[1].stderr_tail


def test_import_time_is_not_simulation_time(opener: Opener, project: Path) -> None:
    with (project / "models" / "m.py").open("a") as stream:
        stream.write("\ntime.sleep(1.5)\n")
    with opener(timeout=0.5) as engine:
        (outcome,) = run(engine, [request("fails")])
    assert outcome.ok


def test_an_import_that_ends_the_process_is_tried_twice_in_all(
    opener: Opener, project: Path, tmp_path: Path
) -> None:
    log = tmp_path / "starts"
    with (project / "models" / "m.py").open("a") as stream:
        stream.write(f"\nopen({str(log)!r}, 'a').write('x')\nprint('bye')\nos._exit(6)\n")
    with opener() as engine:
        outcomes = run(engine, [request(seed=i) for i in range(200)])
    assert {one.status for one in outcomes} == {"crashed"}
    assert len(outcomes) == 200
    assert outcomes[0].error is not None
    assert "imported" in outcomes[0].error.message
    assert "status 6" in outcomes[0].error.message
    assert "bye" in outcomes[0].stderr_tail
    assert log.read_text() == "xx"


def test_an_import_that_hangs_ends_at_the_start_budget(opener: Opener, project: Path) -> None:
    with (project / "models" / "m.py").open("a") as stream:
        stream.write("\ntime.sleep(600)\n")
    with opener(start_budget=0.5) as engine:
        outcomes = run(engine, [request(seed=i) for i in range(5)])
    assert {one.status for one in outcomes} == {"timed_out"}


def test_what_is_printed_goes_to_the_log_and_nowhere_else(opener: Opener, tmp_path: Path) -> None:
    with opener() as engine:
        outcomes = run(engine, [request("noisy", seed=i) for i in range(3)])
    assert all(one.ok for one in outcomes)
    log = (tmp_path / "log" / "slot-0.log").read_text()
    for text in ("python says hello", "a raw write", "another raw write", "child says hello"):
        assert log.count(text) >= 3


def test_the_log_is_capped(opener: Opener, project: Path, tmp_path: Path) -> None:
    with (project / "models" / "m.py").open("a") as stream:
        stream.write(
            "\n\ndef shouts(params, seed, config, scenario):\n"
            "    for _ in range(300):\n"
            "        os.write(1, b'x' * (1 << 20))\n"
            "        time.sleep(0.005)\n"
            "    return tables(out=seed)\n"
        )
    with opener() as engine:
        (outcome,) = run(engine, [request("shouts")])
    assert outcome.ok
    size = sum(path.stat().st_size for path in (tmp_path / "log").glob("slot-0.log*"))
    assert size < 150 << 20


def test_the_guest_sees_the_bundle_and_little_else(opener: Opener, project: Path) -> None:
    (project / "src").mkdir()
    with opener() as engine:
        (outcome,) = run(engine, [request("where")])
    seen = {name: table.decode() for name, table in outcome.tables.items()}
    assert seen["cwd"] == str(project)
    assert seen["path"].startswith(f"['{project}/src', '{project}'")
    assert "runner-" not in seen["path"]
    assert "/nowhere" not in seen["path"]
    assert (seen["omp"], seen["session"], seen["stdin"]) == ("1", "True", "b''")
    assert seen["pythonpath"] == "None"
    with opener() as engine:
        (again,) = run(engine, [request("where")])
    assert again.tables["hash"] == outcome.tables["hash"]


def test_no_bytecode_is_written_into_the_bundle(opener: Opener, project: Path) -> None:
    with opener() as engine:
        run(engine, [request("noisy")])
    assert not list(project.rglob("__pycache__"))


def test_a_simulation_that_changes_the_directory_changes_it_for_itself_only(
    opener: Opener, project: Path
) -> None:
    with opener() as engine:
        outcomes = run(engine, [request("wanders", seed=i) for i in range(3)])
    assert {one.tables["cwd"].decode() for one in outcomes} == {str(project)}


def test_a_child_that_the_model_forks_does_not_answer(opener: Opener) -> None:
    with opener() as engine:
        outcomes = run(engine, [request("forks", seed=i) for i in range(4)])
        more = run(engine, [request(seed=9)])
    assert sorted(one.tables["out"].decode() for one in outcomes) == list("0123")
    assert more[0].ok


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("die", [False, True])
def test_children_of_the_model_die_with_it(opener: Opener, tmp_path: Path, die: bool) -> None:
    file = tmp_path / "child"
    with opener() as engine:
        run(engine, [request("spawns", file=str(file), die=die)])
    pid = int(file.read_text())
    assert wait_until(lambda: not is_running(pid))


@pytest.mark.parametrize("seconds", [0, 600])
def test_children_in_sessions_of_their_own_are_found(
    opener: Opener, tmp_path: Path, seconds: float
) -> None:
    """A time limit and an ordinary end: an external simulator must not go on by itself."""
    file = tmp_path / "child"
    asked = request("spawns", file=str(file), session=True, seconds=seconds)
    with opener(timeout=2) as engine:
        run(engine, [asked])
    pid = int(file.read_text())
    assert wait_until(lambda: not is_running(pid))


def test_closing_ends_every_process(opener: Opener) -> None:
    with opener(slots=2) as engine:
        outcomes = run(engine, [request(seed=i) for i in range(10)])
    pids = {int(one.tables["pid"]) for one in outcomes}
    assert pids
    assert not any(is_running(pid) for pid in pids)


def test_stopping_keeps_what_is_finished(opener: Opener) -> None:
    requests = [request("slow", seed=i, seconds=0.05) for i in range(400)]
    seen = Collector()
    with opener(slots=2) as engine:
        engine.run(requests, on_outcomes=seen, should_stop=lambda: len(seen.outcomes) > 20)
        statuses = [one.status for one in seen.outcomes]
        assert statuses.count("ok") > 20
        assert "cancelled" in statuses
        assert len(statuses) < 100
        assert len(statuses) == len(seen.by_key())
        assert [one.status for one in run(engine, [request("slow", seconds=0)])] == ["ok"]


def test_stopping_ends_a_simulation_that_hangs(opener: Opener) -> None:
    started = time.monotonic()
    with opener() as engine:
        stop_at = started + 1.0
        outcomes = run(
            engine,
            [request("leaves", how="hang")],
            should_stop=lambda: time.monotonic() > stop_at,
        )
    assert [one.status for one in outcomes] == ["cancelled"]


def test_cancelling_ends_evaluations(opener: Opener) -> None:
    from concurrent.futures import CancelledError

    sims = (request("leaves", how="hang"),)
    work = EvaluationWork(EvaluationRequest(sims[0].task, (1,), ("models.m:score",)), sims)
    with opener() as engine:
        running, waiting = engine.start_evaluation(work), engine.start_evaluation(work)
        assert engine.wait_any([running, waiting], timeout=0.5) == []
        engine.cancel_all()
        outcome = running.result(timeout=20)
        assert outcome.evaluation.reason == "CANCELLED"
        assert [one.status for one in outcome.outcomes] == ["cancelled"]
        with pytest.raises(CancelledError):
            waiting.result(timeout=20)


def slow_work(n: int, seconds: float) -> EvaluationWork:
    sims = tuple(request("slow", seed=i, seconds=seconds) for i in range(n))
    wanted = EvaluationRequest(sims[0].task, tuple(range(n)), ("models.m:score",))
    return EvaluationWork(wanted, sims)


def test_slow_replicates_of_one_evaluation_use_all_slots(opener: Opener) -> None:
    with opener(slots=3) as engine:
        first = engine.start_evaluation(slow_work(2, 0.3))
        engine.wait_any([first])
        assert len({one.worker for one in first.result().outcomes}) == 1
        second = engine.start_evaluation(slow_work(9, 0.31))
        outcome = second.result(timeout=60)
    assert len({one.worker for one in outcome.outcomes}) == 3
    assert sorted(one.request.task.seed for one in outcome.outcomes) == list(range(9))
    assert outcome.evaluation.objective == 4.0


def test_cancelling_a_spread_evaluation_keeps_what_is_finished(opener: Opener) -> None:
    with opener(slots=2) as engine:
        engine.wait_any([engine.start_evaluation(slow_work(2, 0.3))])
        long = engine.start_evaluation(slow_work(40, 0.32))
        assert engine.wait_any([long], timeout=1.5) == []
        engine.cancel_all()
        outcome = long.result(timeout=20)
        assert outcome.evaluation.reason == "CANCELLED"
        statuses = {one.status for one in outcome.outcomes}
        assert statuses == {"ok", "cancelled"}
        assert len(outcome.outcomes) == 40


def test_a_target_that_ends_its_process_raises(opener: Opener) -> None:
    sims = (request("fails", seed=1),)
    work = EvaluationWork(EvaluationRequest(sims[0].task, (1,), ("models.m:vanish",)), sims)
    with opener() as engine:
        with pytest.raises(SimulationFailed, match="status 5"):
            engine.start_evaluation(work).result(timeout=60)
        assert run(engine, [request("fails", seed=1)])[0].ok


@pytest.mark.parametrize(
    ("isolation", "processes"), [("warm", 1), ("fresh-per-batch", 4), ("fresh-per-simulation", 12)]
)
def test_isolation(opener: Opener, isolation: str, processes: int) -> None:
    with opener(isolation=isolation) as engine:
        seen = Collector()
        engine.run([request(seed=i) for i in range(12)], on_outcomes=seen)
        pids = {one.tables["pid"] for one in seen.outcomes}
    expected = len(seen.batches) if isolation == "fresh-per-batch" else processes
    assert len(pids) == expected


def test_a_process_that_grows_above_its_memory_budget_is_replaced(opener: Opener) -> None:
    requests = [request("leaks", seed=i, size=20_000_000) for i in range(40)]
    with opener(memory_budget=100_000_000) as engine:
        outcomes = run(engine, requests)
    assert all(one.ok for one in outcomes)
    assert len({one.tables["pid"] for one in outcomes}) > 4
    assert max(one.peak_bytes for one in outcomes) < 150_000_000


def test_a_model_that_needs_more_than_its_share_is_left_alone(opener: Opener) -> None:
    with opener(memory_budget=1) as engine:
        outcomes = run(engine, [request(seed=i) for i in range(12)])
    assert len({one.tables["pid"] for one in outcomes}) == 1


def test_large_tables_arrive_whole(opener: Opener) -> None:
    with opener() as engine:
        (outcome,) = run(engine, [request("big", size=40_000_000)])
    assert outcome.tables["out"] == bytes(40_000_000)


def test_guests_die_with_an_engine_that_is_killed(project: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    file = tmp_path / "pid"
    script = f"""
import os, sys
sys.path.insert(0, {str(Path(__file__).parents[3])!r})
from pathlib import Path
from support.engine_projects import Collector, request, stub_environment
from modelops.engine.service import open_engine
with open_engine(root=Path({str(project)!r}), environment=stub_environment(),
                 log_dir=Path({str(tmp_path)!r}) / "log", base_env=dict(os.environ)) as engine:
    def note(outcomes):
        Path({str(file)!r}).write_bytes(outcomes[0].tables["pid"])
    engine.run([request("echo")], on_outcomes=note)
    engine.run([request("leaves", how="hang")], on_outcomes=print)
"""
    process = subprocess.Popen([sys.executable, "-c", script])
    try:
        assert wait_until(lambda: file.exists() and bool(file.read_bytes()))
        guest = int(file.read_bytes())
        assert is_running(guest)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert wait_until(lambda: not is_running(guest))
