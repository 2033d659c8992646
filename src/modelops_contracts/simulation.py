"""What is asked of a simulation and what comes back."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from modelops_contracts.artifacts import ErrorInfo, TableArtifact
from modelops_contracts.digests import (
    aggregation_id,
    aggregation_task_id,
    bundle12,
    canonical_task_id,
)
from modelops_contracts.entrypoint import format_entrypoint, parse_entrypoint
from modelops_contracts.errors import ContractViolationError, EntrypointFormatError
from modelops_contracts.frozen import MAX_UINT64, FrozenValue, as_names, as_seed, is_name, read_only
from modelops_contracts.parameter_set import Scalar, UniqueParameterSet, as_seeds

__all__ = [
    "AggregationReturn",
    "AggregationTask",
    "ErrorInfo",
    "ReplicateSet",
    "SimReturn",
    "SimTask",
    "TableArtifact",
    "aggregation_id",
    "bundle12",
    "canonical_task_id",
    "check_bundle_ref",
]

_BUNDLE_REF = re.compile(r"(?:[^@\s]+@)?sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class SimTask(FrozenValue):
    """One simulation: which bundle, which model and scenario, which values, which seed.

    ``outputs`` None means all of the model's; ``config`` patches the model's configuration.
    """

    bundle_ref: str
    entrypoint: str
    params: UniqueParameterSet
    seed: int
    outputs: tuple[str, ...] | None = None
    config: Mapping[str, Any] | None = field(default=None, hash=False)
    env: Mapping[str, Any] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        check_bundle_ref(self.bundle_ref)
        _check_entrypoint(self.entrypoint)
        if not isinstance(self.params, UniqueParameterSet):
            raise ContractViolationError("params must be UniqueParameterSet")
        object.__setattr__(self, "seed", as_seed(self.seed))
        object.__setattr__(self, "outputs", _as_outputs(self.outputs))
        object.__setattr__(self, "config", _as_optional_mapping(self.config, "config"))
        object.__setattr__(self, "env", _as_optional_mapping(self.env, "env"))

    @classmethod
    def from_components(
        cls,
        *,
        import_path: str,
        scenario: str,
        bundle_ref: str,
        params: UniqueParameterSet | Mapping[str, Scalar],
        seed: int,
        outputs: Sequence[str] | None = None,
        config: Mapping[str, Any] | None = None,
        env: Mapping[str, Any] | None = None,
    ) -> SimTask:
        """A task from the parts of its entrypoint. Empty ``outputs`` mean all."""
        known = isinstance(params, UniqueParameterSet)
        return cls(
            bundle_ref=bundle_ref,
            entrypoint=_format_entrypoint(import_path, scenario),
            params=params if known else UniqueParameterSet.from_dict(params),  # type: ignore[arg-type]
            seed=seed,
            outputs=_as_outputs(outputs) or None,
            config=config,
            env=env,
        )

    @property
    def import_path(self) -> str:
        """The part of the entrypoint before the scenario."""
        return parse_entrypoint(self.entrypoint)[0]

    @property
    def scenario(self) -> str:
        """The scenario of the entrypoint."""
        return parse_entrypoint(self.entrypoint)[1]

    def task_id(self) -> str:
        """The public id, see digests.canonical_task_id."""
        return canonical_task_id(self)

    def with_seed(self, seed: int) -> SimTask:
        """The same task with another seed; the other fields have been checked already."""
        task = object.__new__(SimTask)
        put = object.__setattr__
        put(task, "bundle_ref", self.bundle_ref)
        put(task, "entrypoint", self.entrypoint)
        put(task, "params", self.params)
        put(task, "seed", seed if type(seed) is int and 0 <= seed <= MAX_UINT64 else as_seed(seed))
        put(task, "outputs", self.outputs)
        put(task, "config", self.config)
        put(task, "env", self.env)
        return task


@lru_cache(maxsize=256)
def check_bundle_ref(bundle_ref: str) -> None:
    """Raise ContractViolationError unless it is ``[<repo>@]sha256:<64 lower-case hex>``."""
    if not is_name(bundle_ref):
        raise ContractViolationError("bundle_ref must be non-empty")
    if not _BUNDLE_REF.fullmatch(bundle_ref):
        raise ContractViolationError(
            "bundle_ref must be sha256:<64 lower-case hex> or <repository>@sha256:<64 lower-case "
            f"hex>, not {bundle_ref!r}",
            hint="push the bundle and use the digest it prints",
        )


def _check_entrypoint(entrypoint: str) -> None:
    if not is_name(entrypoint):
        raise ContractViolationError("entrypoint must be non-empty")
    try:
        parse_entrypoint(entrypoint)
    except EntrypointFormatError as error:
        raise ContractViolationError(
            f"Invalid entrypoint format: {error}", hint=error.hint
        ) from error


def _format_entrypoint(import_path: str, scenario: str) -> str:
    try:
        return format_entrypoint(import_path, scenario)
    except EntrypointFormatError as error:
        raise ContractViolationError(
            f"Invalid entrypoint format: {error}", hint=error.hint
        ) from error


def _as_outputs(outputs: Sequence[str] | None) -> tuple[str, ...] | None:
    if outputs is None:
        return None
    return tuple(sorted(set(as_names(outputs, "outputs"))))


def _as_optional_mapping(value: object, name: str) -> Mapping[str, Any] | None:
    if value is None:
        return None
    if not isinstance(value, Mapping):
        raise ContractViolationError(f"{name} must be a mapping, not {type(value).__name__}")
    # What the caller does to a list afterwards must not change the id of a task.
    return read_only(deepcopy(dict(value)))


@dataclass(frozen=True, slots=True)
class ReplicateSet(FrozenValue):
    """One task repeated with different seeds: the listed ones, else seed + offset + i."""

    base_task: SimTask
    n_replicates: int
    seed_offset: int = 0
    seeds: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        if isinstance(self.n_replicates, bool) or not hasattr(self.n_replicates, "__index__"):
            raise ContractViolationError(f"n_replicates must be int, not {self.n_replicates!r}")
        if self.seeds is not None:
            object.__setattr__(self, "seeds", as_seeds(self.seeds, "seeds"))
            if len(self.seeds) != max(self.n_replicates, 0):
                raise ContractViolationError(
                    f"{len(self.seeds)} seeds for n_replicates={self.n_replicates}"
                )
        elif self.n_replicates > 0:
            first = self.base_task.seed + self.seed_offset
            as_seed(first)
            as_seed(first + self.n_replicates - 1)

    def tasks(self) -> list[SimTask]:
        """The tasks in replicate order; none when n_replicates is not positive."""
        if self.seeds is not None:
            return [self.base_task.with_seed(seed) for seed in self.seeds]
        first = self.base_task.seed + self.seed_offset
        return [self.base_task.with_seed(first + i) for i in range(max(self.n_replicates, 0))]


@dataclass(frozen=True, slots=True)
class SimReturn(FrozenValue):
    """Tables of one simulation, or its error. ``error_details`` holds the traceback's bytes."""

    task_id: str
    outputs: Mapping[str, TableArtifact] = field(hash=False)
    error: ErrorInfo | None = None
    error_details: TableArtifact | None = None
    logs_ref: str | None = None
    metrics: Mapping[str, float] | None = field(default=None, hash=False)
    cached: bool = False

    def __post_init__(self) -> None:
        if not self.task_id:
            raise ContractViolationError("task_id must be non-empty")
        if not self.outputs and self.error is None:
            raise ContractViolationError("outputs must contain at least one artifact")
        if self.error is not None and self.error_details is None:
            raise ContractViolationError("error_details must be provided with an error")
        if self.error is not None and not isinstance(self.error, ErrorInfo):
            raise ContractViolationError(
                f"error must be ErrorInfo, not {type(self.error).__name__}"
            )
        for name, artifact in self.outputs.items():
            if not isinstance(artifact, TableArtifact):
                raise ContractViolationError(f"Output {name!r} must be TableArtifact")
        object.__setattr__(self, "outputs", read_only(self.outputs))
        object.__setattr__(self, "metrics", _as_optional_mapping(self.metrics, "metrics"))


