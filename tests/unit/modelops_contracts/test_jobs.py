"""Jobs as values."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from modelops_contracts.jobs import CalibrationJob, Job, SimJob, TargetSpec
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.simulation import SimTask

REF = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def task(x: float, seed: int, ref: str = REF) -> SimTask:
    params = UniqueParameterSet.from_dict({"x": x})
    return SimTask(bundle_ref=ref, entrypoint="m.M/baseline", params=params, seed=seed)


def test_a_job_is_abstract() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Job("id", REF)  # type: ignore[abstract]


def test_simulation_job() -> None:
    tasks = (task(1.0, 1), task(2.0, 1), task(1.0, 2))
    job = SimJob("job-1", REF, tasks, resource_requirements={"cpu": 1})
    job.validate()
    assert (job.job_type, job.task_count()) == ("simulation", 3)
    assert job.to_blob_key() == "jobs/simulation/job-1.json"
    groups = job.get_task_groups()
    assert [[t.seed for t in group] for group in groups.values()] == [[1, 2], [1]]
    assert pickle.loads(pickle.dumps(job)) == job
    assert hash(job) == hash(pickle.loads(pickle.dumps(job)))


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"job_id": ""}, "job_id must be non-empty"),
        ({"bundle_ref": ""}, "bundle_ref must be non-empty"),
        ({"tasks": ()}, "at least one task"),
        ({"tasks": (task(1.0, 1, OTHER),)}, "another bundle"),
    ],
)
def test_what_a_simulation_job_needs(changes: dict[str, Any], fragment: str) -> None:
    fields: dict[str, Any] = {"job_id": "j", "bundle_ref": REF, "tasks": (task(1.0, 1),), **changes}
    with pytest.raises(ValueError, match=fragment):
        SimJob(**fields).validate()


@pytest.mark.parametrize(
    ("changes", "fragment"),
    [
        ({"job_id": ""}, "job_id must be non-empty"),
        ({"algorithm": ""}, "algorithm must be non-empty"),
        ({"max_iterations": 0}, "max_iterations must be > 0"),
    ],
)
def test_what_a_calibration_job_needs(changes: dict[str, Any], fragment: str) -> None:
    fields: dict[str, Any] = {
        "job_id": "c",
        "bundle_ref": REF,
        "algorithm": "optuna",
        "target_spec": TargetSpec({"target_ids": ["a"]}, "default"),
        "max_iterations": 1,
    }
    CalibrationJob(**fields).validate()
    with pytest.raises(ValueError, match=fragment):
        CalibrationJob(**{**fields, **changes}).validate()
