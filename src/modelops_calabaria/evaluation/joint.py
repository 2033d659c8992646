"""One parameter set, all replicates, all targets: one objective.

Likelihoods are joined within every replicate and averaged over replicates once; losses are a
weighted sum. What the data or the model did wrong becomes an infinite objective with a reason code;
only misuse of the call raises.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from modelops_calabaria.alignment.aligned import Floats
from modelops_calabaria.alignment.errors import ScoringError
from modelops_calabaria.alignment.sharing import share_columns
from modelops_calabaria.evaluation.call import (
    Call,
    Outcome,
    check_policies,
    effective_weights,
    failure_reason,
    kind_of,
    replicate_failures,
    target_names,
)
from modelops_calabaria.evaluation.replicates import Estimate, spread
from modelops_calabaria.evaluation.scoring import TEMPERED, evaluate_one, marginalise
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.evaluation import Evaluation, ReplicateFailure, TargetScore

#: Raised by one whenever a formula on this path changes, so that stored objectives never mix.
EVALUATION_VERSION = 1

MIXED_TRACKS = "MIXED_TRACKS"


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
    names = target_names(targets)
    chosen = effective_weights(targets, names, weights)
    check_policies(targets, replicates, failed_replicates)
    failures = replicate_failures(outputs, seeds, errors)
    good = [r for r, tables in enumerate(outputs) if tables is not None]
    call = Call(
        param_id=param_id,
        params=params,
        seeds=tuple(int(seed) for seed in seeds),
        outputs=tuple(tables for tables in outputs if tables is not None),
        positions=tuple(good),
        policy=replicates,
    )
    kinds = {kind_of(target) for target, weight in zip(targets, chosen, strict=True) if weight}
    if failures and (failed_replicates == "fail" or not good):
        return _failed(call, kinds, failure_reason(failures), failures)
    with share_columns():
        outcomes = [
            evaluate_one(target, name, weight, call)
            for target, name, weight in zip(targets, names, chosen, strict=True)
        ]
    return _combine(call, kinds, outcomes, failures)


def _combine(
    call: Call,
    kinds: set[str],
    outcomes: Sequence[Outcome],
    failures: Sequence[ReplicateFailure],
) -> Evaluation:
    scores = tuple(outcome.score for outcome in outcomes)
    counted = [outcome for outcome in outcomes if outcome.score.weight]
    broken = [_as_failure(one.error, one.traceback, call) for one in outcomes if one.error]
    fatal = [outcome.error for outcome in counted if outcome.error is not None]
    everything = [*failures, *broken]
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


def _joint_likelihood(counted: Sequence[Outcome], call: Call) -> Estimate | None:
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
        estimate = marginalise(joint, call.policy)
    influence = None if estimate.influence is None else -estimate.influence
    # Adding 0.0 keeps an objective of exactly zero from being printed as -0.0.
    return Estimate(-estimate.value + 0.0, influence, estimate.ess)


def _joint_signal(parts: Sequence[Outcome]) -> Estimate:
    weighted = [(part.score.weight, part.signal) for part in parts if part.signal is not None]
    value = sum(weight * signal.value for weight, signal in weighted)
    return Estimate(float(value), _weighted_influence(weighted))


def _joint_loss(counted: Sequence[Outcome]) -> Estimate | None:
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
    call: Call,
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


def _as_failure(error: ScoringError, traceback: str, call: Call) -> ReplicateFailure:
    index = 0 if error.replicate is None else error.replicate
    message = str(error) if error.hint is None else f"{error} (hint: {error.hint})"
    info = ErrorInfo(error_type=type(error).__name__, message=message)
    return ReplicateFailure(index, call.seeds[index], info, traceback)