@dataclass(frozen=True, slots=True)
class AggregationTask(FrozenValue):
    """Score the replicates of one parameter set against one target."""

    bundle_ref: str
    target_entrypoint: str
    sim_returns: tuple[SimReturn, ...]
    target_data: Any = field(default=None, hash=False)

    def __post_init__(self) -> None:
        if not self.bundle_ref:
            raise ContractViolationError("bundle_ref must be non-empty")
        if not self.target_entrypoint:
            raise ContractViolationError("target_entrypoint must be non-empty")
        if not self.sim_returns:
            raise ContractViolationError("sim_returns must be non-empty")
        _check_entrypoint(self.target_entrypoint)
        object.__setattr__(self, "sim_returns", tuple(self.sim_returns))

    def aggregation_id(self) -> str:
        """16 hex digits over the target and the sorted task ids."""
        return aggregation_task_id(self.target_entrypoint, (r.task_id for r in self.sim_returns))


@dataclass(frozen=True, slots=True)
class AggregationReturn(FrozenValue):
    """The score of one aggregation; the loss is finite."""

    aggregation_id: str
    loss: float
    diagnostics: Mapping[str, Any] = field(hash=False)
    outputs: Mapping[str, TableArtifact] = field(hash=False)
    n_replicates: int

    def __post_init__(self) -> None:
        if not self.aggregation_id:
            raise ContractViolationError("aggregation_id must be non-empty")
        if not math.isfinite(self.loss):
            raise ContractViolationError(f"loss must be finite, not {self.loss}")
        if self.n_replicates <= 0:
            raise ContractViolationError(f"n_replicates must be > 0, not {self.n_replicates}")
        object.__setattr__(self, "diagnostics", read_only(self.diagnostics or {}))
        object.__setattr__(self, "outputs", read_only(self.outputs or {}))
