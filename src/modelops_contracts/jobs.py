"""Jobs: a study or a calibration bound to a bundle, ready to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from modelops_contracts.errors import InvalidValue
from modelops_contracts.frozen import FrozenValue, read_only
from modelops_contracts.simulation import SimTask

__all__ = ["AnyJob", "CalibrationJob", "Job", "SimJob", "TargetSpec"]


@dataclass(frozen=True, slots=True)
class TargetSpec(FrozenValue):
    """What simulations are compared with."""

    data: Mapping[str, Any] = field(hash=False)
    loss_function: str
    weights: Mapping[str, float] | None = field(default=None, hash=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", read_only(self.data))
        if self.weights is not None:
            object.__setattr__(self, "weights", read_only(self.weights))
        object.__setattr__(self, "metadata", read_only(self.metadata))


@dataclass(frozen=True, slots=True)
class Job(FrozenValue, ABC):
    """Anything with a job id that runs the code of one bundle."""

    job_id: str
    bundle_ref: str

    @property
    @abstractmethod
    def job_type(self) -> str:
        """ "simulation" or "calibration"."""

    def to_blob_key(self) -> str:
        """Where the job's description is stored."""
        return f"jobs/{self.job_type}/{self.job_id}.json"

    def validate(self) -> None:
        """Raise a ValueError when the job cannot be run as it stands."""
        if not self.job_id:
            raise InvalidValue("job_id must be non-empty")
        if not self.bundle_ref:
            raise InvalidValue("bundle_ref must be non-empty")


@dataclass(frozen=True, slots=True)
class SimJob(Job):
    """Simulations to run, one task each."""

    tasks: tuple[SimTask, ...]
    metadata: Mapping[str, Any] = field(default_factory=dict, hash=False)
    priority: int = 0
    resource_requirements: Mapping[str, Any] | None = field(default=None, hash=False)
    target_spec: TargetSpec | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))
        object.__setattr__(self, "metadata", read_only(self.metadata))
        if self.resource_requirements is not None:
            requirements = read_only(self.resource_requirements)
            object.__setattr__(self, "resource_requirements", requirements)

    @property
    def job_type(self) -> str:
        return "simulation"

    def task_count(self) -> int:
        """Number of simulations."""
        return len(self.tasks)

    def get_task_groups(self) -> dict[str, list[SimTask]]:
        """Tasks by parameter set id, in order of appearance: the replicates of each set."""
        groups: dict[str, list[SimTask]] = {}
        for task in self.tasks:
            groups.setdefault(task.params.param_id, []).append(task)
        return groups

    def validate(self) -> None:
        _validate_base(self)
        if not self.tasks:
            raise InvalidValue("a simulation job needs at least one task")
        strangers = {task.bundle_ref for task in self.tasks} - {self.bundle_ref}
        if strangers:
            raise InvalidValue(f"tasks of another bundle in the job: {sorted(strangers)}")


@dataclass(frozen=True, slots=True)
class CalibrationJob(Job):
    """A search for parameters that bring a model close to its targets."""

    algorithm: str
    target_spec: TargetSpec
    max_iterations: int
    convergence_criteria: Mapping[str, Any] = field(default_factory=dict, hash=False)
    algorithm_config: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "convergence_criteria", read_only(self.convergence_criteria))
        object.__setattr__(self, "algorithm_config", read_only(self.algorithm_config))

    @property
    def job_type(self) -> str:
        return "calibration"

    def validate(self) -> None:
        _validate_base(self)
        if not self.algorithm:
            raise InvalidValue("algorithm must be non-empty")
        if self.max_iterations <= 0:
            raise InvalidValue(f"max_iterations must be > 0, not {self.max_iterations}")


def _validate_base(job: Job) -> None:
    # super() does not work inside a dataclass with slots: the class is made twice.
    Job.validate(job)


AnyJob: TypeAlias = SimJob | CalibrationJob
