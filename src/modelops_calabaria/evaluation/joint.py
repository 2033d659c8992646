"""One parameter set, all replicates, all targets: one objective.

Likelihoods are joined within every replicate and averaged over replicates once; losses are a
weighted sum. What the data or the model did wrong becomes an infinite objective with a reason code;
only misuse of the call raises.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import Coverage, Floats
from modelops_calabaria.alignment.errors import ScoringError
from modelops_calabaria.alignment.sharing import share_columns
from modelops_calabaria.evaluation.evaluator import check_weight
from modelops_calabaria.evaluation.replicates import (
    FAILURE_POLICIES,
    POLICIES,
    Estimate,
    logmeanexp,
    mean_loglik,
    spread,
)
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.errors import InvalidValue, nearest
from modelops_contracts.evaluation import Evaluation, ReplicateFailure, TargetScore

#: Raised by one whenever a formula on this path changes, so that stored objectives never mix.
EVALUATION_VERSION = 1

TEMPERED = "TEMPERED"
MIXED_TRACKS = "MIXED_TRACKS"
DIAGNOSTIC = "DIAGNOSTIC"
IMPUTED = "IMPUTED"
WORST = "WORST"
MISSING_OBS = "MISSING_OBS"
_TIMEOUTS = frozenset({"timeout", "timed_out", "timedout", "timeouterror"})


@dataclass(frozen=True, slots=True)
class _Call:
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
class _Outcome:
    """One target: its score, and its part of the objective."""

    score: TargetScore
    loglik: Floats | None = None
    loss: Estimate | None = None
    signal: Estimate | None = None
    error: ScoringError | None = None


def evaluate_joint(
    targets: Sequence[Any],
    outputs: Sequence[Mapping[str, pl.DataFrame] | None],
    *,
    param_id: str,
    params: Mapping[str, Any],
    seeds: Sequence[int],
    weights: Mapping[str, float] | None = None,
    replicates: str = "logmeanexp",
    failed_replicates: str = "fail",
    errors: Sequence[ErrorInfo | Mapping[str, Any] | None] = (),
) -> Evaluation:
    """Evaluate all targets over the replicates of one parameter set.

    ``outputs[r]`` holds the tables simulated with ``seeds[r]``; None where that simulation failed,
    ``errors[r]`` then says how (an ErrorInfo, or a mapping with error_type, message, traceback).
    ``weights`` are by target name and win over the targets' own. The objective is minimised: minus
    the log-likelihood, or the loss. It is infinite, with a ``reason``, for what the model or the
    data did; InvalidInput is raised for misuse.
    """
    names = _target_names(targets)
    chosen = _effective_weights(targets, names, weights)
    _check_policies(targets, replicates, failed_replicates)
    failures = _failures(outputs, seeds, errors)
    good = [r for r, tables in enumerate(outputs) if tables is not None]
    call = _Call(
        param_id=param_id,
        params=params,
        seeds=tuple(int(seed) for seed in seeds),
        outputs=tuple(tables for tables in outputs if tables is not None),
        positions=tuple(good),
        policy=replicates,
    )
    kinds = {_kind(target) for target, weight in zip(targets, chosen, strict=True) if weight}
    if failures and (failed_replicates == "fail" or not good):
        return _failed(call, kinds, _failure_reason(failures), failures)
    with share_columns():
        outcomes = [
            _evaluate_one(target, name, weight, call)
            for target, name, weight in zip(targets, names, chosen, strict=True)
        ]
    return _combine(call, kinds, outcomes, failures)


# -- checks --------------------------------------------------------------------------------------


def _target_names(targets: Sequence[Any]) -> list[str]:
    if not targets:
        raise InvalidValue("no targets to evaluate", hint="register or name at least one target")
    names = [str(getattr(target, "name", None) or type(target).__name__) for target in targets]
    for name in names:
        if names.count(name) > 1:
            raise InvalidValue(
                f"two targets are named {name!r}", hint="give each target its own name"
            )
    return names


def _effective_weights(
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
        check_weight(float(given.get(name, _own_weight(target))), f"target {name}")
        for target, name in zip(targets, names, strict=True)
    ]
    if not any(chosen):
        raise InvalidValue("every target has weight 0, so there is no objective")
    return chosen


def _own_weight(target: Any) -> float:
    weight = getattr(target, "weight", None)
    return 1.0 if weight is None else float(weight)


def _check_policies(targets: Sequence[Any], replicates: str, failed_replicates: str) -> None:
    if replicates not in POLICIES:
        raise InvalidValue(f"replicates must be one of {', '.join(POLICIES)}; got {replicates!r}")
    if failed_replicates not in FAILURE_POLICIES:
        raise InvalidValue(
            f"failed_replicates must be one of {', '.join(FAILURE_POLICIES)}; "
            f"got {failed_replicates!r}"
        )
    if replicates != POLICIES[0] and all(_kind(target) == "loss" for target in targets):
        raise InvalidValue(
            f"replicates={replicates!r} concerns likelihoods; there is no likelihood target",
            hint="leave replicates out",
        )


def _kind(target: Any) -> str:
    """Track of a target as it declares it; a target that does not say is asked by its result."""
    return str(getattr(target, "kind", "unknown"))


def _failures(
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


def _failure_reason(failures: Sequence[ReplicateFailure]) -> str:
    timeouts = [f for f in failures if f.error.error_type.lower() in _TIMEOUTS]
    return "TIMEOUT" if len(timeouts) == len(failures) else "SIM_FAILED"


# -- one target ----------------------------------------------------------------------------------


def _evaluate_one(target: Any, name: str, weight: float, call: _Call) -> _Outcome:
    seeds = [call.seeds[position] for position in call.positions]
    try:
        result = _call_evaluate(target, call, seeds)
    except ScoringError as error:
        located = error.located(target=name, positions=call.positions, seeds=call.seeds)
        return _failed_outcome(target, name, weight, located)
    loglik = getattr(result, "loglik_per_rep", None)
    if loglik is not None:
        return _likelihood_outcome(target, name, weight, result, call)
    if hasattr(result, "loss"):
        return _loss_outcome(name, weight, result, call)
    raise InvalidValue(
        f"target {name}: evaluate returned a {type(result).__name__} "
        "with neither loss nor loglik_per_rep"
    )


def _call_evaluate(target: Any, call: _Call, seeds: Sequence[int]) -> Any:
    extras = {"params": call.params, "seeds": seeds}
    accepted = _accepted(target.evaluate, extras)
    return target.evaluate(list(call.outputs), **accepted)


def _accepted(function: Callable[..., Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(extras)
    return {name: value for name, value in extras.items() if name in parameters}


def _failed_outcome(target: Any, name: str, weight: float, error: ScoringError) -> _Outcome:
    kind = _kind(target) if _kind(target) in {"loss", "loglik"} else "loss"
    score = TargetScore(
        target=name,
        kind=kind,
        value=math.inf if kind == "loss" else -math.inf,
        weight=weight,
        n_observed=int(getattr(target, "n_observed", 0)),
        flags=(error.reason, *(() if weight else (DIAGNOSTIC,))),
    )
    return _Outcome(score, error=error)


def _likelihood_outcome(
    target: Any, name: str, weight: float, result: Any, call: _Call
) -> _Outcome:
    given = np.asarray(result.loglik_per_rep, dtype=np.float64)
    if given.shape != (len(call.positions),) or np.isnan(given).any():
        raise InvalidValue(
            f"target {name}: loglik_per_rep has shape {given.shape}, or holds NaN; "
            f"{len(call.positions)} numbers are needed"
        )
    loglik = _spread_out(given, call, -math.inf)
    signal = None
    value = _marginal(loglik, call.policy).value
    if call.policy == "mean_signal":
        signal = _signal(target, name, result, call)
        value = signal.value
    score = TargetScore(
        target=name,
        kind="loglik",
        value=value,
        weight=weight,
        per_replicate=tuple(float(x) for x in loglik),
        flags=_flags(result, weight, likelihood=True),
        **_counts(result),
    )
    return _Outcome(score, loglik=loglik, signal=signal)


def _signal(target: Any, name: str, result: Any, call: _Call) -> Estimate:
    if not hasattr(target, "signal"):
        raise InvalidValue(
            f"target {name} cannot be evaluated with replicates='mean_signal'",
            hint="use replicates='logmeanexp'",
        )
    if len(call.positions) < call.n_replicates:
        return Estimate(-math.inf, None)
    estimate = target.signal(result, call.params)
    assert isinstance(estimate, Estimate)
    return estimate


def _loss_outcome(name: str, weight: float, result: Any, call: _Call) -> _Outcome:
    loss = float(result.loss)
    if math.isnan(loss):
        raise InvalidValue(f"target {name}: the loss is NaN")
    pseudo = getattr(result, "per_replicate", None)
    if pseudo is None and len(call.positions) == 1:
        pseudo = np.array([loss])
    influence = None
    if pseudo is not None:
        influence = _spread_out(np.asarray(pseudo, dtype=np.float64), call, math.inf)
    if len(call.positions) < call.n_replicates:
        loss = math.inf
    score = TargetScore(
        target=name,
        kind="loss",
        value=loss,
        weight=weight,
        per_replicate=() if influence is None else tuple(float(x) for x in influence),
        flags=_flags(result, weight, likelihood=False),
        **_counts(result),
    )
    return _Outcome(score, loss=Estimate(loss, influence))


def _spread_out(values: Floats, call: _Call, worst: float) -> Floats:
    """Values of the replicates that ran, at their places among all; the failed ones are worst."""
    if len(values) == call.n_replicates:
        return values
    full = np.full(call.n_replicates, worst)
    full[list(call.positions)] = values
    return full


def _counts(result: Any) -> dict[str, int]:
    coverage = getattr(result, "coverage", None)
    if not isinstance(coverage, Coverage):
        return {}
    used = coverage.n_observed
    aligned = result.aligned_data
    if coverage.n_unmatched and aligned is not None and aligned.matched is not None:
        used = int(aligned.matched.all(axis=0).sum())
    return {
        "n_observed": coverage.n_observed,
        "n_used": used,
        "n_imputed": coverage.n_imputed,
    }


def _flags(result: Any, weight: float, *, likelihood: bool) -> tuple[str, ...]:
    flags = []
    coverage = getattr(result, "coverage", None)
    if isinstance(coverage, Coverage):
        if coverage.n_imputed:
            flags.append(IMPUTED)
        elif coverage.n_unmatched:
            flags.append(WORST)
        if coverage.n_missing_obs:
            flags.append(MISSING_OBS)
    if not weight:
        flags.append(DIAGNOSTIC)
    elif likelihood and weight != 1:
        flags.append(TEMPERED)
    return tuple(flags)


# -- all targets ---------------------------------------------------------------------------------


def _marginal(loglik: Floats, policy: str) -> Estimate:
    return mean_loglik(loglik) if policy == "mean_loglik" else logmeanexp(loglik)


def _combine(
    call: _Call,
    kinds: set[str],
    outcomes: Sequence[_Outcome],
    failures: Sequence[ReplicateFailure],
) -> Evaluation:
    scores = tuple(outcome.score for outcome in outcomes)
    counted = [outcome for outcome in outcomes if outcome.score.weight]
    broken = [outcome.error for outcome in outcomes if outcome.error is not None]
    fatal = [outcome.error for outcome in counted if outcome.error is not None]
    everything = [*failures, *(_as_failure(error, call) for error in broken)]
    if fatal:
        return _failed(call, kinds, fatal[0].reason, everything, scores)
    likelihood = _joint_likelihood(counted, call)
    loss = _joint_loss(counted)
    parts = [part for part in (likelihood, loss) if part is not None]
    objective = sum(part.value for part in parts)
    flags = {flag for score in scores for flag in score.flags if flag == TEMPERED}
    if len(parts) > 1:
        flags.add(MIXED_TRACKS)
    return Evaluation(
        param_id=call.param_id,
        seeds=call.seeds,
        objective=float(objective),
        objective_se=_standard_error(parts),
        kind="loglik" if loss is None else "loss",
        ess=math.nan if likelihood is None else likelihood.ess,
        scores=scores,
        failures=tuple(everything),
        flags=tuple(sorted(flags)),
        reason=_infinite_reason(likelihood, loss),
    )


def _joint_likelihood(counted: Sequence[_Outcome], call: _Call) -> Estimate | None:
    """Minus the joint log-likelihood, as an estimate to be minimised."""
    parts = [outcome for outcome in counted if outcome.loglik is not None]
    if not parts:
        return None
    if call.policy == "mean_signal":
        estimate = _joint_signal(parts)
    else:
        joint = np.zeros(call.n_replicates)
        for outcome in parts:
            assert outcome.loglik is not None
            joint = joint + outcome.score.weight * outcome.loglik
        estimate = _marginal(joint, call.policy)
    influence = None if estimate.influence is None else -estimate.influence
    # Adding 0.0 keeps an objective of exactly zero from being printed as -0.0.
    return Estimate(-estimate.value + 0.0, influence, estimate.ess)


def _joint_signal(parts: Sequence[_Outcome]) -> Estimate:
    weighted = [(part.score.weight, part.signal) for part in parts if part.signal is not None]
    value = sum(weight * signal.value for weight, signal in weighted)
    return Estimate(float(value), _weighted_influence(weighted))


def _joint_loss(counted: Sequence[_Outcome]) -> Estimate | None:
    weighted = [
        (outcome.score.weight, outcome.loss) for outcome in counted if outcome.loss is not None
    ]
    if not weighted:
        return None
    value = sum(weight * loss.value for weight, loss in weighted)
    return Estimate(float(value), _weighted_influence(weighted))


def _weighted_influence(weighted: Sequence[tuple[float, Estimate]]) -> Floats | None:
    influences = [
        weight * part.influence for weight, part in weighted if part.influence is not None
    ]
    if not influences or len(influences) < len(weighted):
        return None
    total: Floats = np.sum(influences, axis=0)
    return total


def _standard_error(parts: Sequence[Estimate]) -> float:
    influences = [part.influence for part in parts if part.influence is not None]
    if len(influences) < len(parts) or not all(math.isfinite(part.value) for part in parts):
        return math.nan
    return spread(np.sum(influences, axis=0))


def _infinite_reason(likelihood: Estimate | None, loss: Estimate | None) -> str | None:
    if likelihood is not None and math.isinf(likelihood.value):
        return "ZERO_LIKELIHOOD"
    if loss is not None and math.isinf(loss.value):
        return "INFEASIBLE"
    return None


def _failed(
    call: _Call,
    kinds: set[str],
    reason: str,
    failures: Sequence[ReplicateFailure],
    scores: tuple[TargetScore, ...] = (),
) -> Evaluation:
    return Evaluation(
        param_id=call.param_id,
        seeds=call.seeds,
        objective=math.inf,
        kind="loglik" if kinds == {"loglik"} else "loss",
        scores=scores,
        failures=tuple(failures),
        reason=reason,
    )


def _as_failure(error: ScoringError, call: _Call) -> ReplicateFailure:
    index = 0 if error.replicate is None else error.replicate
    message = str(error) if error.hint is None else f"{error} (hint: {error.hint})"
    info = ErrorInfo(error_type=type(error).__name__, message=message)
    return ReplicateFailure(index, call.seeds[index], info)
