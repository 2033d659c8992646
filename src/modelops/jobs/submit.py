"""From a specification file to a job: everything is checked before anything is stored.

``plan_submission`` brings the project's bundle up to date, asks the model and its targets what
they are, and says what would run; ``apply_submission`` makes a job of it.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from modelops import wiring
from modelops.config.model import Config, read_policy
from modelops.jobs.check import complete_study, find_study_warnings, fits_outputs, needed_outputs
from modelops.jobs.describe import Question, describe_all
from modelops.jobs.documents import BundleFacts, ChosenTarget, JobPlan, RunChoices
from modelops.jobs.folder import new_job_id
from modelops.jobs.keys import wanted_of
from modelops.jobs.record import JobRecord, Progress, timestamp
from modelops.jobs.resolve import TargetChoice, choose_targets, find_model
from modelops_contracts.errors import InvalidInput, NotFound
from modelops_contracts.job_state import JobState
from modelops_contracts.models import TargetDescription
from modelops_contracts.ports import ArtifactStore, NullReporter, Reporter
from modelops_contracts.study import CalibrationSpec, SimulationStudy, load_spec

if TYPE_CHECKING:
    from modelops_bundle.opening import OpenBundle
    from modelops_bundle.project import Project

__all__ = ["SubmissionPlan", "SubmitOptions", "apply_submission", "plan_submission"]

Spec = SimulationStudy | CalibrationSpec


@dataclass(frozen=True, slots=True)
class SubmitOptions:
    """What may be said at submission. None and empty: as the specification or the settings say."""

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


@dataclass(frozen=True, slots=True)
class SubmissionPlan:
    """What a submission would do.

    ``simulations`` are distinct ones; of a calibration they are the most that its trials and
    its rescoring may need. ``reused`` of them are stored already (None: only known when they are
    asked for). ``estimate`` in seconds, from the stored timings of the same code, or None.
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
    _refuse_missing_observations(spec, project_root)
    environment = wiring.open_environment(config)
    with (
        _bundle_store(project_root, config, options) as (store, pushed, place),
        wiring.open_bundle_tree(place, store, pushed.manifest) as bundle,
    ):
        facts = replace(pushed, content=bundle.content)
        planner = _Planner(spec, bundle, config, place, options, reporter or NullReporter())
        job, spec, warnings = planner.plan()
    name = options.name or str(spec.metadata.get("name") or Path(spec_path).stem)
    root = environment.results_root(project_root)
    counts = _count(job, spec, facts, config, project_root)
    return SubmissionPlan(
        kind=job.kind,
        name=name,
        environment=environment.name,
        spec=spec,
        bundle=facts,
        job=job,
        warnings=tuple(warnings),
        tags={**_tags_of(spec), **options.tags},
        results_root=root,
        dry_run=options.dry_run,
        **counts,
    )


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
    documents = {
        "spec": plan.spec.to_dict(),
        "bundle": plan.bundle.to_json(),
        "plan": plan.job.to_json(),
    }
    backend = wiring.open_backend(config, project_root=project_root)
    stored: JobRecord = backend.create({"record": record.to_json(), "documents": documents})
    return stored


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


# ---------------------------------------------------------------- the bundle


@contextlib.contextmanager
def _bundle_store(
    project_root: Path, config: Config, options: SubmitOptions
) -> Iterator[tuple[ArtifactStore, BundleFacts, Config]]:
    """The store, the bundle in it, and the configuration whose cache takes its tree."""
    from modelops_bundle.project import open_project

    project = open_project(project_root)
    if options.bundle is not None or not options.auto:
        repository, reference = _split_reference(
            options.bundle or project.default_tag, project.repository
        )
        store = wiring.open_artifacts(config, repository)
        yield store, BundleFacts(repository, store.resolve(reference), tag=reference), config
        return
    store = wiring.open_artifacts(config, project.repository)
    facts = BundleFacts(project.repository, "", tag=project.default_tag)
    if not options.dry_run:
        pushed = _push(project, store, options)
        yield store, replace(facts, manifest=pushed), config
        return
    with _scratch(config) as place:
        copy = _copy_of(project, store, options, place.paths.home / "project")
        scratch_store = wiring.open_artifacts(place, project.repository)
        pushed = _push(copy, scratch_store, options)
        yield scratch_store, replace(facts, manifest=pushed), place


