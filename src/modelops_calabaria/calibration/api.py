"""What a notebook calls: calibrate, run_study, evaluate, check; in this process or by a service."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.calibration.algorithms.registry import create_engine
from modelops_calabaria.calibration.arguments import (
    Described,
    ModelLike,
    check_service,
    code_digest,
    describe_object,
    describe_targets,
    given_settings,
    instance_of,
    reporter_of,
    search_bounds,
)
from modelops_calabaria.calibration.builders import Bounds, build_calibration
from modelops_calabaria.calibration.checking import (
    CHECK_REPLICATES,
    Span,
    check_point,
    judge_check,
)
from modelops_calabaria.calibration.fingerprint import fingerprint
from modelops_calabaria.calibration.identity import target_digest
from modelops_calabaria.calibration.journal import FileJournal, Journal, MemoryJournal
from modelops_calabaria.calibration.local import InProcessProvider, LocalModel
from modelops_calabaria.calibration.loop import run_calibration
from modelops_calabaria.calibration.plan import CalibrationPlan, plan_calibration
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_calabaria.calibration.seeds import search_seeds
from modelops_calabaria.calibration.stopping import stopping_on_interrupt
from modelops_calabaria.calibration.studies import (
    StudyResult,
    complete,
    study_rows,
    varied_names,
)
from modelops_calabaria.calibration.study_run import StudyInterrupted, StudyRun, simulating
from modelops_calabaria.diagnostics.numbers import diagnose
from modelops_calabaria.outcome.findings import FAIL, Finding
from modelops_calabaria.sampling.base import SamplingWarning, whole_number
from modelops_calabaria.sampling.study import extend_study, told_patches
from modelops_contracts.errors import InvalidInput, ModelOpsError
from modelops_contracts.ports import Reporter, SimulationService
from modelops_contracts.study import SimulationStudy
from modelops_contracts.types import Evaluation

__all__ = [
    "CalibrationResult",
    "Evaluation",
    "StudyInterrupted",
    "StudyResult",
    "calibrate",
    "check",
    "diagnose",
    "evaluate",
    "extend_study",
    "run_study",
]


def calibrate(
    model: ModelLike,
    targets: object,
    *,
    parameters: Mapping[str, Bounds] | Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    scenario: str = "baseline",
    config: Mapping[str, Any] | None = None,
    engine: str = "tpe",
    n_trials: int = 100,
    batch_size: int = 4,
    n_replicates: int = 3,
    seed: int = 0,
    crn: str = "none",
    replicates: str | None = None,
    weights: Mapping[str, float] | None = None,
    rescore: Mapping[str, int] | None = None,
    stop: Mapping[str, Any] | None = None,
    journal: str | Path | None = None,
    service: SimulationService | None = None,
    progress: Reporter | None = None,
) -> CalibrationResult:
    """Find parameters that fit the targets, and confirm the value of the best.

    ``parameters`` maps names to (lower, upper[, transform]), or lists names to be searched in their
    declared bounds; None searches all that are not fixed. ``weights`` are by target name. ``stop``
    holds max_iterations, max_loss, patience, min_delta, max_seconds. ``service`` simulates
    elsewhere and gives the same numbers; targets are scored here. With ``journal``, a directory,
    finished evaluations are kept there, a second call continues, and the result is saved beside.
    Raises CalibrationFailed when there is no result, InvalidInput for what does not fit.
    """
    check_service(service)
    reporter = reporter_of(progress)
    instance = instance_of(model)
    description = describe_object(instance)
    described = describe_targets(targets)
    criteria = dict(stop or {})
    spec = build_calibration(
        description,
        [(target.name, target) for _, target in described],
        parameters=search_bounds(description, parameters, fixed or {}),
        fixed=fixed,
        scenario=scenario,
        max_trials=n_trials,
        batch_size=batch_size,
        n_replicates=n_replicates,
        sampler=engine,
        seed=seed,
        weights=weights,
        config=config,
        max_iterations=criteria.pop("max_iterations", 1_000_000),
        convergence_criteria=criteria,
        extra=given_settings(crn=crn, replicates=replicates, rescore=rescore),
        created_by="modelops_calabaria.calibrate",
    )
    plan = plan_calibration(spec, description, [target for _, target in described])
    return _carry_out(plan, instance, described, service, journal, reporter)


def _carry_out(
    plan: CalibrationPlan,
    model: BaseModel,
    described: Sequence[Described],
    service: SimulationService | None,
    journal: str | Path | None,
    reporter: Reporter,
) -> CalibrationResult:
    """Run a planned calibration; Ctrl-C ends it after the evaluation that is running."""
    provider = InProcessProvider(
        simulating(service, model, plan.scenario, plan.config),
        [target for target, _ in described],
        weights={target.name: plan.weights[target.entrypoint] for _, target in described},
        **plan.policy,
    )
    folder = None if journal is None else Path(journal)
    data = {about.entrypoint: target_digest(target) for target, about in described}
    with stopping_on_interrupt() as should_stop:
        result = run_calibration(
            plan,
            create_engine(plan),
            provider,
            _open_journal(folder),
            reporter=reporter,
            clock=time.monotonic,
            should_stop=should_stop,
            fingerprint=fingerprint(plan, code=code_digest(model, plan.description), data=data),
        )
    if folder is not None:
        result.save(folder, reports=False)
    return result


def run_study(
    model: ModelLike,
    design: object,
    *,
    scenario: str | Sequence[str] = "baseline",
    n_replicates: int = 1,
    targets: object = (),
    outputs: Sequence[str] | None = None,
    config: Mapping[str, Any] | None = None,
    fixed: Mapping[str, float] | None = None,
    crn: str = "none",
    base_seed: int = 42,
    service: SimulationService | None = None,
    progress: Reporter | None = None,
) -> StudyResult:
    """Simulate a design; see :class:`StudyResult` for the tables.

    ``design`` is a list of mappings, a frame, a sampler, a pair (sampler, n) or a SimulationStudy,
    whose own scenario, configuration, outputs and seeds then hold, as far as nothing else is asked
    for here. A simulation that fails becomes a row of ``failures``; varying a parameter that a
    scenario sets is warned of. Nothing is written to disk: Ctrl-C raises StudyInterrupted, whose
    ``result`` has what was simulated and whose ``resume()`` simulates the rest. Raises InvalidInput
    for what the model does not have.
    """
    check_service(service)
    reporter = reporter_of(progress)
    instance = instance_of(model)
    if isinstance(design, SimulationStudy):
        scenario = design.scenario if scenario == "baseline" else scenario
        outputs = design.outputs if outputs is None else outputs
        config = {**(design.metadata.get("config") or {}), **(config or {})}
    scenarios = (scenario,) if isinstance(scenario, str) else tuple(scenario)
    patches = {name: instance.get_scenario(name).param_patches for name in scenarios}
    unknown = [name for name in outputs or () if name not in instance.list_outputs()]
    if unknown:
        raise InvalidInput(
            f"{type(instance).__name__} has no output {', '.join(unknown)}",
            hint=f"outputs: {', '.join(instance.list_outputs())}",
        )
    rows = study_rows(
        instance,
        design,
        n_replicates=n_replicates,
        fixed=fixed or {},
        crn=crn,
        base_seed=base_seed,
    )
    for name, patched in patches.items():
        for text in told_patches(name, patched, varied_names(rows)):
            warnings.warn(text, SamplingWarning, stacklevel=2)
    return StudyRun(
        instance,
        rows,
        scenarios=scenarios,
        targets=[target for target, _ in describe_targets(targets)] if targets else [],
        outputs=outputs,
        config=config,
        reporter=reporter,
        service=service,
    ).go()


def evaluate(
    model: ModelLike,
    targets: object,
    params: Mapping[str, Any],
    *,
    n_replicates: int = 1,
    seed: int = 0,
    scenario: str = "baseline",
    config: Mapping[str, Any] | None = None,
    replicates: str = "logmeanexp",
    weights: Mapping[str, float] | None = None,
) -> Evaluation:
    """Score one parameter set with ``n_replicates`` runs; a failure is part of the result."""
    whole_number(n_replicates, "n_replicates", least=1)
    whole_number(seed, "seed", least=0)
    instance = instance_of(model)
    instance.get_scenario(scenario)
    provider = InProcessProvider(
        LocalModel(instance, scenario, config),
        [target for target, _ in describe_targets(targets)],
        weights=weights,
        replicates=replicates,
    )
    complete_set = complete(instance, params, {})
    seeds = search_seeds(complete_set.param_id, base_seed=seed, n=n_replicates, crn="none")
    return provider.evaluate(complete_set, seeds)


def check(
    model: ModelLike,
    targets: object,
    *,
    scenario: str = "baseline",
    config: Mapping[str, Any] | None = None,
    fixed: Mapping[str, float] | None = None,
) -> list[Finding]:
    """Run the real thing once, with two replicates, and say what is wrong; [] when nothing is.

    Parameters are fixed values, else defaults, else the middle of their bounds.
    """
    instance = instance_of(model)
    spans = [Span(s.name, s.lower, s.upper, s.kind, s.default) for s in instance.space]
    middle = check_point(spans, fixed or {})
    try:
        first, again = (
            evaluate(
                instance,
                targets,
                middle,
                n_replicates=CHECK_REPLICATES,
                scenario=scenario,
                config=config,
            )
            for _ in range(2)
        )
    except ModelOpsError as error:
        return [Finding("CHECK_FAILED", FAIL, str(error), "set-up", action=error.hint or "")]
    return judge_check(first, again, deterministic=type(instance).DETERMINISTIC)


def _open_journal(folder: Path | None) -> Journal:
    return MemoryJournal() if folder is None else FileJournal(folder / "journal.jsonl")
