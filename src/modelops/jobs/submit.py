"""From a specification file to a job: everything is checked before anything is stored.

``plan_submission`` brings the project's bundle up to date, asks the model and its targets what
they are, and says what would run; ``apply_submission`` makes a job of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from modelops import wiring
from modelops.config.model import Config, read_policy
from modelops.jobs.bundling import BundleChoice, open_bundle_store
from modelops.jobs.documents import BundleFacts, JobPlan
from modelops.jobs.folder import new_job_id
from modelops.jobs.keys import wanted_of
from modelops.jobs.planner import Planned, Planner, PlanningOptions
from modelops.jobs.record import JobRecord, Progress, timestamp
from modelops.jobs.settling import Spec, refuse_missing_observations
from modelops.jobs.tryout import CheckReport, refuse_failed_check
from modelops_calabaria.calibration.checking import ANSWERS
from modelops_contracts.digests import make_param_id
from modelops_contracts.errors import InvalidInput
from modelops_contracts.job_state import JobState
from modelops_contracts.ports import NullReporter, Reporter
from modelops_contracts.study import CalibrationSpec, SimulationStudy, load_spec

__all__ = [
    "Given",
    "SubmissionPlan",
    "SubmitOptions",
    "apply_submission",
    "documents_of",
    "plan_spec",
    "plan_submission",
]


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What may be said at submission. None and empty: as the specification or the settings say.

    Before every job with targets one parameter set is simulated and scored; ``unchecked`` names
    what switched that off. ``spoken`` is the specification as the user named it, for hints.
    """

    bundle: str | None = None
    auto: bool = True
    allow_stale: bool = False
    targets: tuple[str, ...] = ()
    target_set: str | None = None
    name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    replicates: int | None = None
    max_failed: str | None = None
    max_time: float | None = None
    dry_run: bool = False
    unchecked: str = ""
    spoken: str = ""


@dataclass(frozen=True, slots=True)
class Given:
    """What was asked for, before targets and weights were looked up: a later resume asks again."""

    spec: Spec
    targets: tuple[str, ...] = ()
    target_set: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "spec": self.spec.to_dict(),
            "targets": list(self.targets),
            "target_set": self.target_set,
        }


@dataclass(frozen=True, slots=True)
class SubmissionPlan:
    """What a submission would do.

    ``simulations`` are distinct ones; of a calibration they are the most that its trials and
    its rescoring may need. ``reused`` of them are stored already (None: only known when they are
    asked for). ``estimate`` in seconds, from the stored timings of the same code, or None.
    ``check`` is None where there are no targets.
    """

    kind: str
    name: str
    environment: str
    spec: Spec
    bundle: BundleFacts
    job: JobPlan
    parameter_sets: int
    replicates: int
    trials: int
    simulations: int
    reused: int | None
    estimate: float | None
    warnings: tuple[str, ...]
    tags: Mapping[str, str]
    results_root: Path
    dry_run: bool
    given: Given
    check: CheckReport | None = None

    @property
    def missing(self) -> int:
        """Simulations that will run."""
        return self.simulations - (self.reused or 0)


def plan_submission(
    spec_path: Path | str,
    *,
    project_root: Path,
    config: Config,
    options: SubmitOptions = SubmitOptions(),
    reporter: Reporter | None = None,
) -> SubmissionPlan:
    """Check a specification against the project and say what would run.

    Pushes the project's bundle when it changed, unless ``options`` name one or it is a dry run
    (which works on a copy that is thrown away). Raises InvalidInput, NotFound, Conflict; no job
    exists then.
    """
    spec = _with_options(load_spec(spec_path), options)
    said = options if options.spoken else replace(options, spoken=str(spec_path))
    return plan_spec(
        spec,
        name=options.name or str(spec.metadata.get("name") or Path(spec_path).stem),
        project_root=project_root,
        config=config,
        options=said,
        reporter=reporter,
    )


def plan_spec(
    spec: Spec,
    *,
    name: str,
    project_root: Path,
    config: Config,
    options: SubmitOptions,
    reporter: Reporter | None = None,
) -> SubmissionPlan:
    """The same for a specification that was read already."""
    refuse_missing_observations(spec, project_root)
    environment = wiring.open_environment(config)
    results = wiring.open_results(config, project_root)
    telling = reporter or NullReporter()
    choice = BundleChoice(options.bundle, options.auto, options.allow_stale, options.dry_run)
    with (
        open_bundle_store(project_root, config, choice) as (store, pushed, place),
        wiring.open_bundle_tree(place, store, pushed.manifest, tell=telling.warn) as bundle,
    ):
        facts = replace(pushed, content=bundle.content)
        planner = Planner(spec, bundle, config, place, _planning(options), telling)
        planned = planner.plan(results)
    refuse_failed_check(planned.check, options.spoken)
    return SubmissionPlan(
        kind=planned.job.kind,
        name=name,
        environment=environment.name,
        spec=planned.spec,
        given=Given(spec, options.targets, options.target_set),
        bundle=facts,
        job=planned.job,
        warnings=(*_warn_of_tag(facts, options, project_root), *_warnings(planned)),
        tags={**_tags_of(planned.spec), **options.tags},
        results_root=environment.results_root(project_root),
        dry_run=options.dry_run,
        check=planned.check,
        **_count(planned.job, planned.spec, facts, config, project_root),
    )


