"""Resuming a calibration whose targets, weights, settings or model are other ones today."""

from __future__ import annotations

import json
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from modelops import wiring
from modelops.jobs.record import JobRecord
from modelops.jobs.resuming import ResumeWish, prepare_resume
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_contracts.errors import Conflict, InvalidInput
from modelops_contracts.job_state import JobState
from support.job_projects import calibration_spec, study_spec, write_spec

UNSTEADY = ["seconds", "reused"]


def resume(place: Any, job_id: str, **wish: Any) -> JobRecord:
    backend = wiring.open_backend(place.config, project_root=place.root)
    backend.resume(
        job_id,
        prepare=lambda folder: prepare_resume(
            folder, ResumeWish(**wish), project_root=place.root, config=place.config
        ),
    )
    record: JobRecord = place.carry(place.folder(job_id))
    return record


def result_of(place: Any, job_id: str) -> CalibrationResult:
    return CalibrationResult.load(place.folder(job_id).result)


def change(place: Any, name: str, old: str, new: str) -> None:
    path = place.root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_other_data_are_refused_and_scored_again_when_asked(place: Any) -> None:
    before = place.run(calibration_spec())
    first = result_of(place, before.job_id)
    change(place, "data/walk.csv", "5,2.4", "5,2.2")
    with pytest.raises(Conflict, match=r"target targets:place: digest was .*, now ") as caught:
        resume(place, before.job_id)
    assert caught.value.exit_code == 3
    assert f"mops jobs resume {before.job_id} --rescore" in (caught.value.hint or "")
    again = resume(place, before.job_id, rescore=True)
    assert again.state is JobState.SUCCEEDED
    second = result_of(place, before.job_id)
    assert second.stop_reason == "scored again"
    same = ["param_id", "param_drift", "seed0"]
    assert_frame_equal(first.trials.select(same), second.trials.select(same))
    assert first.trials["loss"].to_list() != second.trials["loss"].to_list()
    fresh = place.run(calibration_spec())
    assert_frame_equal(
        second.trials.drop(UNSTEADY), result_of(place, fresh.job_id).trials.drop(UNSTEADY)
    )


def test_another_weight_runs_no_simulation(place: Any) -> None:
    spec = calibration_spec(targets=("place", "end"))
    before = place.run(spec)
    # One weight for both targets: another objective, the same order of trials.
    spec["target_data"]["weights"] = {"place": 3.0, "end": 3.0}
    path = write_spec(place.root / "other.json", spec)
    with pytest.raises(Conflict, match=r"weight was 1\.0, now 3\.0"):
        resume(place, before.job_id, spec=path)
    again = resume(place, before.job_id, spec=path, rescore=True)
    assert again.progress.simulated == 0
    assert "0 simulations run" in again.message
    ours, theirs = (result_of(place, before.job_id), before.progress.best)
    assert theirs is not None
    assert ours.best.objective != theirs
    journals = sorted(path.name for path in place.folder(before.job_id).path.glob("journal*"))
    assert journals == ["journal-1.jsonl", "journal.jsonl"]


def test_another_policy_is_scored_again(place: Any) -> None:
    before = place.run(calibration_spec())
    path = write_spec(place.root / "other.json", calibration_spec(replicates="mean_loglik"))
    with pytest.raises(Conflict, match="replicates: was 'logmeanexp', now 'mean_loglik'"):
        resume(place, before.job_id, spec=path)
    again = resume(place, before.job_id, spec=path, rescore=True)
    assert again.state is JobState.SUCCEEDED
    # Once more: what was scored again is what the job is now.
    with pytest.raises(Conflict, match="nothing to score again"):
        resume(place, before.job_id, rescore=True)


def test_more_trials_go_on_where_the_search_ended(place: Any) -> None:
    before = place.run(calibration_spec())
    path = write_spec(place.root / "longer.json", calibration_spec(max_trials=16))
    after = resume(place, before.job_id, spec=path)
    assert (after.progress.done, after.state) == (16, JobState.SUCCEEDED)
    whole = place.run(calibration_spec(max_trials=16))
    assert_frame_equal(
        result_of(place, before.job_id).trials.drop(UNSTEADY),
        result_of(place, whole.job_id).trials.drop(UNSTEADY),
    )


def test_everything_else_is_refused_with_each_difference(place: Any) -> None:
    before = place.run(calibration_spec())
    kept = {p.name: p.read_bytes() for p in place.folder(before.job_id).path.glob("*.json*")}
    path = write_spec(
        place.root / "other.json",
        calibration_spec(seed=2, n_replicates=5, replicates="mean_loglik"),
    )
    for rescore in (False, True):
        with pytest.raises(Conflict) as caught:
            resume(place, before.job_id, spec=path, rescore=rescore)
        for told in (
            "seed: was 1, now 2",
            "n_replicates: was 3, now 5",
            "replicates: was 'logmeanexp', now 'mean_loglik'",
        ):
            assert told in str(caught.value)
        assert "warm_start" in (caught.value.hint or "")
    change(place, "walk.py", "here, path = 0.0", "here, path = 1.0")
    with pytest.raises(Conflict, match=r"model: was .*, now "):
        resume(place, before.job_id, rescore=True)
    assert kept == {
        p.name: p.read_bytes() for p in place.folder(before.job_id).path.glob("*.json*")
    }


def test_what_was_submitted_can_always_go_on(place: Any) -> None:
    folder = place.submit(calibration_spec())
    backend = wiring.open_backend(place.config, project_root=place.root)
    backend.cancel(folder.job_id)
    (place.root / "walk.py").write_text("def broken(:\n")
    with pytest.raises(Conflict, match="cannot be compared") as caught:
        resume(place, folder.job_id)
    assert "--as-submitted" in (caught.value.hint or "")
    assert resume(place, folder.job_id, as_submitted=True).state is JobState.SUCCEEDED


def test_a_target_that_reads_more_needs_a_new_job(place: Any) -> None:
    before = place.run(calibration_spec())
    path = write_spec(place.root / "both.json", calibration_spec(targets=("place", "end")))
    with pytest.raises(Conflict, match="also read last"):
        resume(place, before.job_id, spec=path, rescore=True)


def test_a_target_less_is_scored_from_what_is_stored(place: Any) -> None:
    before = place.run(calibration_spec(targets=("place", "end")))
    path = write_spec(place.root / "one.json", calibration_spec())
    again = resume(place, before.job_id, spec=path, rescore=True)
    assert again.targets == ("place",)
    assert result_of(place, before.job_id).trials.height == 12


def test_an_interrupted_rescoring_goes_on(place: Any) -> None:
    from modelops.jobs.interrupt import Interrupt

    before = place.run(calibration_spec())
    change(place, "data/walk.csv", "5,2.4", "5,2.2")
    backend = wiring.open_backend(place.config, project_root=place.root)
    backend.resume(
        before.job_id,
        prepare=lambda folder: prepare_resume(
            folder, ResumeWish(rescore=True), project_root=place.root, config=place.config
        ),
    )
    stop = Interrupt()
    stop.request()
    assert place.carry(place.folder(before.job_id), interrupt=stop).state is JobState.CANCELLED
    after = resume(place, before.job_id)
    assert (after.state, after.progress.done) == (JobState.SUCCEEDED, 12)


def test_a_study_is_not_rescored(place: Any) -> None:
    record = place.run(study_spec([0.5]))
    with pytest.raises(InvalidInput, match="is a study") as caught:
        resume(place, record.job_id, rescore=True)
    assert "mops run" in (caught.value.hint or "")
    assert json.loads(place.folder(record.job_id).state.read_text())["state"] == "succeeded"
