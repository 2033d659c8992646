"""The winner against the data: missing rows, predictive range, targets apart."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelops_calabaria.outcome.comparison import paired_target_difference
from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate
from modelops_contracts.types import TargetScore

__all__ = ["coverage", "fit", "target_conflict"]


def coverage(record: CalibrationRecord) -> Iterator[Finding]:
    if not record.candidates:
        return
    for score in record.best.scores:
        if score.n_imputed:
            yield _covered(score, "were filled with 0", score.n_imputed, len(record.best.seeds))
        elif "WORST" in score.flags:
            missing = score.n_observed - score.n_used
            yield _covered(score, "are missing in some replicate, which counts as worst", missing)


def _covered(score: TargetScore, what: str, missing: int, times: int = 1) -> Finding:
    """``missing`` of the observed rows, each of them once or in every replicate."""
    rows = score.n_observed * max(1, times)
    share = missing / rows if rows else 0.0
    return Finding(
        "COVERAGE",
        FAIL if share > 0.2 else WARN,
        f"under the winner {missing} of {rows} {'values' if times > 1 else 'observed rows'} of "
        f"{score.target} {what}",
        subject=score.target,
        value=share,
        threshold=0.2 if share > 0.2 else 0.0,
        action="fix the model's horizon or the target's keys",
    )


def fit(record: CalibrationRecord) -> Iterator[Finding]:
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


def target_conflict(record: CalibrationRecord) -> Iterator[Finding]:
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
