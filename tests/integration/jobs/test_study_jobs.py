"""Studies from the file to the tables, with everything real but the console."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from modelops.driver import run_job
from modelops.jobs.interrupt import Interrupt
from modelops_contracts.errors import InvalidInput, ModelOpsError, NotFound
from modelops_contracts.job_state import JobState
from modelops_contracts.ports import NullReporter
from support.job_projects import study_spec


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_study_gives_tidy_tables_and_scores(place: Any) -> None:
    record = place.run(study_spec([0.1, 0.5]))
    assert record.state is JobState.SUCCEEDED
    assert (record.progress.done, record.progress.total, record.progress.failed) == (6, 6, 0)
    tables = place.tables(record.job_id)
    assert tables["parameters"]["param_drift"].to_list() == [0.1, 0.5]
    assert tables["parameters"]["param_spread"].to_list() == [1.0, 1.0]
    assert tables["path"].height == 2 * 3 * 5
    assert tables["last"].height == 6
    targets = tables["targets"]
    assert sorted(targets["target"].unique().to_list()) == ["end", "place"]
    assert targets["param_id"].n_unique() == 2
    assert record.progress.best == pytest.approx(targets["objective"].min())


def test_the_seeds_in_the_tables_are_those_of_the_study(place: Any) -> None:
    spec = study_spec([], parameter_sets=[{"params": {"drift": 0.5}, "seed": 11}])
    record = place.run(spec)
    assert place.tables(record.job_id)["path"]["seed"].unique().to_list() == [11]


def test_running_it_again_reuses_every_row(place: Any) -> None:
    first = place.run(study_spec([0.1, 0.5]))
    made = place.plan(study_spec([0.1, 0.5]))
    assert (made.simulations, made.reused, made.missing) == (6, 6, 0)
    second = place.run(study_spec([0.1, 0.5]))
    assert second.job_id != first.job_id
    assert (second.progress.reused, second.progress.simulated) == (6, 0)
    assert "6 reused, 0 computed" in second.message
    reuse = pl.read_parquet(place.folder(second.job_id).reuse)
    assert reuse["reused"].all()
    assert set(reuse["job"]) == {first.job_id}
    for name, table in place.tables(first.job_id).items():
        assert_frame_equal(table, place.tables(second.job_id)[name])


def test_only_what_is_new_runs(place: Any) -> None:
    place.run(study_spec([0.1], n_replicates=2))
    record = place.run(study_spec([0.1, 0.7], n_replicates=3))
    assert (record.progress.reused, record.progress.simulated) == (2, 4)


def test_two_places_give_the_same_digests_keys_and_tables(place: Any, another_place: Any) -> None:
    ours, theirs = (p.run(study_spec([0.1, 0.5])) for p in (place, another_place))
    assert ours.bundle == theirs.bundle
    keys = [
        pl.read_parquet(p.folder(r.job_id).reuse)["sim_key"].to_list()
        for p, r in ((place, ours), (another_place, theirs))
    ]
    assert keys[0] == keys[1]
    for name, table in place.tables(ours.job_id).items():
        assert_frame_equal(table, another_place.tables(theirs.job_id)[name])


def test_a_change_of_the_model_is_a_new_computation(place: Any) -> None:
    before = place.run(study_spec([0.5]))
    model = place.root / "walk.py"
    model.write_text(model.read_text().replace("here, path = 0.0", "here, path = 1.0"))
    after = place.run(study_spec([0.5]))
    assert (after.progress.reused, after.progress.simulated) == (0, 3)
    assert after.bundle != before.bundle


def test_a_comment_in_the_model_is_not(place: Any) -> None:
    place.run(study_spec([0.5]))
    model = place.root / "walk.py"
    model.write_text("# a walk\n" + model.read_text())
    assert place.run(study_spec([0.5])).progress.simulated == 0


def test_the_scenario_is_run_and_part_of_the_key(place: Any) -> None:
    place.run(study_spec([0.5], model="walk:Mean", n_replicates=1))
    record = place.run(study_spec([0.5], model="walk:Mean", n_replicates=1, scenario="still"))
    assert record.progress.simulated == 1
    assert place.tables(record.job_id)["path"]["place"].to_list() == [0.0] * 5


def test_configuration_and_outputs_reach_the_model(place: Any) -> None:
    spec = study_spec([0.5], outputs=["last"])
    spec["metadata"]["config"] = {"days": 2}
    record = place.run(spec)
    tables = place.tables(record.job_id)
    assert "path" not in tables
    assert tables["targets"]["target"].unique().to_list() == ["end"]
    assert record.targets == ("end",)


def test_failures_are_data_and_the_rest_goes_on(place: Any) -> None:
    record = place.run(study_spec([0.5, 1.95]))
    assert record.state is JobState.PARTIAL
    assert "3 failed" in record.message
    tables = place.tables(record.job_id)
    failures = tables["failures"]
    assert failures.height == 3
    assert failures["error_message"].unique().to_list() == ["the walk ran away"]
    assert "walk.py" in failures["traceback"][0]
    reasons = tables["targets"].group_by("param_id").agg(pl.col("reason").first())
    assert sorted(str(reason) for reason in reasons["reason"]) == ["None", "SIM_FAILED"]
    assert tables["path"]["param_id"].n_unique() == 1


def test_the_message_and_the_log_say_why_simulations_failed(place: Any) -> None:
    record = place.run(study_spec([1.95]))
    assert record.message.endswith("3 failed: ValueError: the walk ran away")
    log = place.folder(record.job_id).driver_log.read_text()
    assert 'raise ValueError("the walk ran away")' in log


def test_the_message_says_why_no_row_has_a_score(place: Any) -> None:
    with (place.root / "data" / "walk.csv").open("a") as data:
        data.write("50,2.0\n")
    record = place.run(study_spec([0.5]))
    assert "; 1 row without a score: COVERAGE: " in record.message
    assert record.state is JobState.PARTIAL, "simulated, but nothing to show for it"


def test_a_full_disk_ends_a_job_with_the_file_and_a_hint(
    place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = place.submit(study_spec([0.5]))

    def fail(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr("modelops.jobs.work.write_atomically", fail)
    record = place.carry(folder)
    assert record.state is JobState.FAILED
    assert record.message == f"{folder.reuse}: No space left on device"
    assert record.error["hint"].startswith("free some space")
    assert "Traceback" not in folder.driver_log.read_text()
    monkeypatch.undo()
    assert place.carry(folder).state is JobState.SUCCEEDED


def test_the_failure_policy_decides(place: Any) -> None:
    assert place.run(study_spec([0.5, 1.95]), max_failed="50%").state is JobState.SUCCEEDED
    assert place.run(study_spec([1.95])).state is JobState.FAILED


def test_a_new_job_tries_failures_again_a_resumed_one_only_when_asked(place: Any) -> None:
    first = place.run(study_spec([0.5, 1.95]))
    again = place.run(study_spec([0.5, 1.95]))
    assert (again.progress.reused, again.progress.simulated) == (3, 3)
    folder = place.folder(first.job_id)
    resumed = place.carry(folder)
    assert resumed.progress.simulated == 0
    assert resumed.state is JobState.PARTIAL


@pytest.mark.parametrize(
    ("spec", "error", "text"),
    [
        (study_spec([0.5], model="walk:Wlak"), NotFound, r"nearest: walk\.Walk"),
        (study_spec([5.0]), InvalidInput, "outside its bounds"),
        (study_spec([0.5], outputs=["pth"]), InvalidInput, "did you mean path"),
        (study_spec([0.5], scenario="stil"), InvalidInput, "did you mean still"),
        (study_spec([0.5], targets=["targets:plce"]), NotFound, "nearest: targets:place"),
        (study_spec([0.5], targets=["targets:place"], outputs=["last"]), InvalidInput, "path"),
    ],
)
def test_mistakes_are_found_before_a_job_exists(
    place: Any, spec: dict[str, Any], error: type[ModelOpsError], text: str
) -> None:
    with pytest.raises(error, match=text):
        place.plan(spec)
    assert not (place.root / ".modelops").exists()


def test_an_import_error_of_the_author_is_shown_before_a_job_exists(place: Any) -> None:
    model = place.root / "walk.py"
    model.write_text(model.read_text() + "\nimport nowhere_to_be_found\n")
    with pytest.raises(ModelOpsError, match="nowhere_to_be_found"):
        place.plan(study_spec([0.5]))
    assert not (place.root / ".modelops").exists()


def test_a_dry_run_checks_everything_and_writes_nothing(place: Any) -> None:
    (place.root / "spec.json").write_text("{}")
    before = files_below(place.root)
    made = place.plan(study_spec([0.1, 0.5]), dry_run=True)
    assert (made.simulations, made.reused) == (6, 0)
    assert files_below(place.root) == before
    assert not place.home.exists()
    real = place.plan(study_spec([0.1, 0.5]))
    assert real.bundle.manifest == made.bundle.manifest


def test_a_named_bundle_is_run_as_it_is(place: Any) -> None:
    first = place.run(study_spec([0.5]))
    model = place.root / "walk.py"
    model.write_text(model.read_text().replace("here, path = 0.0", "here, path = 1.0"))
    record = place.run(study_spec([0.5]), bundle=first.bundle)
    assert record.bundle == first.bundle
    assert record.progress.reused == 3


def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(slow_place: Any) -> None:
    place = slow_place
    folder = place.submit(study_spec([0.1 * i for i in range(8)], n_replicates=10))
    interrupt = Interrupt()

    class StopSoon(NullReporter):
        def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
            interrupt.request()

    record = place.carry(folder, interrupt=interrupt, reporter=StopSoon())
    assert record.state is JobState.CANCELLED
    kept = record.progress.done
    assert 0 < kept < 80
    resumed = place.carry(folder)
    assert resumed.state is JobState.SUCCEEDED
    assert resumed.progress.done == 80
    assert resumed.progress.simulated == 80 - kept
    assert resumed.progress.reused == 0


def test_max_time_ends_a_job(slow_place: Any) -> None:
    folder = slow_place.submit(study_spec([0.5], n_replicates=500), max_time=0.5)
    record = slow_place.carry(folder)
    assert record.state is JobState.CANCELLED
    assert record.progress.done < 500


def test_another_environment_is_not_mixed_into_a_job(place: Any) -> None:
    folder = place.submit(study_spec([0.5]))
    text = folder.plan.read_text()
    digest = folder.read_document(folder.plan)["environment"]
    folder.plan.write_text(text.replace(digest, "0" * 64))
    record = place.carry(folder)
    assert record.state is JobState.FAILED
    assert record.error["code"] == "job.environment"


def test_a_job_that_succeeded_is_left_alone(place: Any) -> None:
    record = place.run(study_spec([0.5]))
    folder = place.folder(record.job_id)
    events = folder.events.read_text()
    assert place.carry(folder) == record
    assert folder.events.read_text() == events


def test_inline_gives_the_same_tables(place: Any, another_place: Any) -> None:
    flags = replace(another_place.config.run, executor="inline", workers=None)
    inline = replace(another_place, config=replace(another_place.config, run=flags))
    ours, theirs = place.run(study_spec([0.5])), inline.run(study_spec([0.5]))
    assert theirs.state is JobState.SUCCEEDED
    assert_frame_equal(place.tables(ours.job_id)["path"], inline.tables(theirs.job_id)["path"])


def test_debug_shows_the_authors_exception_itself(place: Any) -> None:
    folder = place.submit(study_spec([1.95]))
    with pytest.raises(ValueError, match="the walk ran away"):
        run_job(folder.path, config=place.config, debug=True)
    assert folder.read_record().state is JobState.FAILED