def _push(project: Project, store: Any, options: SubmitOptions) -> str:
    from modelops_bundle.transfer.push import push

    return push(project, store, project.default_tag, allow_stale=options.allow_stale).manifest


def _copy_of(project: Project, store: Any, options: SubmitOptions, folder: Path) -> Project:
    """A project with the files that a push would send, after every check a push makes."""
    from modelops_bundle.project import open_project
    from modelops_bundle.transfer.push import plan_push

    plan = plan_push(project, store, project.default_tag, allow_stale=options.allow_stale)
    own = [path.relative_to(project.root) for path in project.storage.glob("*") if path.is_file()]
    for path in dict.fromkeys([*own, *(Path(row.path) for row in plan.rows)]):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(project.root / path, target, follow_symlinks=False)
    return open_project(folder)


@contextlib.contextmanager
def _scratch(config: Config) -> Iterator[Config]:
    """A home that is thrown away: a dry run makes a bundle and leaves none."""
    folder = Path(tempfile.mkdtemp(prefix="modelops-dry-run-"))
    try:
        yield replace(config, paths=replace(config.paths, home=folder), environment="local")
    finally:
        _remove_tree(folder)


def _remove_tree(folder: Path) -> None:
    """Trees of bundles are read-only; make their folders writable first."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def _split_reference(reference: str, repository: str) -> tuple[str, str]:
    """``repo@sha256:...``, ``repo:tag``, ``sha256:...`` or ``tag`` -> (repository, reference)."""
    before, at, digest = reference.partition("@")
    if at:
        return before, digest
    if reference.startswith("sha256:") or ":" not in reference:
        return repository, reference
    name, _, tag = reference.rpartition(":")
    return name, tag


# ---------------------------------------------------------------- asking the model


class _Planner:
    """Asks the bundle's own environment what model and targets are, and settles the plan."""

    def __init__(
        self,
        spec: Spec,
        bundle: OpenBundle,
        config: Config,
        cache: Config,
        options: SubmitOptions,
        reporter: Reporter,
    ) -> None:
        self._spec, self._bundle = spec, bundle
        self._config, self._cache = config, cache
        self._options, self._reporter = options, reporter

    def plan(self) -> tuple[JobPlan, Spec, list[str]]:
        """The plan, the specification as it will be run, and warnings."""
        registry = self._bundle.registry
        model_id = find_model(registry, self._spec)
        choices = choose_targets(
            registry,
            self._spec,
            asked=self._options.targets,
            target_set=self._options.target_set,
        )
        environment = wiring.prepare_environment(
            self._config, self._bundle.root, reporter=self._reporter
        )
        models, described = describe_all(
            self._cache,
            self._bundle.root,
            environment,
            self._questions(model_id, choices),
        )
        targets = [self._chosen(c, t) for c, t in zip(choices, described, strict=True)]
        settle = _settle_study if isinstance(self._spec, SimulationStudy) else _settle_calibration
        job = JobPlan(
            kind="study" if isinstance(self._spec, SimulationStudy) else "calibration",
            model_id=model_id,
            model=registry.models[model_id].entrypoint,
            code=self._bundle.model_digests[model_id],
            scenario=self._spec.scenario,
            environment=environment.digest,
            outputs=(),
            config={},
            description=models[0],
            targets=tuple(targets),
            choices=self._choices(),
        )
        return settle(job, self._spec, explicit=self._targets_are_explicit())  # type: ignore[arg-type]

    def _questions(self, model_id: str, choices: Sequence[TargetChoice]) -> list[Question]:
        bundle = self._bundle
        model = bundle.registry.models[model_id].entrypoint
        return [
            ("model", model, bundle.model_digests[model_id]),
            *(("target", c.entrypoint, bundle.target_digests[c.target_id]) for c in choices),
        ]

    def _chosen(self, choice: TargetChoice, described: TargetDescription) -> ChosenTarget:
        return ChosenTarget(
            target_id=choice.target_id,
            entrypoint=choice.entrypoint,
            digest=self._bundle.target_digests[choice.target_id],
            weight=described.weight if choice.weight is None else choice.weight,
            description=described,
        )

    def _targets_are_explicit(self) -> bool:
        said = isinstance(self._spec, CalibrationSpec) or self._spec.targets is not None
        return said or bool(self._options.targets or self._options.target_set)

    def _choices(self) -> RunChoices:
        run, jobs = self._config.run, self._config.jobs
        study = isinstance(self._spec, SimulationStudy)
        return RunChoices(
            executor=run.executor,
            workers=run.workers,
            timeout=run.timeout,
            isolation=run.isolation,
            interpreter=run.interpreter,
            max_failed=self._options.max_failed
            or (jobs.max_failed if study else jobs.max_failed_trials),
            max_time=self._options.max_time,
        )


