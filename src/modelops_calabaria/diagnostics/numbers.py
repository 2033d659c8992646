"""The gates a calibration has to pass, as pure numbers.

Each gate is a function from a record to its findings; none of them draws, reads or decides anything
else. Thresholds stand beside the gate they belong to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from statistics import median
from typing import Any

from modelops_calabaria.outcome.comparison import paired_target_difference
from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.search_space import SearchSpace

__all__ = ["diagnose", "search_space"]

_FAULTS = frozenset({"SIM_FAILED", "TIMEOUT", "COVERAGE", "BAD_OUTPUT", "EVALUATION_FAILED"})
_NO_LIKELIHOOD = frozenset({"ZERO_LIKELIHOOD", "INFEASIBLE"})
_BUDGETS = frozenset({"max_trials", "max_iterations", "max_seconds"})


def diagnose(record: CalibrationRecord) -> list[Finding]:
    """All findings, the most severe first. None means that every gate was passed."""
    found = [finding for gate in _GATES for finding in gate(record)]
    return sorted(found, key=lambda finding: finding.severity != FAIL)


def search_space(record: CalibrationRecord) -> SearchSpace:
    """The free parameters of a record with their bounds and transforms."""
    return SearchSpace.of([ParameterSpec.from_dict(p) for p in record.settings["parameters"]])


# ---------------------------------------------------------------- trials


def _failed_trials(record: CalibrationRecord) -> Iterator[Finding]:
    rows = _rows_with(record, _FAULTS)
    if not rows:
        return
    share = len(rows) / record.trials.height
    first = rows[0]
    yield Finding(
        "FAILED_TRIALS",
        FAIL if share > 0.2 else WARN,
        f"{len(rows)} of {record.trials.height} trials failed; the first, trial {first['trial']}: "
        f"{first['reason']} {first['message'] or ''}".rstrip(),
        subject="trials",
        value=share,
        threshold=0.2 if share > 0.2 else 0.0,
        action=f"reproduce it with seed {first['seed0']} and the parameters of trial "
        f"{first['trial']}",
    )


def _zero_likelihood(record: CalibrationRecord) -> Iterator[Finding]:
    n = len(_rows_with(record, _NO_LIKELIHOOD))
    share = n / record.trials.height if record.trials.height else 0.0
    winner = bool(record.candidates) and not math.isfinite(record.best.objective)
    if share <= 0.2 and not winner:
        return
    where = "the winner itself" if winner else f"{n} of {record.trials.height} trials"
    yield Finding(
        "ZERO_LIKELIHOOD",
        FAIL if winner or share > 0.5 else WARN,
        f"the data were impossible under {where}: no replicate could have produced them",
        subject="winner" if winner else "trials",
        value=share,
        threshold=0.5 if share > 0.5 else 0.2,
        action="use more replicates, an over-dispersed family or a floor, or tighter bounds",
    )


def _rows_with(record: CalibrationRecord, reasons: Iterable[str]) -> list[dict[str, Any]]:
    wanted = set(reasons)
    columns = record.trials.select("trial", "reason", "message", "seed0")
    return [row for row in columns.iter_rows(named=True) if row["reason"] in wanted]


# ---------------------------------------------------------------- the estimator


def _estimator_ess(record: CalibrationRecord) -> Iterator[Finding]:
    # Also of an infinite objective: it rests on no replicate at all.
    if not record.candidates or record.settings["deterministic"]:
        return
    best = record.best
    if record.settings["replicates"] != "logmeanexp" or math.isnan(best.ess):
        return
    if best.ess < 30:
        fail = best.ess < 10
        yield Finding(
            "ESTIMATOR_ESS",
            FAIL if fail else WARN,
            f"the likelihood rests on {best.ess:.1f} effective replicates of {len(best.seeds)}",
            subject="winner",
            value=best.ess,
            threshold=10 if fail else 30,
            action="do not trust the standard error; use more replicates",
        )


def _estimator_se(record: CalibrationRecord) -> Iterator[Finding]:
    best = _stochastic_best(record)
    if best is None or math.isnan(best.objective_se):
        return
    is_loglik = best.evaluation.kind == "loglik"
    scale = 1.0 if is_loglik else abs(best.objective) or 1.0
    error, limits = best.objective_se / scale, (1.0, 3.0) if is_loglik else (0.1, 0.3)
    if error > limits[0]:
        unit = "nats" if is_loglik else "of the loss"
        yield Finding(
            "ESTIMATOR_SE",
            FAIL if error > limits[1] else WARN,
            f"the confirmed objective is only known to {error:.3g} {unit}",
            subject="winner",
            value=error,
            threshold=limits[1] if error > limits[1] else limits[0],
            action="use more replicates when confirming",
        )


def _stochastic_best(record: CalibrationRecord) -> Candidate | None:
    """The winner, when its objective is a finite estimate."""
    if not record.candidates or record.settings["deterministic"]:
        return None
    return record.best if math.isfinite(record.best.objective) else None


def _optimism(record: CalibrationRecord) -> Iterator[Finding]:
    best = _stochastic_best(record)
    if best is None or math.isnan(best.objective_se):
        return
    # Sums of unlike length differ in their last bits.
    limit = max(2 * best.objective_se, 1e-9 * abs(best.objective))
    if best.optimism > limit:
        yield Finding(
            "OPTIMISM",
            WARN,
            f"the search value {best.search.objective:.6g} was {best.optimism:.3g} too good; "
            f"confirmed: {best.objective:.6g} ± {best.objective_se:.2g}",
            subject="winner",
            value=best.optimism,
            threshold=limit,
            action="quote the confirmed value",
        )


# ---------------------------------------------------------------- the search


def _no_signal(record: CalibrationRecord) -> Iterator[Finding]:
    start = _startup_losses(record)
    if not record.candidates or len(start) < 3:
        return
    best = record.best
    margin = 0.0 if math.isnan(best.objective_se) else 2 * best.objective_se
    typical = median(start)
    if best.objective >= typical - margin:
        yield Finding(
            "NO_SIGNAL",
            FAIL,
            f"the winner ({best.objective:.6g}) is no better than a typical trial of the start "
            f"({typical:.6g})",
            subject="search",
            value=best.objective,
            threshold=typical - margin,
            action="use more trials or replicates, and check the targets",
        )


def _startup_losses(record: CalibrationRecord) -> list[float]:
    n_free = len(record.settings["parameters"])
    n = record.settings["sampler"].get("n_startup_trials") or max(10, 2 * n_free)
    return [loss for loss in record.trials["loss"].head(n).to_list() if _is_finite(loss)]


def _budget(record: CalibrationRecord) -> Iterator[Finding]:
    losses = [x if _is_finite(x) else math.inf for x in record.trials["loss"].to_list()]
    if record.stop_reason not in _BUDGETS or len(losses) < 10:
        return
    before, after = min(losses[: int(0.8 * len(losses))]), min(losses)
    if not math.isfinite(after):
        return
    is_loglik = record.settings["objective_kind"] == "loglik"
    fall = before - after if is_loglik else (before - after) / (abs(before) or 1.0)
    limit = 1.0 if is_loglik else 0.05
    if fall > limit:
        size = f"{fall:.3g} nats" if is_loglik else f"{100 * fall:.0f} %"
        yield Finding(
            "BUDGET",
            WARN,
            f"the best value still fell by {size} in the last fifth of the trials",
            subject="search",
            value=fall,
            threshold=limit,
            action="resume with more trials",
        )


# ---------------------------------------------------------------- parameters


def _at_bound(record: CalibrationRecord) -> Iterator[Finding]:
    if not record.candidates:
        return
    for axis in search_space(record).axes:
        value = record.best.params[axis.name]
        u = axis.to_unit(value)
        low = u < 0.01 or value == axis.spec.lower
        if low or u > 0.99 or value == axis.spec.upper:
            bound = axis.spec.lower if low else axis.spec.upper
            yield Finding(
                "AT_BOUND",
                WARN,
                f"{axis.name} = {value:.6g} sits at its {'lower' if low else 'upper'} bound "
                f"{bound:.6g}",
                subject=axis.name,
                value=u,
                threshold=0.01 if low else 0.99,
                action="widen the bound, or say why it is one",
            )


def _flat(record: CalibrationRecord) -> Iterator[Finding]:
    points = _equally_good(record)
    if len(points) < 2:
        return
    for i, axis in enumerate(search_space(record).axes):
        span = max(p[i] for p in points) - min(p[i] for p in points)
        if span > 0.5:
            yield Finding(
                "FLAT",
                WARN,
                f"{axis.name} is hardly determined: equally good candidates span "
                f"{100 * span:.0f} % of its range",
                subject=axis.name,
                value=span,
                threshold=0.5,
                action="fix it, or add data that inform it",
            )


def _multimodal(record: CalibrationRecord) -> Iterator[Finding]:
    clusters = [c for c in _clusters(_equally_good(record), 0.25) if len(c) > 1]
    if len(clusters) > 1:
        yield Finding(
            "MULTIMODAL",
            WARN,
            f"equally good candidates form {len(clusters)} groups more than a quarter of the "
            "range apart",
            subject="search",
            value=len(clusters),
            threshold=1,
            action="report all groups; add data that tell them apart",
        )


def _equally_good(record: CalibrationRecord) -> list[list[float]]:
    """Unit positions of what cannot be told from the winner, the winner included."""
    if not record.candidates:
        return []
    space = search_space(record)
    if record.settings["deterministic"]:
        return [space.to_unit(values) for values in record.plausible]
    return [space.to_unit(c.params) for c in (record.best, *record.indistinguishable)]


def _clusters(points: Sequence[Sequence[float]], gap: float) -> list[list[int]]:
    """Single linkage: points closer than ``gap`` in every coordinate are of one cluster."""
    unseen = set(range(len(points)))
    clusters: list[list[int]] = []
    while unseen:
        members = [unseen.pop()]
        for i in members:
            near = [j for j in unseen if _distance(points[i], points[j]) <= gap]
            unseen.difference_update(near)
            members.extend(near)
        clusters.append(members)
    return clusters


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


# ---------------------------------------------------------------- data and targets


def _coverage(record: CalibrationRecord) -> Iterator[Finding]:
    if not record.candidates:
        return
    n_replicates = max(1, len(record.best.seeds))
    for score in record.best.scores:
        rows = score.n_observed * n_replicates
        missing = score.n_imputed or n_replicates * (score.n_observed - score.n_used)
        if "WORST" not in score.flags and not score.n_imputed:
            continue
        share = missing / rows if rows else 0.0
        yield Finding(
            "COVERAGE",
            FAIL if share > 0.2 else WARN,
            f"{missing} of {rows} simulated rows of {score.target} were missing under the winner; "
            "its coverage policy stood in for them",
            subject=score.target,
            value=share,
            threshold=0.2 if share > 0.2 else 0.0,
            action="fix the model's horizon or the target's keys",
        )


def _fit(record: CalibrationRecord) -> Iterator[Finding]:
    if record.fit is None:
        return
    without_noise = {
        target["name"] for target in record.settings["targets"] if target["kind"] == "loss"
    }
    rows = [
        bool(inside)
        for name, inside in record.fit.select("target", "inside").iter_rows()
        # One deterministic curve has no range; a loss then says nothing about spread.
        if not (record.settings["deterministic"] and name in without_noise)
    ]
    share = sum(rows) / len(rows) if rows else 1.0
    if share < 0.8:
        yield Finding(
            "FIT",
            FAIL if share < 0.5 else WARN,
            f"{sum(rows)} of {len(rows)} observations lie inside the winner's 95 % predictive "
            "range",
            subject="winner",
            value=share,
            threshold=0.5 if share < 0.5 else 0.8,
            action="the model or the noise family is wrong for these data",
        )


def _target_conflict(record: CalibrationRecord) -> Iterator[Finding]:
    if not record.candidates or len(record.best.selection.scores) < 2:
        return
    policy = record.settings["replicates"]
    for score in record.best.selection.scores:
        gain = max((_gain(c, record.best, score.target, policy) for c in record.candidates[1:]),
                   default=0.0)  # fmt: skip
        if gain > 3:
            yield Finding(
                "TARGET_CONFLICT",
                WARN,
                f"another candidate fits {score.target} better by {gain:.1f} standard errors",
                subject=score.target,
                value=gain,
                threshold=3,
                action="look at the targets apart: they pull in different directions",
            )


def _gain(candidate: Candidate, best: Candidate, target: str, policy: str) -> float:
    """By how many standard errors the candidate is better on one target."""
    if not any(score.target == target for score in candidate.selection.scores):
        return 0.0
    difference, se = paired_target_difference(candidate.selection, best.selection, target, policy)
    if not math.isfinite(difference) or not math.isfinite(se) or se <= 0:
        return 0.0
    return -difference / se


# ---------------------------------------------------------------- honesty


def _seed_reuse(record: CalibrationRecord) -> Iterator[Finding]:
    for candidate in record.candidates:
        stages = [candidate.search.seeds, candidate.selection.seeds]
        if candidate.confirmation is not None:
            stages.append(candidate.confirmation.seeds)
        repeated = any(len(set(seeds)) != len(seeds) for seeds in stages)
        shared = len(set().union(*stages)) != sum(len(set(seeds)) for seeds in stages)
        if repeated or shared:
            yield Finding(
                "SEED_REUSE",
                FAIL,
                f"trial {candidate.trial}: a seed served twice, so its values are not independent",
                subject=f"trial {candidate.trial}",
                action="this is a defect of the product; please report it",
            )
            return


def _flags(record: CalibrationRecord) -> Iterator[Finding]:
    flags = set(record.best.evaluation.flags) if record.candidates else set()
    kinds = {target["kind"] for target in record.settings["targets"] if target["weight"] > 0}
    if "MIXED_TRACKS" in flags or len(kinds) > 1:
        yield Finding(
            "MIXED_TRACKS",
            WARN,
            "losses and likelihoods were added into one objective, which is neither",
            subject="targets",
            action="use one kind of target, or weigh them on purpose",
        )
    if "TEMPERED" in flags or any(_is_tempered(target) for target in record.settings["targets"]):
        yield Finding(
            "TEMPERED",
            WARN,
            "a likelihood weight other than 1 makes the objective no likelihood",
            subject="targets",
            action="quote no standard likelihood intervals",
        )


def _is_tempered(target: dict[str, Any]) -> bool:
    return target["kind"] == "loglik" and target["weight"] not in {0.0, 1.0}


def _not_reproducible(record: CalibrationRecord) -> Iterator[Finding]:
    if record.settings["schedule"] == "async":
        yield Finding(
            "NOT_REPRODUCIBLE",
            WARN,
            "schedule async: the proposals depend on the speed of the workers",
            subject="search",
            action="use schedule ordered",
        )
    if record.settings["deterministic"] and record.candidates and _differs(record.best):
        yield Finding(
            "NOT_REPRODUCIBLE",
            WARN,
            "the model declares itself deterministic, but another seed gave another objective",
            subject="model",
            value=record.best.optimism,
            threshold=0.0,
            action="remove DETERMINISTIC from the model, or its randomness",
        )


def _differs(best: Candidate) -> bool:
    values = [best.search.objective, best.selection.objective, best.objective]
    return any(not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9) for a, b in pairwise(values))


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


_GATES: tuple[Callable[[CalibrationRecord], Iterator[Finding]], ...] = (
    _failed_trials,
    _zero_likelihood,
    _estimator_ess,
    _estimator_se,
    _optimism,
    _no_signal,
    _at_bound,
    _flat,
    _multimodal,
    _budget,
    _coverage,
    _fit,
    _target_conflict,
    _seed_reuse,
    _flags,
    _not_reproducible,
)
