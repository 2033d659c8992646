"""The arguments of one evaluation, checked, and what each target makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from modelops_calabaria.alignment.aligned import Floats
from modelops_calabaria.alignment.errors import ScoringError
from modelops_calabaria.evaluation.evaluator import check_weight
from modelops_calabaria.evaluation.replicates import FAILURE_POLICIES, POLICIES, Estimate
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.errors import InvalidValue, nearest
from modelops_contracts.evaluation import ReplicateFailure, TargetScore

__all__ = [
    "Call",
    "Outcome",
    "check_policies",
    "effective_weights",
    "failure_reason",
    "kind_of",
    "replicate_failures",
    "target_names",
]

_TIMEOUTS = frozenset({"timeout", "timed_out", "timedout", "timeouterror"})


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of one evaluation, checked."""

    param_id: str
    params: Mapping[str, Any]
    seeds: tuple[int, ...]
    outputs: tuple[Mapping[str, pl.DataFrame], ...]
    positions: tuple[int, ...]
    policy: str

    @property
    def n_replicates(self) -> int:
        return len(self.seeds)


@dataclass(frozen=True, slots=True)
class Outcome:
    """One target: its score, and its part of the objective."""

    score: TargetScore
    loglik: Floats | None = None
    loss: Estimate | None = None
    signal: Estimate | None = None
    error: ScoringError | None = None
    #: Of what the author's code raised, else empty.
    traceback: str = ""


def target_names(targets: Sequence[Any]) -> list[str]:
    if not targets:
        raise InvalidValue("no targets to evaluate", hint="register or name at least one target")
    names = [str(getattr(target, "name", None) or type(target).__name__) for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(
                f"two targets are named {name!r}", hint="give each target its own name"
            )
    return names


def effective_weights(
    targets: Sequence[Any], names: Sequence[str], weights: Mapping[str, float] | None
) -> list[float]:
    given = dict(weights or {})
    for name in given:
        if name not in names:
            close = nearest(name, names)
            raise InvalidValue(
                f"weight for {name!r}, which is no target here; targets: {', '.join(names)}",
                hint=f"did you mean {close[0]!r}?" if close else None,
            )
    chosen = [
        check_weight(given.get(name, _own_weight(target)), f"target {name}")
        for target, name in zip(targets, names, strict=True)
    ]
    if not any(chosen):
        raise InvalidValue("every target has weight 0, so there is no objective")
    return chosen


def _own_weight(target: Any) -> float:
    weight = getattr(target, "weight", None)
    return 1.0 if weight is None else float(weight)


def check_policies(targets: Sequence[Any], replicates: str, failed_replicates: str) -> None:
    if replicates not in POLICIES:
        raise InvalidValue(f"replicates must be one of {', '.join(POLICIES)}; got {replicates!r}")
    if failed_replicates not in FAILURE_POLICIES:
        raise InvalidValue(
            f"failed_replicates must be one of {', '.join(FAILURE_POLICIES)}; "
            f"got {failed_replicates!r}"
        )
    if replicates != POLICIES[0] and all(kind_of(target) == "loss" for target in targets):
        raise InvalidValue(
            f"replicates={replicates!r} concerns likelihoods; there is no likelihood target",
            hint="leave replicates out",
        )


def kind_of(target: Any) -> str:
    """Track of a target as it declares it; a target that does not say is asked by its result."""
    return str(getattr(target, "kind", "unknown"))


def replicate_failures(
    outputs: Sequence[object],
    seeds: Sequence[int],
    errors: Sequence[ErrorInfo | Mapping[str, Any] | None],
) -> list[ReplicateFailure]:
    if not outputs:
        raise InvalidValue("there are no replicates to evaluate")
    if len(seeds) != len(outputs) or len(errors) not in {0, len(outputs)}:
        raise InvalidValue(
            f"{len(outputs)} replicates, {len(seeds)} seeds and {len(errors)} errors do not match"
        )
    return [
        _failure(r, int(seeds[r]), errors[r] if errors else None)
        for r, tables in enumerate(outputs)
        if tables is None
    ]


def _failure(
    index: int, seed: int, error: ErrorInfo | Mapping[str, Any] | None
) -> ReplicateFailure:
    if isinstance(error, ErrorInfo):
        return ReplicateFailure(index, seed, error)
    given = dict(error or {})
    info = ErrorInfo(
        error_type=str(given.get("error_type") or "SimulationFailed"),
        message=str(given.get("message") or "the simulation left no tables"),
        retryable=bool(given.get("retryable", False)),
    )
    return ReplicateFailure(index, seed, info, str(given.get("traceback") or ""))


def failure_reason(failures: Sequence[ReplicateFailure]) -> str:
    timeouts = [f for f in failures if f.error.error_type.lower() in _TIMEOUTS]
    return "TIMEOUT" if len(timeouts) == len(failures) else "SIM_FAILED"
