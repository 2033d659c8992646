"""The check before a job: one parameter set, simulated and scored as the job would do it.

The point is the defaults, or the middle of what the specification covers; the seeds are those the
job would use there. What is stored is not simulated, and what the check simulates is stored.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from modelops.engine.requests import EvaluationOutcome, EvaluationWork, SimRequest
from modelops.engine.service import EngineService
from modelops.jobs.causes import PASSING_REASONS
from modelops.jobs.documents import JobPlan
from modelops.jobs.keys import evaluation_key, evaluation_request, requests_for
from modelops.results.store import ResultsStore
from modelops_calabaria.calibration.checking import (
    ANSWERS,
    CHECK_REPLICATES,
    Span,
    check_point,
    judge_check,
)
from modelops_calabaria.outcome.findings import FAIL, Finding
from modelops_contracts.errors import InvalidInput, SimulationFailed
from modelops_contracts.evaluation import Evaluation
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.study import CalibrationSpec, ParameterSetEntry, SimulationStudy

__all__ = ["CHECK_JOB", "CheckReport", "point_of", "refuse_failed_check", "try_out"]

#: What the store says of simulations that no job has made.
CHECK_JOB = "check"

_TICK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How the check went. ``simulations`` ran now; 0 when everything was stored. ``traceback`` is
    the author's, where code raised; ``left_out`` says why there was no check."""

    simulations: int = 0
    seconds: float = 0.0
    objective: float = math.nan
    params: Mapping[str, Any] | None = None
    findings: tuple[Finding, ...] = ()
    traceback: str = ""
    left_out: str = ""

    @property
    def failed(self) -> Finding | None:
        """The first finding that must not become a job."""
        return next((found for found in self.findings if found.severity == FAIL), None)

    @property
    def reason(self) -> str | None:
        """Code of an objective that is infinite although everything works; None when it is not."""
        return next((found.code for found in self.findings if found.code in ANSWERS), None)


def try_out(
    job: JobPlan,
    spec: SimulationStudy | CalibrationSpec,
    *,
    bundle_ref: str,
    store: ResultsStore,
    engine: Callable[[], EngineService],
    keep: bool,
    tick: Callable[[], None] = lambda: None,
) -> CheckReport:
    """Check a settled plan. ``engine`` is asked for only when something has to run; ``keep`` False
    leaves the store as it is; ``tick`` is called every few seconds of a check that takes long."""
    begun = time.monotonic()
    params, seeds = point_of(job, spec)
    sims = requests_for(job, bundle_ref, params, seeds)
    key = evaluation_key(job, sims)
    stored = store.known_evaluations(job.target_digest, [key]).get(key)
    if stored is not None:
        return _report(job, params, [stored], [], begun)
    try:
        outcomes = _evaluate_twice(job, sims, store, engine(), tick)
    except SimulationFailed as error:
        finding = Finding("CHECK_FAILED", FAIL, str(error), "set-up", action=error.hint or "")
        return CheckReport(
            seconds=time.monotonic() - begun,
            params=params.params,
            findings=(finding,),
            traceback=error.remote_traceback,
        )
    if keep:
        _keep(job, key, outcomes[0], store)
    evaluations = [outcome.evaluation for outcome in outcomes]
    return _report(job, params, evaluations, outcomes, begun)


def _evaluate_twice(
    job: JobPlan,
    sims: Sequence[SimRequest],
    store: ResultsStore,
    engine: EngineService,
    tick: Callable[[], None],
) -> list[EvaluationOutcome]:
    """Once from what is stored, once simulated anew: chance that no seed governs shows."""
    request = evaluation_request(job, sims)
    known = store.tables(job.code, [sim.sim_key for sim in sims])
    first = _evaluate(EvaluationWork(request, tuple(sims), known), engine, tick)
    if first.evaluation.reason is not None:
        return [first]
    return [first, _evaluate(EvaluationWork(request, tuple(sims)), engine, tick)]


def _evaluate(
    work: EvaluationWork, engine: EngineService, tick: Callable[[], None]
) -> EvaluationOutcome:
    future = engine.start_evaluation(work)
    while not engine.wait_any([future], timeout=_TICK_SECONDS):
        tick()
    return future.result()


def _keep(job: JobPlan, key: str, outcome: EvaluationOutcome, store: ResultsStore) -> None:
    good = [one for one in outcome.outcomes if one.ok]
    if good:
        store.append(job.code, good, job=CHECK_JOB)
    if outcome.evaluation.reason not in PASSING_REASONS:
        store.append_evaluations(job.target_digest, {key: outcome.evaluation}, job=CHECK_JOB)


