"""The gates a calibration has to pass, as pure numbers.

Each gate is a function from a record to its findings; none of them draws, reads or decides anything
else. Thresholds stand beside the gate they belong to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from modelops_calabaria.diagnostics.gates import (
    data,
    estimator,
    honesty,
    parameters,
    search,
    trials,
)
from modelops_calabaria.outcome.findings import FAIL, Finding
from modelops_calabaria.outcome.record import CalibrationRecord

__all__ = ["diagnose"]


def diagnose(record: CalibrationRecord) -> list[Finding]:
    """All findings, the most severe first. None means that every gate was passed."""
    found = [finding for gate in _GATES for finding in gate(record)]
    return sorted(found, key=lambda finding: finding.severity != FAIL)


_GATES: tuple[Callable[[CalibrationRecord], Iterator[Finding]], ...] = (
    trials.failed_trials,
    trials.zero_likelihood,
    estimator.estimator_ess,
    estimator.estimator_se,
    estimator.optimism,
    search.no_signal,
    parameters.at_bound,
    parameters.flat,
    parameters.multimodal,
    search.budget,
    data.coverage,
    data.fit,
    data.target_conflict,
    honesty.seed_reuse,
    honesty.flags,
    honesty.not_reproducible,
)
