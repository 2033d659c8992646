"""How well the confirmed objective is known, and by how much the search flattered it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

__all__ = ["estimator_ess", "estimator_se", "optimism"]


def estimator_ess(record: CalibrationRecord) -> Iterator[Finding]:
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


def estimator_se(record: CalibrationRecord) -> Iterator[Finding]:
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


def optimism(record: CalibrationRecord) -> Iterator[Finding]:
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
