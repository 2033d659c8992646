"""Ctrl-C in a notebook: what runs is finished and kept, a second call goes on."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.calibration.journal import FileJournal
from modelops_calabaria.calibration.stopping import stopping_on_interrupt
from modelops_contracts.errors import Interrupted, InvalidType

LEVEL = cb.scalar_target("level", "out", "level", 0.25)


class Line(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])
    runs = 0
    interrupted_at = -1

    def build_sim(self, params: Any, config: Any) -> float:
        return float(params["x"])

    def run_sim(self, state: float, seed: int) -> float:
        Line.runs += 1
        if Line.runs == Line.interrupted_at:
            os.kill(os.getpid(), signal.SIGINT)
        return state

    @cb.model_scenario("other")
    def other(self) -> cb.ScenarioSpec:
        return cb.ScenarioSpec("other")

    @cb.model_output("out")
    def out(self, raw: float, seed: int) -> pl.DataFrame:
        return pl.DataFrame({"metric": ["level"], "value": [raw]})


def fitted(folder: Path, **options: Any) -> Any:
    given: dict[str, Any] = {"engine": "random", "n_trials": 10, "n_replicates": 2, **options}
    return cb.calibrate(Line, [LEVEL], journal=folder, **given)


def test_the_evaluation_that_runs_is_finished_and_kept(tmp_path: Path) -> None:
    whole = fitted(tmp_path / "whole")
    Line.runs, Line.interrupted_at = 0, 7
    with pytest.raises(Interrupted, match="every finished evaluation is kept") as caught:
        fitted(tmp_path / "part")
    assert "again" in (caught.value.hint or "")
    records = FileJournal(tmp_path / "part" / "journal.jsonl").records()
    assert sum(record["event"] == "outcome" for record in records) == 4
    Line.runs, Line.interrupted_at = 0, -1
    resumed = fitted(tmp_path / "part")
    assert resumed.trials.drop("seconds").equals(whole.trials.drop("seconds"))
    assert resumed.best.objective == whole.best.objective


def test_the_second_press_ends_at_once() -> None:
    with stopping_on_interrupt() as should_stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert should_stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_threads_and_other_handlers_are_left_alone() -> None:
    seen: list[bool] = []

    def elsewhere() -> None:
        with stopping_on_interrupt() as should_stop:
            seen.append(should_stop())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stopping_on_interrupt() as should_stop:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            os.kill(os.getpid(), signal.SIGINT)
            seen.append(should_stop())
    finally:
        signal.signal(signal.SIGINT, before)
    assert seen == [False, False]


def test_progress_must_be_something_that_can_be_told() -> None:
    with pytest.raises(InvalidType, match="progress must be a Reporter"):
        cb.calibrate(Line, [LEVEL], progress=True)  # type: ignore[arg-type]
    with pytest.raises(InvalidType, match="progress must be a Reporter"):
        cb.run_study(Line, [{"x": 0.5}], progress=print)  # type: ignore[arg-type]


def study(**options: Any) -> Any:
    design = [{"x": 0.1}, {"x": 0.2}, {"x": 0.3}]
    scenarios = ["baseline", "other"]
    return cb.run_study(Line, design, scenario=scenarios, n_replicates=3, **options)


@pytest.mark.parametrize("targets", [[], [LEVEL]], ids=["bare", "scored"])
@pytest.mark.parametrize("stopped_at", [1, 5, 11, 18])
def test_a_study_keeps_what_was_simulated_and_goes_on(targets: list[Any], stopped_at: int) -> None:
    Line.runs, Line.interrupted_at = 0, -1
    whole = study(targets=targets)
    Line.runs, Line.interrupted_at = 0, stopped_at
    if stopped_at == 18:  # the last one: nothing is left to stop
        assert study(targets=targets).outputs["out"].equals(whole.outputs["out"])
        return
    with pytest.raises(
        cb.StudyInterrupted, match=f"after {stopped_at} of 18 simulations"
    ) as caught:
        study(targets=targets)
    part = caught.value.result
    assert part.outputs["out"].equals(whole.outputs["out"].head(stopped_at))
    n_scored = stopped_at // 3 if targets else 0
    assert (
        part.evaluations["objective"].to_list()
        == whole.evaluations["objective"].to_list()[:n_scored]
    )
    assert part.parameters.equals(whole.parameters.head(-(-stopped_at // 3)))
    again = caught.value.resume()
    assert Line.runs == 18
    for name in ("parameters", "evaluations", "failures"):
        assert getattr(again, name).equals(getattr(whole, name))
    assert again.outputs["out"].equals(whole.outputs["out"])


def test_a_study_that_is_ended_at_once_keeps_what_was_finished() -> None:
    def press_twice(self: Any, state: float, seed: int) -> float:
        presses.append(seed)
        if len(presses) == 2:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
        return state

    presses: list[int] = []
    hasty = type("Hasty", (Line,), {"run_sim": press_twice})
    with pytest.raises(cb.StudyInterrupted, match="after 1 of 2 simulations") as caught:
        cb.run_study(hasty, [{"x": 0.1}, {"x": 0.2}])
    assert caught.value.result.outputs["out"].height == 1
    assert caught.value.resume().outputs["out"].height == 2
    assert len(presses) == 3
