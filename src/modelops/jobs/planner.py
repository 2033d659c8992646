"""Asks the bundle's own environment what model and targets are, settles the plan, and tries it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelops import wiring
from modelops.config.model import Config
from modelops.jobs.asking import AskedEngine
from modelops.jobs.describe import Question, describe_all
from modelops.jobs.documents import ChosenTarget, JobPlan, RunChoices
from modelops.jobs.resolve import TargetChoice, choose_targets, find_model
from modelops.jobs.settling import Spec, settle_calibration, settle_study
from modelops.jobs.tryout import CheckReport, try_out
from modelops.results.store import ResultsStore
from modelops_contracts.models import TargetDescription
from modelops_contracts.ports import Reporter
from modelops_contracts.study import CalibrationSpec, SimulationStudy

if TYPE_CHECKING:
    from modelops_bundle.opening import OpenBundle

__all__ = ["Planned", "Planner", "PlanningOptions"]


@dataclass(frozen=True, slots=True)
class PlanningOptions:
    """What the caller said about targets, failures, times and the check. ``keep`` False: a dry run
    leaves nothing behind."""

    targets: tuple[str, ...] = ()
    target_set: str | None = None
    max_failed: str | None = None
    max_time: float | None = None
    unchecked: str = ""
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Planned:
    """A settled job, the specification as it will be run, warnings, and how the check went (None
    without targets)."""

    job: JobPlan
    spec: Spec
    warnings: tuple[str, ...]
    check: CheckReport | None


class Planner:
    """``cache`` is the configuration whose caches are used: a dry run has its own."""

    def __init__(
        self,
        spec: Spec,
        bundle: OpenBundle,
        config: Config,
        cache: Config,
        options: PlanningOptions,
        reporter: Reporter,
    ) -> None:
        self._spec, self._bundle = spec, bundle
        self._config, self._cache = config, cache
        self._options, self._reporter = options, reporter

    def plan(self, store: ResultsStore) -> Planned:
        """Raises InvalidInput for what does not fit; how the check went is told, not raised."""
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
        timeout = self._config.run.timeout
        with AskedEngine(self._cache, self._bundle.root, environment, timeout=timeout) as engine:
            models, described = describe_all(
                self._cache, engine, self._questions(model_id, choices)
            )
            targets = [self._chosen(c, t) for c, t in zip(choices, described, strict=True)]
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
                software=dict(environment.versions),
            )
            settled, spec, warnings = self._settle(job)
            return Planned(
                settled, spec, tuple(warnings), self._check(settled, spec, store, engine)
            )

    def _settle(self, job: JobPlan) -> tuple[JobPlan, Spec, list[str]]:
        if isinstance(self._spec, SimulationStudy):
            return settle_study(job, self._spec, explicit=self._targets_are_explicit())
        return settle_calibration(job, self._spec)

    def _check(
        self, job: JobPlan, spec: Spec, store: ResultsStore, engine: AskedEngine
    ) -> CheckReport | None:
        if not job.targets:
            return None
        if self._options.unchecked:
            return CheckReport(left_out=self._options.unchecked)
        self._reporter.start("check", None)
        return try_out(
            job,
            spec,
            bundle_ref=self._bundle.manifest,
            store=store,
            engine=engine.get,
            keep=self._options.keep,
            tick=lambda: self._reporter.advance(0),
        )

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
