"""The score of one parameter set: all replicates, all targets, in one value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.diagnostics import as_diagnostics
from modelops_contracts.errors import ContractViolationError
from modelops_contracts.frozen import FrozenValue, as_names, decode_float, encode_float, read_only
from modelops_contracts.parameter_set import UniqueParameterSet, as_seeds
from modelops_contracts.simulation import SimTask

__all__ = ["Evaluation", "EvaluationRequest", "ReplicateFailure", "TargetScore"]

_KINDS = ("loss", "loglik")


@dataclass(frozen=True, slots=True)
class EvaluationRequest(FrozenValue):
    """Simulate ``task`` with every seed and score the outputs against every target.

    ``weights`` are by target entrypoint; ``policy`` holds ``replicates`` and
    ``failed_replicates``. The seed of ``task`` itself is not run unless it is listed.
    """

    task: SimTask
    seeds: tuple[int, ...]
    targets: tuple[str, ...]
    weights: Mapping[str, float] = field(default_factory=dict, hash=False)
    policy: Mapping[str, str] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "seeds", as_seeds(self.seeds, "seeds"))
        if not self.seeds:
            raise ContractViolationError("seeds must be non-empty")
        object.__setattr__(self, "targets", as_names(self.targets, "targets"))
        object.__setattr__(self, "weights", read_only(self.weights))
        object.__setattr__(self, "policy", read_only(self.policy))

    def to_json(self) -> dict[str, Any]:
        return {
            "task": _task_to_json(self.task),
            "seeds": list(self.seeds),
            "targets": list(self.targets),
            "weights": {name: encode_float(value) for name, value in self.weights.items()},
            "policy": dict(self.policy),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> EvaluationRequest:
        return cls(
            task=_task_from_json(data["task"]),
            seeds=tuple(data["seeds"]),
            targets=tuple(data["targets"]),
            weights={name: decode_float(value) for name, value in data["weights"].items()},
            policy=data["policy"],
        )


def _task_to_json(task: SimTask) -> dict[str, Any]:
    return {
        "bundle_ref": task.bundle_ref,
        "entrypoint": task.entrypoint,
        "params": dict(task.params.params),
        "param_id": task.params.param_id,
        "seed": task.seed,
        "outputs": None if task.outputs is None else list(task.outputs),
        "config": None if task.config is None else dict(task.config),
        "env": None if task.env is None else dict(task.env),
    }


def _task_from_json(data: Mapping[str, Any]) -> SimTask:
    return SimTask(
        bundle_ref=data["bundle_ref"],
        entrypoint=data["entrypoint"],
        params=UniqueParameterSet(params=data["params"], param_id=data["param_id"]),
        seed=data["seed"],
        outputs=data["outputs"],
        config=data["config"],
        env=data["env"],
    )


@dataclass(frozen=True, slots=True)
class TargetScore(FrozenValue):
    """One target's part of an evaluation.

    ``value`` is a loss (lower is better) or a log-likelihood (higher is better), before weighting;
    ``per_replicate`` has one entry per replicate that was scored. Counts are of observed rows.
    ``diagnostics`` is what the target's own function says beside its number, as JSON.
    """

    target: str
    kind: str
    value: float
    weight: float = 1.0
    per_replicate: tuple[float, ...] = ()
    n_observed: int = 0
    n_used: int = 0
    n_imputed: int = 0
    flags: tuple[str, ...] = ()
    diagnostics: Mapping[str, Any] = field(default_factory=dict, hash=False, kw_only=True)

    def __post_init__(self) -> None:
        _check_kind(self.kind)
        object.__setattr__(self, "diagnostics", as_diagnostics(self.diagnostics))
        object.__setattr__(self, "per_replicate", tuple(self.per_replicate))
        object.__setattr__(self, "flags", tuple(self.flags))

    def to_json(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "kind": self.kind,
            "value": encode_float(self.value),
            "weight": encode_float(self.weight),
            "per_replicate": [encode_float(value) for value in self.per_replicate],
            "n_observed": self.n_observed,
            "n_used": self.n_used,
            "n_imputed": self.n_imputed,
            "flags": list(self.flags),
            **({"diagnostics": dict(self.diagnostics)} if self.diagnostics else {}),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TargetScore:
        return cls(
            target=data["target"],
            kind=data["kind"],
            value=decode_float(data["value"]),
            weight=decode_float(data["weight"]),
            per_replicate=tuple(decode_float(value) for value in data["per_replicate"]),
            n_observed=data["n_observed"],
            n_used=data["n_used"],
            n_imputed=data["n_imputed"],
            flags=tuple(data["flags"]),
            diagnostics=data.get("diagnostics", {}),
        )


@dataclass(frozen=True, slots=True)
class ReplicateFailure(FrozenValue):
    """A replicate without outputs: which one, its seed, and the error with its traceback."""

    index: int
    seed: int
    error: ErrorInfo
    traceback: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "seed": self.seed,
            "error": {
                "error_type": self.error.error_type,
                "message": self.error.message,
                "retryable": self.error.retryable,
            },
            "traceback": self.traceback,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReplicateFailure:
        return cls(
            index=data["index"],
            seed=data["seed"],
            error=ErrorInfo(**data["error"]),
            traceback=data["traceback"],
        )


@dataclass(frozen=True, slots=True)
class Evaluation(FrozenValue):
    """The objective of one parameter set, and how it came about.

    ``objective`` is minimised (a loss, or a negative log-likelihood) and may be infinite, never
    NaN; ``objective_se`` and ``ess`` may be NaN when they cannot be estimated. ``reason`` says
    in a code why there is no finite objective.
    """

    param_id: str
    seeds: tuple[int, ...]
    objective: float
    objective_se: float = math.nan
    kind: str = "loss"
    ess: float = math.nan
    scores: tuple[TargetScore, ...] = ()
    failures: tuple[ReplicateFailure, ...] = ()
    flags: tuple[str, ...] = ()
    reason: str | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.objective):
            raise ContractViolationError("objective must not be NaN")
        _check_kind(self.kind)
        object.__setattr__(self, "seeds", as_seeds(self.seeds, "seeds"))
        for name in ("scores", "failures", "flags"):
            object.__setattr__(self, name, tuple(getattr(self, name)))

    def to_json(self) -> dict[str, Any]:
        return {
            "param_id": self.param_id,
            "seeds": list(self.seeds),
            "objective": encode_float(self.objective),
            "objective_se": encode_float(self.objective_se),
            "kind": self.kind,
            "ess": encode_float(self.ess),
            "scores": [score.to_json() for score in self.scores],
            "failures": [failure.to_json() for failure in self.failures],
            "flags": list(self.flags),
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        return cls(
            param_id=data["param_id"],
            seeds=tuple(data["seeds"]),
            objective=decode_float(data["objective"]),
            objective_se=decode_float(data["objective_se"]),
            kind=data["kind"],
            ess=decode_float(data["ess"]),
            scores=tuple(TargetScore.from_json(score) for score in data["scores"]),
            failures=tuple(ReplicateFailure.from_json(item) for item in data["failures"]),
            flags=tuple(data["flags"]),
            reason=data["reason"],
        )


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise ContractViolationError(f"kind must be 'loss' or 'loglik', not {kind!r}")