def _planning(options: SubmitOptions) -> PlanningOptions:
    return PlanningOptions(
        targets=options.targets,
        target_set=options.target_set,
        max_failed=options.max_failed,
        max_time=options.max_time,
        unchecked=options.unchecked,
        keep=not options.dry_run,
    )


def _warn_of_tag(facts: BundleFacts, options: SubmitOptions, root: Path) -> tuple[str, ...]:
    """The project's own tag may hold the bundle of another folder."""
    from modelops_bundle.project.project import open_project

    wanted = open_project(root).default_tag
    if options.bundle is not None or not options.auto or facts.tag == wanted:
        return ()
    kept = f"the bundle of this run is kept as {facts.repository}:{facts.tag}"
    return (f"{facts.repository}:{wanted} holds another project's work; {kept}",)


def _warnings(planned: Planned) -> tuple[str, ...]:
    found = () if planned.check is None else planned.check.findings
    told = [f"check: {one.code}: {one.message}" for one in found if one.code not in ANSWERS]
    if _is_one_point(planned.spec):
        told += [f"check: {one.code} at the only point" for one in found if one.code in ANSWERS]
    return (*planned.warnings, *told)


def _is_one_point(spec: Spec) -> bool:
    """A search has others, and so have most designs: an infinite objective at one says little."""
    if not isinstance(spec, SimulationStudy):
        return False
    return len({make_param_id(entry.params) for entry in spec.parameter_sets}) == 1


def apply_submission(plan: SubmissionPlan, *, config: Config, project_root: Path) -> JobRecord:
    """Store a job, ``queued``, and return it; somebody has to carry it (driver, backend.launch)."""
    if plan.dry_run:
        raise InvalidInput("a dry run cannot be submitted", hint="plan it again without --dry-run")
    now = timestamp()
    record = JobRecord(
        job_id=new_job_id(plan.kind),
        kind=plan.kind,
        name=plan.name,
        state=JobState.PENDING,
        created=now,
        updated=now,
        bundle=plan.bundle.manifest,
        environment=plan.environment,
        model=plan.job.model,
        targets=tuple(target.target_id for target in plan.job.targets),
        parameter_sets=plan.parameter_sets,
        replicates=plan.replicates,
        tags=dict(plan.tags),
        progress=Progress(total=plan.trials or plan.simulations),
    )
    documents = documents_of(plan)
    backend = wiring.open_backend(config, project_root=project_root)
    stored: JobRecord = backend.create({"record": record.to_json(), "documents": documents})
    return stored


def documents_of(plan: SubmissionPlan) -> dict[str, dict[str, Any]]:
    """What a job's folder holds, by file stem."""
    return {
        "spec": plan.spec.to_dict(),
        "bundle": plan.bundle.to_json(),
        "plan": plan.job.to_json(),
        "given": plan.given.to_json(),
    }


# ---------------------------------------------------------------- the specification


def _with_options(spec: Spec, options: SubmitOptions) -> Spec:
    if options.max_failed is not None:
        read_policy(options.max_failed)
    if options.replicates is None:
        return spec
    if options.replicates < 1:
        raise InvalidInput(f"--replicates must be at least 1, not {options.replicates}")
    if isinstance(spec, SimulationStudy):
        return replace(spec, n_replicates=options.replicates)
    changed = {**spec.algorithm_config, "n_replicates": options.replicates}
    return replace(spec, algorithm_config=changed)


def _tags_of(spec: Spec) -> dict[str, str]:
    tags = spec.metadata.get("tags")
    return {str(k): str(v) for k, v in tags.items()} if isinstance(tags, Mapping) else {}


# ---------------------------------------------------------------- counting


def _count(
    job: JobPlan, spec: Spec, facts: BundleFacts, config: Config, project_root: Path
) -> dict[str, Any]:
    if isinstance(spec, SimulationStudy):
        return _count_study(job, spec, facts, config, project_root)
    return _count_calibration(job, spec)


def _count_study(
    job: JobPlan, spec: SimulationStudy, facts: BundleFacts, config: Config, project_root: Path
) -> dict[str, Any]:
    keys = [key for row in wanted_of(job, facts.manifest, spec) for key in row.keys]
    distinct = list(dict.fromkeys(keys))
    known = wiring.open_results(config, project_root).known(job.code, distinct)
    walls = [sim.wall for sim in known.values()]
    slots = wiring.count_slots(job.choices.executor, job.choices.workers)
    missing = len(distinct) - len(known)
    return {
        "parameter_sets": spec.parameter_count(),
        "replicates": spec.n_replicates,
        "trials": 0,
        "simulations": len(distinct),
        "reused": len(known),
        "estimate": missing * sum(walls) / len(walls) / slots if walls else None,
    }


def _count_calibration(job: JobPlan, spec: CalibrationSpec) -> dict[str, Any]:
    from modelops_calabaria.calibration.plan import plan_calibration

    plan = plan_calibration(spec, job.description, [t.description for t in job.targets])
    rescoring = plan.rescore.top_k * plan.rescore.n_replicates + plan.rescore.confirm
    return {
        "parameter_sets": plan.max_trials,
        "replicates": plan.n_replicates,
        "trials": plan.max_trials,
        "simulations": plan.max_trials * plan.n_replicates + rescoring,
        "reused": None,
        "estimate": None,
    }
