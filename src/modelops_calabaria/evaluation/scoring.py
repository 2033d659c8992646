"""One target over all replicates of one parameter set: its score, and its part of the objective."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from modelops_calabaria.alignment.aligned import Coverage, Floats
from modelops_calabaria.alignment.errors import EvaluationError, ScoringError
from modelops_calabaria.evaluation.authors import AuthorsCode
from modelops_calabaria.evaluation.call import Call, Outcome, kind_of
from modelops_calabaria.evaluation.plain_function import FunctionTargetResult
from modelops_calabaria.evaluation.replicates import Estimate, logmeanexp, mean_loglik
from modelops_contracts.errors import InvalidValue
from modelops_contracts.evaluation import TargetScore

__all__ = ["TEMPERED", "evaluate_one", "marginalise"]

TEMPERED = "TEMPERED"
DIAGNOSTIC = "DIAGNOSTIC"
IMPUTED = "IMPUTED"
WORST = "WORST"
MISSING_OBS = "MISSING_OBS"


def evaluate_one(target: Any, name: str, weight: float, call: Call) -> Outcome:
    """Score one target. What cannot be scored and what the author's code raises is in the outcome.

    Raises InvalidValue for an object that is no target, and for misuse that a target reports.
    """
    try:
        with AuthorsCode(ours_pass=True) as block:
            return _score(target, name, weight, call)
    except ScoringError as error:
        located = error.located(target=name, positions=call.positions, seeds=call.seeds)
        return _failed_outcome(target, name, weight, located)
    assert block.error is not None
    said = EvaluationError(
        f"{type(block.error).__name__}: {block.error}",
        target=name,
        hint="an exception in the target's own code; its traceback is kept with this failure",
    )
    return _failed_outcome(target, name, weight, said, block.traceback)


def _score(target: Any, name: str, weight: float, call: Call) -> Outcome:
    seeds = [call.seeds[position] for position in call.positions]
    result = _call_evaluate(target, call, seeds)
    loglik = getattr(result, "loglik_per_rep", None)
    if loglik is not None:
        return _likelihood_outcome(target, name, weight, result, call)
    if hasattr(result, "loss"):
        return _loss_outcome(name, weight, result, call)
    raise InvalidValue(
        f"target {name}: evaluate returned a {type(result).__name__} "
        "with neither loss nor loglik_per_rep"
    )


def _call_evaluate(target: Any, call: Call, seeds: Sequence[int]) -> Any:
    extras = {"params": call.params, "seeds": seeds}
    accepted = _accepted(target.evaluate, extras)
    return target.evaluate(list(call.outputs), **accepted)


def _accepted(function: Callable[..., Any], extras: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(extras)
    return {name: value for name, value in extras.items() if name in parameters}


def _failed_outcome(
    target: Any, name: str, weight: float, error: ScoringError, traceback: str = ""
) -> Outcome:
    kind = kind_of(target) if kind_of(target) in {"loss", "loglik"} else "loss"
    score = TargetScore(
        target=name,
        kind=kind,
        value=math.inf if kind == "loss" else -math.inf,
        weight=weight,
        n_observed=int(getattr(target, "n_observed", 0)),
        flags=(error.reason, *(() if weight else (DIAGNOSTIC,))),
    )
    return Outcome(score, error=error, traceback=traceback)


def _likelihood_outcome(target: Any, name: str, weight: float, result: Any, call: Call) -> Outcome:
    given = np.asarray(result.loglik_per_rep, dtype=np.float64)
    if given.shape != (len(call.positions),) or np.isnan(given).any():
        raise EvaluationError(
            f"loglik_per_rep has shape {given.shape}, or holds NaN; "
            f"{len(call.positions)} numbers are needed"
        )
    loglik = _spread_out(given, call, -math.inf)
    signal = None
    value = marginalise(loglik, call.policy).value
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
    return Outcome(score, loglik=loglik, signal=signal)


def _signal(target: Any, name: str, result: Any, call: Call) -> Estimate:
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


def _loss_outcome(name: str, weight: float, result: Any, call: Call) -> Outcome:
    loss = float(result.loss)
    if math.isnan(loss):
        raise EvaluationError("the loss is NaN")
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
        diagnostics=result.diagnostics if isinstance(result, FunctionTargetResult) else {},
        **_counts(result),
    )
    return Outcome(score, loss=Estimate(loss, influence))


def _spread_out(values: Floats, call: Call, worst: float) -> Floats:
    """Values of the replicates that ran, at their places among all; the failed ones are worst."""
    if len(values) == call.n_replicates:
        return values
    full = np.full(call.n_replicates, worst)
    full[list(call.positions)] = values
    return full


def _counts(result: Any) -> dict[str, Any]:
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


def marginalise(loglik: Floats, policy: str) -> Estimate:
    return mean_loglik(loglik) if policy == "mean_loglik" else logmeanexp(loglik)