def _report(
    job: JobPlan,
    params: UniqueParameterSet,
    evaluations: Sequence[Evaluation],
    outcomes: Sequence[EvaluationOutcome],
    begun: float,
) -> CheckReport:
    first, again = evaluations[0], evaluations[1] if len(evaluations) > 1 else None
    return CheckReport(
        simulations=sum(len(outcome.outcomes) for outcome in outcomes),
        seconds=time.monotonic() - begun,
        objective=first.objective,
        params=params.params,
        findings=tuple(judge_check(first, again, deterministic=job.description.deterministic)),
        traceback=first.failures[0].traceback if first.failures else "",
    )


def refuse_failed_check(report: CheckReport | None, spec: str) -> None:
    """Raises SimulationFailed, with the author's traceback, when the model or a target raised, and
    InvalidInput for everything else that must not become a job. ``spec`` is named in the hint."""
    found = None if report is None else report.failed
    if report is None or found is None:
        return
    message = f"check before the job: {found.code}: {found.message}"
    if report.traceback or found.code in _OF_THE_MODEL:
        values = ", ".join(f"{name}={value!r}" for name, value in (report.params or {}).items())
        raise SimulationFailed(
            f"{message} (at {values})",
            remote_traceback=report.traceback,
            hint=f"correct it, then: mops run {spec} --dry-run; "
            f"or, to run what fails: mops run {spec} --no-check",
            code="check.failed",
        )
    told = found.action if found.code in _ACTION_HELPS else ""
    raise InvalidInput(message, hint=_then_again(told, spec), code="check.failed")


def _then_again(told: str, spec: str) -> str:
    command = f"then: mops run {spec} --dry-run"
    if not told:
        return f"correct it, {command}"
    return (
        f"{told} Correct it, {command}" if told.endswith("?") else f"{told}; correct it, {command}"
    )


_OF_THE_MODEL = frozenset({"SIM_FAILED", "TIMEOUT"})
_ACTION_HELPS = frozenset({"NOT_REPRODUCIBLE", "CHECK_FAILED"})


# ---------------------------------------------------------------- where


def point_of(
    job: JobPlan, spec: SimulationStudy | CalibrationSpec
) -> tuple[UniqueParameterSet, tuple[int, ...]]:
    """The complete parameter set and the seeds that the job would give it."""
    if isinstance(spec, SimulationStudy):
        return _point_of_study(job, spec)
    return _point_of_calibration(job, spec)


def _point_of_study(
    job: JobPlan, study: SimulationStudy
) -> tuple[UniqueParameterSet, tuple[int, ...]]:
    """The space of a study is what its rows span: a model need not work anywhere else."""
    defaults = {one["name"]: one.get("default") for one in job.description.parameters}
    kinds = {one["name"]: one.get("kind", "float") for one in job.description.parameters}
    columns: dict[str, list[Any]] = {
        name: [row.params[name] for row in study.parameter_sets] for name in defaults
    }
    spans = [
        Span(name, min(values), max(values), kinds[name], defaults[name])
        for name, values in columns.items()
    ]
    params = UniqueParameterSet.from_dict(check_point(spans, {}))
    wide = replace(study, n_replicates=max(study.n_replicates, CHECK_REPLICATES))
    seeds = wide.seeds_of(ParameterSetEntry(params.params), params.param_id)
    return params, seeds[:CHECK_REPLICATES]


def _point_of_calibration(
    job: JobPlan, spec: CalibrationSpec
) -> tuple[UniqueParameterSet, tuple[int, ...]]:
    from modelops_calabaria.calibration.plan import plan_calibration
    from modelops_calabaria.calibration.seeds import search_seeds

    plan = plan_calibration(spec, job.description, [target.description for target in job.targets])
    spans = [
        Span(axis.name, axis.spec.lower, axis.spec.upper, axis.spec.kind, axis.spec.default)
        for axis in plan.space.axes
    ]
    values = check_point(spans, plan.fixed)
    params = UniqueParameterSet.from_dict(
        {name: values[name] for name in job.description.parameter_names}
    )
    seeds = search_seeds(params.param_id, base_seed=plan.seed, n=CHECK_REPLICATES, crn=plan.crn)
    return params, seeds
