"""A calibration from the first proposal to the confirmed value: search, rescore, compare, judge.

Pure: whoever simulates, keeps the journal, tells the time or asks for a stop is handed in. A run
that finds the records of an earlier one asks its engine the same questions, takes the answers from
there, and goes on where they end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from modelops_calabaria.calibration.desk import (
    Desk,
    EvaluationProvider,
    Ticket,
    Trial,
    open_desk,
)
from modelops_calabaria.calibration.ensembles import draw_ensembles, plausible_set
from modelops_calabaria.calibration.fingerprint import fingerprint as plan_fingerprint
from modelops_calabaria.calibration.fingerprint import fingerprint_digest
from modelops_calabaria.calibration.journal import Journal
from modelops_calabaria.calibration.plan import CalibrationPlan
from modelops_calabaria.calibration.rescoring import rescore
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_calabaria.calibration.search import (
    CalibrationHopeless,
    Proposer,
    SearchOutcome,
    run_search,
)
from modelops_calabaria.calibration.trials import trials_frame
from modelops_calabaria.calibration.versions import current_versions
from modelops_calabaria.diagnostics.numbers import diagnose
from modelops_calabaria.outcome.record import Candidate
from modelops_contracts.errors import SimulationFailed
from modelops_contracts.ports import Reporter

__all__ = [
    "CalibrationFailed",
    "EvaluationProvider",
    "Journal",
    "Ticket",
    "run_calibration",
]


class CalibrationFailed(SimulationFailed):
    """There is no result. ``result`` keeps the trials; it can be saved and reported."""

    default_code = "calibration_failed"

    def __init__(
        self,
        message: str,
        *,
        result: CalibrationResult,
        remote_traceback: str = "",
        hint: str | None = None,
    ) -> None:
        super().__init__(message, remote_traceback=remote_traceback, hint=hint)
        self.result = result


def run_calibration(
    plan: CalibrationPlan,
    engine: Proposer,
    provider: EvaluationProvider,
    journal: Journal,
    *,
    reporter: Reporter,
    clock: Callable[[], float],
    should_stop: Callable[[], bool],
    fingerprint: Mapping[str, Any] | None = None,
    job_id: str = "calibration",
) -> CalibrationResult:
    """Carry a planned calibration to its end.

    ``fingerprint`` is that of the plan with the digests of code and data; ``clock`` gives seconds.
    Raises CalibrationFailed when no trial has a finite objective or the first ten all failed,
    Interrupted when ``should_stop`` said so, Conflict when the journal was begun with settings
    under which objectives mean something else.
    """
    fields = dict(fingerprint or plan_fingerprint(plan, code="", data={}))
    begun = clock()
    desk = open_desk(provider, journal, fingerprint=fields, clock=clock, should_stop=should_stop)
    outcome, hopeless = _search(plan, engine, desk, reporter, clock)
    candidates: list[Candidate] = []
    if hopeless is None and any(trial.is_finite for trial in outcome.trials):
        candidates = rescore(plan, outcome.trials, desk, reporter)
    result = _assemble(plan, outcome, candidates, desk, fields, job_id)
    if candidates:
        result = draw_ensembles(plan, result, provider, reporter)
    result = replace(result, seconds=clock() - begun)
    result = replace(result, findings=tuple(diagnose(result)))
    if not candidates:
        raise _failed(result, outcome, hopeless)
    return result


def _search(
    plan: CalibrationPlan,
    engine: Proposer,
    desk: Desk,
    reporter: Reporter,
    clock: Callable[[], float],
) -> tuple[SearchOutcome, CalibrationHopeless | None]:
    try:
        return run_search(plan, engine, desk, reporter=reporter, clock=clock), None
    except CalibrationHopeless as error:
        desk.give_up()
        return SearchOutcome(error.trials, "all failed"), error


def _assemble(
    plan: CalibrationPlan,
    outcome: SearchOutcome,
    candidates: list[Candidate],
    desk: Desk,
    fields: dict[str, Any],
    job_id: str,
) -> CalibrationResult:
    return CalibrationResult(
        spec=plan.spec,
        job_id=job_id,
        settings=plan.settings(),
        trials=trials_frame(plan, outcome.trials),
        candidates=tuple(candidates),
        findings=(),
        stop_reason=outcome.stop_reason,
        fingerprint=fingerprint_digest(fields),
        fingerprint_fields=fields,
        n_simulations=desk.n_simulations,
        versions=current_versions(),
        plausible=tuple(plausible_set(plan, outcome.trials, candidates)),
        failure=None if candidates else _failure_text(outcome.trials),
    )


def _failure_text(trials: tuple[Trial, ...]) -> str:
    return f"none of the {len(trials)} trials has a finite objective"


def _failed(
    result: CalibrationResult, outcome: SearchOutcome, hopeless: CalibrationHopeless | None
) -> CalibrationFailed:
    if hopeless is not None:
        return CalibrationFailed(
            hopeless.message,
            result=result,
            remote_traceback=hopeless.remote_traceback,
            hint=hopeless.hint,
        )
    return CalibrationFailed(
        _failure_text(outcome.trials),
        result=result,
        hint="the report lists the reasons; widen the bounds, use more replicates, or give the "
        "likelihood a floor",
    )
