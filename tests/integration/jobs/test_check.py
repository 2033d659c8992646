"""The check before a job: where it is made, what it keeps, what it refuses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelops import wiring
from modelops.cli.mops.jobs._submission import check_text, describe_check
from modelops.jobs.keys import requests_for
from modelops.jobs.submit import SubmissionPlan
from modelops.jobs.tryout import point_of
from modelops_bundle.project.project import open_project
from modelops_bundle.registering import register
from modelops_contracts.errors import InvalidInput, ModelOpsError, SimulationFailed
from support.job_projects import calibration_spec, study_spec


def checked(place: Any, spec: dict[str, Any], **options: Any) -> SubmissionPlan:
    made: SubmissionPlan = place.plan(spec, unchecked="", **options)
    return made


def stored_of_check(place: Any, made: SubmissionPlan) -> int:
    store = wiring.open_results(place.config, place.root)
    params, seeds = point_of(made.job, made.spec)
    sims = requests_for(made.job, made.bundle.manifest, params, seeds)
    return len(store.known(made.job.code, [sim.sim_key for sim in sims]))


def test_a_study_is_checked_in_the_middle_of_its_rows(place: Any) -> None:
    made = checked(place, study_spec([-1.0, 0.0, 0.5]))
    assert made.check is not None
    assert dict(made.check.params or {}) == {"drift": -0.25, "spread": 1.0}
    assert made.check.simulations == 4
    assert stored_of_check(place, made) == 2
    again = checked(place, study_spec([-1.0, 0.0, 0.5]))
    assert again.check is not None
    assert again.check.simulations == 0
    assert again.check.objective == made.check.objective


def test_a_calibration_is_checked_in_its_own_bounds(place: Any) -> None:
    bounds = {"drift": {"lower": 0.25, "upper": 0.75}, "spread": {"lower": 2.0, "upper": 3.0}}
    made = checked(place, calibration_spec(parameter_specs=bounds))
    assert made.check is not None
    # The default of spread lies outside the bounds.
    assert dict(made.check.params or {}) == {"drift": 0.5, "spread": 2.5}


def test_rows_that_fail_elsewhere_do_not_matter(place: Any) -> None:
    assert checked(place, study_spec([0.5, 1.95])).check is not None


def test_a_failing_model_is_refused_with_its_traceback(place: Any) -> None:
    with pytest.raises(SimulationFailed, match="the walk ran away") as caught:
        checked(place, study_spec([1.95]))
    assert "walk.py" in caught.value.remote_traceback
    assert "--no-check" in (caught.value.hint or "")


def test_a_target_that_asks_for_what_is_not_there_is_told_so_in_a_line(place: Any) -> None:
    targets = place.root / "targets.py"
    right = targets.read_text()
    targets.write_text(right.replace('["day"]', '["dy"]'))
    with pytest.raises(SimulationFailed, match=r"no key column 'dy'.*\(targets.py:8\)$") as caught:
        checked(place, study_spec([0.5]))
    assert (caught.value.hint, caught.value.remote_traceback) == ("did you mean 'day'?", "")
    targets.write_text(right.replace("sd=1.0", 'sd=cb.Param("sprad")'))
    with pytest.raises(InvalidInput, match=r"sprad.*drift, spread$") as refused:
        checked(place, study_spec([0.5]))
    assert (refused.value.hint or "").startswith("did you mean 'spread'? Correct it, then: mops")


IMPOSSIBLE = """

@cb.calibration_target(model_output="last")
def never():
    return cb.LikelihoodTarget(
        name="never",
        model_output="last",
        data=pl.DataFrame({"metric": ["end"], "value": [2.5]}),
        alignment=cb.MetricAlignment(),
        evaluator=lambda aligned: [-float("inf")] * aligned.n_replicates,
    )
"""


def test_an_impossible_point_among_others_is_said_without_a_warning(place: Any) -> None:
    targets = place.root / "targets.py"
    targets.write_text(targets.read_text() + IMPOSSIBLE)
    project = open_project(place.root)
    register(project, "target", "targets.py", cwd=place.root)
    for spec in (study_spec([-1.0, 0.0, 0.5]), calibration_spec(targets=("never",))):
        made = checked(place, spec)
        assert made.warnings == ()
        told = describe_check(made)
        assert told is not None
        assert (told.objective, told.reason) == (None, "ZERO_LIKELIHOOD")
        assert (check_text(told) or "").startswith("passed; the data were impossible at the one")
    alone = checked(place, study_spec([0.5]))
    assert alone.warnings == ("check: ZERO_LIKELIHOOD at the only point",)


def test_a_hanging_model_is_refused(place: Any) -> None:
    model = place.root / "walk.py"
    model.write_text(model.read_text().replace("draw = random", "time.sleep(60); draw = random", 1))
    place = type(place)(place.root, place.home, timed(place.config))
    with pytest.raises(ModelOpsError, match=r"TIMEOUT.*drift=0\.5") as caught:
        checked(place, study_spec([0.5]))
    assert "--no-check" in (caught.value.hint or "")


def timed(config: Any) -> Any:
    return replace(config, run=replace(config.run, timeout=0.5))


def test_a_dry_run_checks_and_keeps_nothing(place: Any) -> None:
    made = checked(place, study_spec([0.5]), dry_run=True)
    assert made.check is not None
    assert (made.check.simulations, stored_of_check(place, made)) == (4, 0)
    with pytest.raises(ModelOpsError):
        checked(place, study_spec([1.95]), dry_run=True)
    assert not (place.root / ".modelops").exists()


def test_a_false_claim_of_determinism_is_refused(place: Any) -> None:
    model = place.root / "walk.py"
    claim = '"""A random walk with drift."""\n\n    DETERMINISTIC = True'
    model.write_text(model.read_text().replace('"""A random walk with drift."""', claim))
    with pytest.raises(InvalidInput, match="deterministic") as caught:
        checked(place, calibration_spec())
    assert "DETERMINISTIC" in (caught.value.hint or "")
