"""Calibrations from the file to the saved result, interrupted and resumed."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from modelops.jobs.interrupt import Interrupt
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_contracts.errors import InvalidInput
from modelops_contracts.job_state import JobState
from modelops_contracts.ports import NullReporter
from support.job_projects import calibration_spec

UNSTEADY = ["seconds", "reused"]


def trials_of(place: Any, job_id: str) -> pl.DataFrame:
    return CalibrationResult.load(place.folder(job_id).result).trials.drop(UNSTEADY)


def test_a_calibration_ends_with_a_confirmed_result(place: Any) -> None:
    record = place.run(calibration_spec())
    assert record.state is JobState.SUCCEEDED
    assert record.kind == "calibration"
    assert (record.progress.done, record.progress.total) == (12, 12)
    result = CalibrationResult.load(place.folder(record.job_id).result)
    assert result.trials.height == 12
    assert result.best.confirmation is not None
    assert len(result.best.seeds) == 6
    assert record.progress.best == pytest.approx(result.best.objective)
    assert f"{result.best.objective:.6g}" in record.message
    for frame in (result.prior_fit, result.fit, result.plausible_fit):
        assert frame is not None
        assert frame.height == 5
    names = {path.name for path in place.folder(record.job_id).result.iterdir()}
    assert {"summary.json", "trials.parquet", "report.html", "report.pdf"} <= names


def test_search_and_confirmation_share_no_seed(place: Any) -> None:
    record = place.run(calibration_spec())
    best = CalibrationResult.load(place.folder(record.job_id).result).best
    search, selection, confirmation = (
        set(one.seeds) for one in (best.search, best.selection, best.confirmation) if one
    )
    assert not search & selection
    assert not search & confirmation
    assert not selection & confirmation


def test_the_same_again_computes_nothing_and_finds_the_same(place: Any) -> None:
    first = place.run(calibration_spec())
    second = place.run(calibration_spec())
    assert second.progress.simulated == 0
    assert "evaluations reused" in second.message
    assert_frame_equal(trials_of(place, first.job_id), trials_of(place, second.job_id))
    reuse = pl.read_parquet(place.folder(second.job_id).reuse)
    assert reuse["reused"].all()


def test_more_trials_reuse_the_earlier_ones(place: Any) -> None:
    first = place.run(calibration_spec())
    longer = place.run(calibration_spec(max_trials=16))
    ours, theirs = trials_of(place, first.job_id), trials_of(place, longer.job_id)
    assert_frame_equal(ours, theirs.head(12))


def test_several_targets_of_both_tracks(place: Any) -> None:
    record = place.run(calibration_spec(targets=("place", "end")))
    result = CalibrationResult.load(place.folder(record.job_id).result)
    assert {"target_place", "target_end"} <= set(result.trials.columns)
    assert record.targets == ("place", "end")


def test_a_deterministic_model_needs_one_simulation_per_trial(place: Any) -> None:
    made = place.plan(calibration_spec(model="walk:Mean"))
    assert made.replicates == 1
    record = place.run(calibration_spec(model="walk:Mean"))
    result = CalibrationResult.load(place.folder(record.job_id).result)
    assert set(result.trials["n_replicates"]) == {1}
    # observed means rise by 0.5 a day
    assert result.best.params["drift"] == pytest.approx(0.5, abs=0.25)


def test_stopped_and_resumed_it_finds_what_it_would_have_found(
    place: Any, another_place: Any
) -> None:
    whole = another_place.run(calibration_spec(sampler={"type": "tpe"}))
    folder = place.submit(calibration_spec(sampler={"type": "tpe"}))
    interrupt = Interrupt()

    class StopAfterThree(NullReporter):
        seen = 0

        def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
            self.seen += n
            if self.seen == 3:
                interrupt.request()

    stopped = place.carry(folder, interrupt=interrupt, reporter=StopAfterThree())
    assert stopped.state is JobState.CANCELLED
    lines = folder.journal.read_text().splitlines()
    assert sum(json.loads(line)["event"] == "outcome" for line in lines) >= 3
    resumed = place.carry(folder)
    assert resumed.state is JobState.SUCCEEDED
    assert_frame_equal(trials_of(place, folder.job_id), trials_of(another_place, whole.job_id))


def test_a_half_written_journal_line_is_dropped(place: Any) -> None:
    spec = calibration_spec()
    first = place.run(spec)
    folder = place.submit(spec)
    earlier = place.folder(first.job_id).journal.read_bytes()
    folder.journal.write_bytes(earlier[: len(earlier) // 2])
    record = place.carry(folder)
    assert record.state is JobState.SUCCEEDED
    assert_frame_equal(trials_of(place, first.job_id), trials_of(place, folder.job_id))


def test_other_settings_in_the_journal_are_refused_with_the_difference(place: Any) -> None:
    first = place.run(calibration_spec())
    folder = place.submit(calibration_spec(seed=2))
    folder.journal.write_bytes(place.folder(first.job_id).journal.read_bytes())
    record = place.carry(folder)
    assert record.state is JobState.FAILED
    assert "seed: was 1, now 2" in record.message


def test_when_every_trial_fails_the_job_fails_and_keeps_them(place: Any) -> None:
    bounds = {"drift": {"lower": 1.91, "upper": 2.0}}
    record = place.run(calibration_spec(parameter_specs=bounds))
    assert record.state is JobState.FAILED
    assert "the walk ran away" in record.message
    result = CalibrationResult.load(place.folder(record.job_id).result)
    assert result.trials["reason"].to_list() == ["SIM_FAILED"] * result.trials.height


def test_some_failed_trials_are_told_and_counted(place: Any) -> None:
    bounds = {"drift": {"lower": 1.0, "upper": 2.0}}
    record = place.run(calibration_spec(parameter_specs=bounds, max_trials=30), max_failed="0")
    assert record.state is JobState.PARTIAL
    assert "trials failed" in record.message


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"parameter_specs": {"drift": {"lower": -9, "upper": 1}}}, "bounds"),
        ({"parameter_specs": {"dirft": {"lower": 0, "upper": 1}}}, "drift"),
        ({"sampler": {"type": "tpee"}}, "tpe"),
        ({"sampler": {"type": "cmaes"}}, "tpe"),
    ],
)
def test_mistakes_are_found_before_a_job_exists(
    place: Any, config: dict[str, Any], text: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        place.plan(calibration_spec(**config))
    assert text in f"{caught.value} {caught.value.hint}"
    assert not (place.root / ".modelops").exists()