def _settle_study(
    job: JobPlan, study: SimulationStudy, *, explicit: bool
) -> tuple[JobPlan, Spec, list[str]]:
    complete = complete_study(study, job.description)
    warnings = find_study_warnings(complete, job.description)
    outputs = tuple(sorted(complete.outputs or job.description.outputs))
    fitting = [t for t in job.targets if fits_outputs(t.description, outputs)]
    left_out = [t for t in job.targets if t not in fitting]
    if left_out and explicit:
        raise _missing_outputs(left_out, outputs)
    warnings += [
        f"target {t.target_id} is left out: it reads {', '.join(t.description.model_outputs)}, "
        f"this study keeps {', '.join(outputs)}"
        for t in left_out
    ]
    settled = replace(
        job,
        outputs=outputs,
        config=dict(complete.metadata.get("config") or {}),
        targets=tuple(fitting),
        policy={"replicates": "logmeanexp", "failed_replicates": "fail"},
    )
    spec = complete.with_targets(
        [t.entrypoint for t in fitting],
        [t.target_id for t in fitting],
        complete.metadata.get("target_set"),
    )
    return settled, spec, warnings


def _settle_calibration(
    job: JobPlan, spec: CalibrationSpec, *, explicit: bool
) -> tuple[JobPlan, Spec, list[str]]:
    from modelops_calabaria.calibration.plan import plan_calibration

    assert explicit
    descriptions = [target.description for target in job.targets]
    settled_spec = _with_targets(spec, job.targets)
    plan = plan_calibration(settled_spec, job.description, descriptions)
    outputs = tuple(sorted(spec.outputs or needed_outputs(descriptions)))
    left_out = [t for t in job.targets if not fits_outputs(t.description, outputs)]
    if left_out:
        raise _missing_outputs(left_out, outputs)
    settled = replace(job, outputs=outputs, config=dict(plan.config), policy=plan.policy)
    return settled, settled_spec, _unread_observations(spec, descriptions)


def _refuse_missing_observations(spec: Spec, project_root: Path) -> None:
    observed = _observed_file(spec)
    if observed and not (project_root / observed).is_file():
        raise NotFound(
            f"$.target_data.observed_file: {observed} is not in {project_root}",
            hint="correct the path, or remove the key: targets name their own data files",
            code="observed_file.not_found",
        )


def _unread_observations(spec: Spec, targets: Sequence[TargetDescription]) -> list[str]:
    """Only what a target reads has an effect; a file that none of them reads has none."""
    observed = _observed_file(spec)
    if not observed:
        return []
    wanted = PurePosixPath(observed).as_posix()
    read = [name for target in targets for name in target.data]
    if any(name == wanted or wanted.endswith(f"/{name}") for name in read):
        return []
    return [f"observed_file {observed} has no effect: the targets read {', '.join(read) or 'none'}"]


def _observed_file(spec: Spec) -> str:
    return "" if isinstance(spec, SimulationStudy) else spec.target_data.get("observed_file") or ""


def _with_targets(spec: CalibrationSpec, targets: Sequence[ChosenTarget]) -> CalibrationSpec:
    """The calibration with its targets and weights written out, and an earlier result's path made
    independent of the folder the driver runs in."""
    data = {
        **spec.target_data,
        "target_entrypoints": [target.entrypoint for target in targets],
        "target_ids": [target.target_id for target in targets],
        "weights": {target.target_id: target.weight for target in targets},
    }
    config = dict(spec.algorithm_config)
    if config.get("warm_start"):
        config["warm_start"] = str(Path(config["warm_start"]).absolute())
    return replace(spec, target_data=data, algorithm_config=config)


def _missing_outputs(targets: Sequence[ChosenTarget], outputs: Sequence[str]) -> InvalidInput:
    first = targets[0]
    return InvalidInput(
        f"target {first.target_id} reads output {', '.join(first.description.model_outputs)}, "
        f"which is not among {', '.join(outputs)}",
        hint="cb models lists the outputs of each model; $.outputs of the file limits them",
        code="target.output",
    )


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
