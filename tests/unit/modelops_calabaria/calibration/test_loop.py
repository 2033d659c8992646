"""The loop: proposals depend on settings alone, trials are counted, journals continue."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from modelops_calabaria.calibration.journal import FileJournal, MemoryJournal
from modelops_calabaria.calibration.loop import CalibrationFailed
from modelops_contracts.errors import Conflict, IntegrityError, Interrupted
from support.toy_calibration import FunctionProvider, calibrate_plan, make_plan

SPACE = {"a": {"lower": 0.0, "upper": 1.0}, "b": {"lower": 0.0, "upper": 1.0}}


def noisy(params: Mapping[str, Any], seed: int) -> float:
    rng = random.Random(seed)
    return -20 * (params["a"] - 0.4) ** 2 - 20 * (params["b"] - 0.6) ** 2 + rng.gauss(0, 0.3)


def smooth(params: Mapping[str, Any], _seed: int) -> float:
    return -20 * (params["a"] - 0.4) ** 2 - 20 * (params["b"] - 0.6) ** 2


def run(plan: Any, *, loglik: Any = noisy, journal: Any = None, **changes: Any) -> Any:
    order = changes.pop("order", lambda _n: 0)
    return calibrate_plan(plan, FunctionProvider(loglik, order=order), journal, **changes)


def shuffled(seed: int) -> Callable[[int], int]:
    rng = random.Random(seed)
    return rng.randrange


@pytest.mark.parametrize("sampler", ["tpe", "cmaes", "random", "qmc"])
def test_proposals_do_not_depend_on_the_speed_of_workers(sampler: str) -> None:
    plan = make_plan(SPACE, sampler={"type": sampler}, max_trials=30, batch_size=5)
    reference = run(plan)
    for seed in range(3):
        other = run(plan, order=shuffled(seed))
        assert other.trials["param_id"].to_list() == reference.trials["param_id"].to_list()
        assert other.trials["loss"].to_list() == reference.trials["loss"].to_list()
        assert other.best == reference.best


def test_exactly_max_trials_are_evaluated_and_never_more_than_a_batch_at_once() -> None:
    plan = make_plan(SPACE, max_trials=23, batch_size=4)
    provider = FunctionProvider(noisy)
    result = calibrate_plan(plan, provider)
    assert result.trials.height == 23
    assert sum(ticket.purpose == "search" for ticket in provider.started) == 23
    assert provider.most_open <= 4
    assert result.stop_reason == "max_trials"


class Diary(MemoryJournal):
    def __init__(self, happened: list[tuple[str, Any]]) -> None:
        super().__init__()
        self.happened = happened

    def append(self, record: Mapping[str, Any]) -> None:
        self.happened.append((str(record["event"]), record.get("trial")))
        super().append(dict(record))


class Watched(FunctionProvider):
    def __init__(self, happened: list[tuple[str, Any]]) -> None:
        super().__init__(noisy)
        self.happened = happened

    def start(self, ticket: Any) -> None:
        self.happened.append((f"start {ticket.purpose}", ticket.trial))
        super().start(ticket)


def test_everything_is_written_down_before_it_takes_effect() -> None:
    happened: list[tuple[str, Any]] = []
    plan = make_plan(SPACE, max_trials=6, batch_size=1, sampler={"type": "qmc"})
    calibrate_plan(plan, Watched(happened), Diary(happened))
    for trial in range(6):
        asked = happened.index(("ask", trial))
        started = happened.index(("start search", trial))
        answered = happened.index(("outcome", trial))
        assert asked < started < answered
        if trial < 5:
            assert answered < happened.index(("ask", trial + 1))
    n_rescored = sum(what.startswith("start ") for what, _ in happened) - 6
    assert sum(what == "outcome" for what, _ in happened) == 6 + n_rescored


def test_every_ask_sees_exactly_the_answers_that_the_schedule_promises() -> None:
    plan = make_plan(SPACE, max_trials=20, batch_size=3, sampler={"type": "random"})
    seen: list[tuple[str, int]] = []

    class Spy:
        def __init__(self, engine: Any) -> None:
            self.engine, self.asked, self.told = engine, 0, 0

        def ask(self, n: int) -> Any:
            seen.append((str(self.asked), self.told))
            self.asked += 1
            return self.engine.ask(n)

        def tell(self, results: Any) -> None:
            self.told += len(results)
            self.engine.tell(results)

        def finished(self) -> bool:
            return bool(self.engine.finished())

    from modelops_contracts.ports import NullReporter
    from support.toy_calibration import Clock, create_engine, run_calibration

    run_calibration(plan, Spy(create_engine(plan)), FunctionProvider(noisy, order=shuffled(1)),
                    MemoryJournal(), reporter=NullReporter(), clock=Clock(),
                    should_stop=lambda: False)  # fmt: skip
    assert seen == [(str(i), max(0, i - 2)) for i in range(20)]


class TestStopRules:
    def test_max_iterations_counts_batches(self) -> None:
        result = run(make_plan(SPACE, max_iterations=3, batch_size=4))
        assert (result.trials.height, result.stop_reason) == (12, "max_iterations")

    def test_max_loss_is_strict(self) -> None:
        plan = make_plan(SPACE, convergence_criteria={"max_loss": 1.0}, batch_size=1)
        result = run(plan, loglik=smooth)
        assert result.stop_reason == "max_loss"
        losses = result.trials["loss"].to_list()
        assert losses[-1] < 1.0
        assert all(loss >= 1.0 for loss in losses[:-1])

    def test_patience_counts_completed_trials_without_enough_improvement(self) -> None:
        plan = make_plan(SPACE, convergence_criteria={"patience": 7, "min_delta": 1e9},
                         batch_size=1)  # fmt: skip
        result = run(plan)
        assert (result.trials.height, result.stop_reason) == (8, "patience")

    def test_the_older_spelling_of_patience_works(self) -> None:
        plan = make_plan(SPACE, early_stopping_patience=5, batch_size=1,
                         convergence_criteria={"min_delta": 1e9})  # fmt: skip
        assert run(plan).trials.height == 6

    def test_max_seconds_uses_the_injected_clock(self) -> None:
        result = run(make_plan(SPACE, convergence_criteria={"max_seconds": 20}, max_trials=1000))
        assert result.stop_reason == "max_seconds"
        assert result.trials.height < 30

    def test_a_used_up_integer_space_ends_the_search(self) -> None:
        space = {"n": {"lower": 1, "upper": 5, "kind": "int"}}
        plan = make_plan(space, max_trials=500, sampler={"type": "random"})
        provider = FunctionProvider(lambda p, _s: -((p["n"] - 3) ** 2))
        result = calibrate_plan(plan, provider)
        assert result.stop_reason == "space exhausted"
        assert len({t.params.param_id for t in provider.started if t.purpose == "search"}) == 5
        searched = [t for t in provider.started if t.purpose == "search"]
        assert len(searched) == 5, "a proposal that was evaluated before is not simulated again"
        assert result.trials["reused"].sum() == result.trials.height - 5

    def test_a_grid_ends_with_its_points(self) -> None:
        plan = make_plan(SPACE, sampler={"type": "grid", "points": 3}, max_trials=100)
        result = run(plan)
        assert (result.trials.height, result.stop_reason) == (9, "design exhausted")

    def test_convergence_of_cmaes_is_a_reason(self) -> None:
        plan = make_plan(SPACE, deterministic=True, sampler={"type": "cmaes"}, max_trials=2000)
        result = run(plan, loglik=smooth)
        assert result.stop_reason == "converged"
        assert result.trials.height < 600


class TestFailures:
    def test_a_failed_trial_is_a_row_and_the_search_goes_on(self) -> None:
        def fails(params: Mapping[str, Any], seed: int) -> float:
            if params["a"] > 0.7:
                raise ArithmeticError("population died out")
            return noisy(params, seed)

        result = run(make_plan(SPACE, max_trials=40), loglik=fails)
        failed = result.trials.filter(result.trials["status"] == "failed")
        assert result.trials.height == 40
        assert 0 < failed.height < 40
        assert set(failed["reason"]) == {"SIM_FAILED"}
        assert failed["message"][0] == "ArithmeticError: population died out"
        assert failed["traceback"][0] == "Traceback: ..."
        assert all(math.isinf(loss) for loss in failed["loss"])
        assert "FAILED_TRIALS" in {finding.code for finding in result.findings}

    def test_ten_faults_at_the_start_end_the_run_with_the_first_message(self) -> None:
        def broken(_params: Mapping[str, Any], _seed: int) -> float:
            raise ArithmeticError("no such file")

        provider = FunctionProvider(broken)
        with pytest.raises(CalibrationFailed, match="no such file") as caught:
            calibrate_plan(make_plan(SPACE, max_trials=1000), provider)
        assert "seed" in str(caught.value.hint)
        assert caught.value.exit_code == 1
        assert caught.value.result.trials.height == 10
        assert caught.value.result.verdict == "FAIL"
        assert provider.cancelled

    def test_zero_likelihoods_are_answers_and_do_not_end_the_run_early(self) -> None:
        with pytest.raises(CalibrationFailed, match="none of the 25 trials") as caught:
            run(make_plan(SPACE, max_trials=25), loglik=lambda _p, _s: -math.inf)
        result = caught.value.result
        assert set(result.trials["reason"]) == {"ZERO_LIKELIHOOD"}
        assert "ZERO_LIKELIHOOD" in {finding.code for finding in result.findings}


class TestResume:
    @pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
    @pytest.mark.parametrize("stop_after", [5, 9, 31, 35])
    def test_an_interrupted_run_continues_as_if_it_had_not_been(
        self, sampler: str, stop_after: int
    ) -> None:
        plan = make_plan(SPACE, sampler={"type": sampler}, max_trials=30, batch_size=4)
        reference = run(plan)
        journal = MemoryJournal()
        provider = FunctionProvider(noisy, order=shuffled(stop_after))
        with pytest.raises(Interrupted):
            calibrate_plan(plan, provider, journal,
                           should_stop=lambda: len(provider.started) > stop_after)  # fmt: skip
        assert provider.cancelled
        again = FunctionProvider(noisy)
        resumed = calibrate_plan(plan, again, journal)
        assert resumed.trials["param_id"].to_list() == reference.trials["param_id"].to_list()
        assert resumed.best == reference.best
        finished = sum(1 for record in journal.lines if record["event"] == "outcome")
        assert len(again.started) < finished

    def test_a_finished_run_is_read_from_its_journal(self) -> None:
        plan, journal = make_plan(SPACE, max_trials=20), MemoryJournal()
        first = run(plan, journal=journal)
        provider = FunctionProvider(noisy)
        second = calibrate_plan(plan, provider, journal)
        assert provider.started == []
        assert second.best == first.best

    def test_more_trials_continue_the_same_search(self) -> None:
        journal = MemoryJournal()
        run(make_plan(SPACE, max_trials=15), journal=journal)
        longer = run(make_plan(SPACE, max_trials=25), journal=journal)
        straight = run(make_plan(SPACE, max_trials=25))
        assert longer.trials["param_id"].to_list() == straight.trials["param_id"].to_list()

    def test_a_journal_of_other_proposals_is_refused_with_the_way_out(self) -> None:
        """Another version of the engine, or of Optuna, would mix two searches into one."""
        journal = MemoryJournal()
        run(make_plan(SPACE, max_trials=15), journal=journal)
        changed = next(r for r in journal.lines if r.get("event") == "ask" and r["trial"] == 12)
        changed["param_id"] = "0" * 64
        n_lines = len(journal.lines)
        with pytest.raises(IntegrityError, match=r"trial 12 was 0000.*another version") as caught:
            run(make_plan(SPACE, max_trials=25), journal=journal)
        assert "start a new calibration" in str(caught.value.hint)
        assert "warm_start" in str(caught.value.hint)
        assert len(journal.lines) == n_lines

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"seed": 5}, "seed"),
            ({"n_replicates": 9}, "n_replicates"),
            ({"sampler": {"type": "qmc"}}, "sampler"),
            ({"crn": "per-replicate-index"}, "crn"),
        ],
    )
    def test_other_settings_are_refused_by_name(self, change: dict[str, Any], field: str) -> None:
        journal = MemoryJournal()
        run(make_plan(SPACE, max_trials=10), journal=journal)
        with pytest.raises(Conflict, match=rf"{field}: was .*, now") as caught:
            run(make_plan(SPACE, max_trials=10, **change), journal=journal)
        assert caught.value.exit_code == 3
        assert "warm_start" in str(caught.value.hint)

    def test_another_replicates_policy_may_be_rescored(self) -> None:
        journal = MemoryJournal()
        run(make_plan(SPACE, max_trials=10), journal=journal)
        with pytest.raises(Conflict) as caught:
            run(make_plan(SPACE, max_trials=10, replicates="mean_loglik"), journal=journal)
        assert "stored simulations are found again" in (caught.value.hint or "")

    def test_async_replays_its_own_order(self) -> None:
        plan = make_plan(SPACE, max_trials=24, schedule="async", batch_size=4)
        journal = MemoryJournal()
        first = run(plan, journal=journal, order=shuffled(3))
        assert "NOT_REPRODUCIBLE" in {finding.code for finding in first.findings}
        cut = next(i for i, r in enumerate(journal.lines) if r.get("trial") == 15)
        part = MemoryJournal(journal.lines[:cut])
        again = run(plan, journal=part, order=shuffled(4))
        ids = [trials["param_id"].to_list() for trials in (first.trials, again.trials)]
        assert ids[0][:15] == ids[1][:15]


class TestFileJournal:
    def test_a_half_written_last_line_is_dropped(self, tmp_path: Any) -> None:
        journal = FileJournal(tmp_path / "journal.jsonl")
        journal.append({"event": "begin", "n": 1})
        with journal.path.open("ab") as stream:
            stream.write(b'{"event": "out')
        assert journal.records() == [{"event": "begin", "n": 1}]
        journal.append({"event": "ask"})
        assert [record["event"] for record in journal.records()] == ["begin", "ask"]

    def test_a_damaged_line_inside_is_an_error(self, tmp_path: Any) -> None:
        path = tmp_path / "journal.jsonl"
        path.write_bytes(b"not json\n{}\n")
        with pytest.raises(IntegrityError, match="line 1"):
            FileJournal(path).records()

    def test_infinite_objectives_survive(self, tmp_path: Any) -> None:
        def fails(params: Mapping[str, Any], seed: int) -> float:
            return -math.inf if params["a"] > 0.6 else noisy(params, seed)

        plan = make_plan(SPACE, max_trials=15)
        journal = FileJournal(tmp_path / "fit" / "journal.jsonl")
        first = run(plan, loglik=fails, journal=journal)
        second = run(plan, loglik=fails, journal=FileJournal(journal.path))
        assert first.trials["loss"].to_list() == second.trials["loss"].to_list()
