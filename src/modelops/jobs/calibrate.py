"""Carry a calibration to its end: the pure loop of the science, fed from store and engine."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from modelops.jobs.journal import FileJournal
from modelops.jobs.lifecycle import Event, decide_verdict
from modelops.jobs.provider import StoredEvaluations
from modelops.jobs.work import Carried, Work
from modelops_calabaria.calibration.algorithms.registry import create_engine
from modelops_calabaria.calibration.fingerprint import fingerprint
from modelops_calabaria.calibration.loop import CalibrationFailed, run_calibration
from modelops_calabaria.calibration.plan import plan_calibration
from modelops_calabaria.calibration.replay import ReplayEngine
from modelops_calabaria.calibration.settings import StopRules
from modelops_contracts.ports import Reporter
from modelops_contracts.study import CalibrationSpec

if TYPE_CHECKING:
    from modelops_calabaria.calibration.result import CalibrationResult

__all__ = ["carry_calibration"]

#: Reasons that are faults of model, target or machine. A likelihood of zero is an answer.
_FAULTS = ("SIM_FAILED", "TIMEOUT", "COVERAGE", "BAD_OUTPUT", "EVALUATION_FAILED")


def carry_calibration(work: Work, spec: CalibrationSpec) -> Carried:
    """Search, rescore, draw the predictive ranges, save the result.

    An earlier journal of the same job is continued. Raises Interrupted on a stop, Conflict when
    the journal was begun under other settings.
    """
    targets = [target.description for target in work.plan.targets]
    plan = plan_calibration(spec, work.plan.description, targets)
    replayed = work.folder.read_replayed()
    if replayed is not None:
        n = len(replayed)
        plan = replace(plan, stop=StopRules(max_trials=n, max_iterations=n))
    provider = StoredEvaluations(work)
    journal = FileJournal(work.folder.journal)
    work.ledger.begin(total=plan.max_trials)
    try:
        result = run_calibration(
            plan,
            create_engine(plan) if replayed is None else ReplayEngine(replayed),
            provider,
            journal,
            reporter=_CountingReporter(work),
            clock=time.monotonic,
            should_stop=work.should_stop,
            fingerprint=fingerprint(plan, code=work.plan.code, data=_digests(work)),
            job_id=work.job_id,
        )
    except CalibrationFailed as error:
        work.reporter.warn(f"{error}\n{error.remote_traceback}".rstrip())
        error.result.save(work.folder.result)
        return Carried(Event.FAIL, str(error))
    finally:
        journal.close()
        provider.use.write(work)
    if replayed is not None:
        result = replace(result, stop_reason="scored again")
    result.save(work.folder.result)
    return _judge(work, provider, result)


def _digests(work: Work) -> Mapping[str, str]:
    return {target.entrypoint: target.digest for target in work.plan.targets}


def _judge(work: Work, provider: StoredEvaluations, result: CalibrationResult) -> Carried:
    trials = result.trials
    failed = trials.filter(trials["reason"].is_in(_FAULTS)).height
    verdict = decide_verdict(
        ok=trials.height - failed, failed=failed, policy=work.plan.choices.max_failed
    )
    best = result.best
    work.ledger.advance(0, best=best.objective if math.isfinite(best.objective) else None)
    se = f" ± {best.objective_se:.3g}" if math.isfinite(best.objective_se) else ""
    message = f"{trials.height} trials ({result.stop_reason}), confirmed {best.objective:.6g}{se}"
    message += f", {result.verdict}"
    if provider.reused:
        message += f"; {provider.reused} evaluations reused"
    if work.folder.replayed.is_file():
        message += f"; {work.ledger.record.progress.simulated} simulations run"
    if failed:
        message += f"; {failed} trials failed"
    return Carried(verdict, message)


class _CountingReporter:
    """Passes everything on; the search's trials are the job's progress."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._reporter: Reporter = work.reporter
        self._searching = False

    def start(self, what: str, total: int | None) -> None:
        self._searching = what == "search"
        self._reporter.start(what, total)

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        if self._searching:
            self._work.ledger.advance(n, failed=failed, best=_best_of(note))
        self._reporter.advance(n, failed=failed, note=note)

    def note(self, text: str) -> None:
        self._reporter.note(text)

    def warn(self, text: str) -> None:
        self._reporter.warn(text)

    def finish(self, summary: str = "") -> None:
        self._reporter.finish(summary)


def _best_of(note: str) -> float | None:
    """The search says its best value in the note of every step."""
    word, _, number = note.partition(" ")
    return float(number) if word == "best" else None
