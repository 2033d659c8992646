"""What a calibration will do, settled before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from modelops_calabaria.calibration.resolution import resolve_parameters, scenario_patches
from modelops_calabaria.calibration.settings import (
    RescoreSettings,
    Settings,
    StopRules,
    read_settings,
)
from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.errors import InvalidInput, nearest
from modelops_contracts.models import ModelDescription, TargetDescription
from modelops_contracts.study import CalibrationSpec
from modelops_contracts.types import UniqueParameterSet

__all__ = ["CalibrationPlan", "plan_calibration"]


@dataclass(frozen=True, slots=True)
class CalibrationPlan:
    """A checked calibration. ``space`` holds the free parameters in search order, ``fixed`` the
    value of every other one; ``targets`` are entrypoints and ``weights`` is keyed by them."""

    spec: CalibrationSpec
    description: ModelDescription
    target_descriptions: tuple[TargetDescription, ...]
    space: SearchSpace
    fixed: Mapping[str, Any]
    scenario: str
    config: Mapping[str, Any]
    targets: tuple[str, ...]
    weights: Mapping[str, float]
    objective_kind: str
    sampler: str
    sampler_options: Mapping[str, Any]
    seed: int
    batch_size: int
    n_replicates: int
    replicates: str
    failed_replicates: str
    crn: str
    schedule: str
    stop: StopRules
    rescore: RescoreSettings
    deterministic: bool
    warm_start: str | None
    warm_points: tuple[Mapping[str, Any], ...] = ()

    @property
    def policy(self) -> dict[str, str]:
        """How replicates become one objective, as an evaluation request carries it."""
        return {"replicates": self.replicates, "failed_replicates": self.failed_replicates}

    @property
    def max_trials(self) -> int:
        """Most parameter sets that may be evaluated, whichever rule is the tighter one."""
        return min(self.stop.max_trials, self.stop.max_iterations * self.batch_size)

    @property
    def entrypoint(self) -> str:
        """``module.Class/scenario`` of the simulations."""
        return f"{self.description.class_path.replace(':', '.')}/{self.scenario}"

    def settings(self) -> dict[str, Any]:
        """What was decided, as plain JSON for the result and its report."""
        return {
            "model": self.description.class_path,
            "scenario": self.scenario,
            "config": dict(self.config),
            "parameters": [axis.spec.to_dict() for axis in self.space.axes],
            "fixed": dict(self.fixed),
            "targets": [
                {
                    "entrypoint": target.entrypoint,
                    "name": target.name,
                    "kind": target.kind,
                    "family": target.family,
                    "weight": self.weights[target.entrypoint],
                    "n_observed": target.n_observed,
                    "coverage": target.coverage,
                }
                for target in self.target_descriptions
            ],
            "objective_kind": self.objective_kind,
            "deterministic": self.deterministic,
            "sampler": {"type": self.sampler, **self.sampler_options},
            "seed": self.seed,
            "batch_size": self.batch_size,
            "n_replicates": self.n_replicates,
            "replicates": self.replicates,
            "failed_replicates": self.failed_replicates,
            "crn": self.crn,
            "schedule": self.schedule,
            "stop": asdict(self.stop),
            "rescore": asdict(self.rescore),
            "warm_start": self.warm_start,
        }

    def complete(self, free: Mapping[str, Any]) -> UniqueParameterSet:
        """All parameters of the model, in its own order, for values of the free ones."""
        values = {**self.fixed, **free}
        return UniqueParameterSet.from_dict(
            {name: values[name] for name in self.description.parameter_names}
        )


def plan_calibration(
    spec: CalibrationSpec, description: ModelDescription, targets: Sequence[TargetDescription]
) -> CalibrationPlan:
    """Check ``spec`` against the model and its targets and settle every setting.

    ``targets`` come in the order of the calibration's target entrypoints. Raises InvalidInput
    naming what does not fit: unknown settings, parameters that are neither free, fixed nor
    defaulted, bounds outside the model's, a scenario or output the model lacks.
    """
    settings = read_settings(spec, deterministic=description.deterministic)
    patches = scenario_patches(description, spec.scenario)
    free, fixed = resolve_parameters(settings, description, patches)
    _check_config(settings.config, description)
    _check_targets(targets, description, settings)
    space = SearchSpace.of(free)
    weights = _effective_weights(spec, targets)
    return CalibrationPlan(
        spec=spec,
        description=description,
        target_descriptions=tuple(targets),
        space=space,
        fixed=fixed,
        scenario=spec.scenario,
        config=dict(settings.config),
        targets=tuple(target.entrypoint for target in targets),
        weights=weights,
        objective_kind=_objective_kind(targets, weights),
        sampler=settings.sampler,
        sampler_options=_checked_options(settings, space),
        seed=settings.seed,
        batch_size=settings.batch_size,
        n_replicates=settings.n_replicates,
        replicates=settings.replicates,
        failed_replicates=settings.failed_replicates,
        crn=settings.crn,
        schedule=settings.schedule,
        stop=settings.stop,
        rescore=settings.rescore,
        deterministic=description.deterministic,
        warm_start=settings.warm_start,
        warm_points=_warm_points(settings.warm_start, space),
    )


def _check_config(config: Mapping[str, Any], description: ModelDescription) -> None:
    for key in config:
        if key not in description.config:
            known = list(description.config)
            close = nearest(key, known) or known
            raise InvalidInput(
                f"{description.class_path} has no configuration {key!r}",
                hint=f"configurations: {', '.join(close)}" if close else "it has none",
            )


def _check_targets(
    targets: Sequence[TargetDescription], description: ModelDescription, settings: Settings
) -> None:
    if not targets:
        raise InvalidInput("a calibration needs at least one target")
    for target in targets:
        for output in target.model_outputs:
            if output not in description.outputs:
                raise InvalidInput(
                    f"target {target.name} reads output {output!r}, which "
                    f"{description.class_path} does not produce",
                    hint=f"outputs: {', '.join(description.outputs)}",
                )
    if settings.replicates != "logmeanexp" and all(t.kind == "loss" for t in targets):
        raise InvalidInput(
            f"replicates={settings.replicates!r} needs a likelihood target; all targets here "
            "are losses"
        )


def _effective_weights(
    spec: CalibrationSpec, targets: Sequence[TargetDescription]
) -> dict[str, float]:
    """The study's weight if given, else the target's own; keyed by entrypoint."""
    given = dict(spec.target_data.get("weights") or {})
    ids = list(spec.target_data.get("target_ids") or [])
    names: list[set[str]] = [{t.entrypoint, t.name} for t in targets]
    for i, target_id in enumerate(ids[: len(targets)]):
        names[i].add(target_id)
    for key, weight in given.items():
        if not any(key in known for known in names):
            known_names = sorted(set().union(*names))
            raise InvalidInput(
                f"weight for {key!r}, which is not among the targets",
                hint=f"targets: {', '.join(nearest(key, known_names) or known_names)}",
            )
        _check_weight(key, weight)
    return {
        target.entrypoint: next(
            (float(given[key]) for key in sorted(known) if key in given), float(target.weight)
        )
        for target, known in zip(targets, names, strict=True)
    }


def _objective_kind(targets: Sequence[TargetDescription], weights: Mapping[str, float]) -> str:
    """ "loglik" when only likelihoods count; a sum with a loss in it is a loss."""
    kinds = {target.kind for target in targets if weights[target.entrypoint] > 0}
    if not kinds:
        raise InvalidInput("every target has weight 0, so there is no objective")
    return "loglik" if kinds == {"loglik"} else "loss"


def _check_weight(key: str, weight: Any) -> None:
    bad = isinstance(weight, bool) or not isinstance(weight, int | float)
    if bad or not math.isfinite(weight) or weight < 0:
        raise InvalidInput(f"weight of {key}: must be a finite number >= 0, not {weight!r}")


def _checked_options(settings: Settings, space: SearchSpace) -> Mapping[str, Any]:
    options = dict(settings.sampler_options)
    if settings.sampler == "cmaes" and space.dim < 2:
        raise InvalidInput(
            "sampler cmaes needs at least two free parameters",
            hint='for a single one use tpe: engine="tpe" in Python, {"type": "tpe"} in a file',
        )
    points = options.get("points")
    if isinstance(points, Mapping):
        _check_grid_points(points, space)
    return options


def _check_grid_points(points: Mapping[str, int], space: SearchSpace) -> None:
    wrong = sorted(set(points) ^ set(space.names))
    if wrong:
        raise InvalidInput(
            f"grid points must name every free parameter and no other: {', '.join(wrong)}",
            hint=f"free parameters: {', '.join(space.names)}",
        )


def _warm_points(path: str | None, space: SearchSpace) -> tuple[Mapping[str, Any], ...]:
    """Candidates of an earlier result that lie in this space, best first."""
    if path is None:
        return ()
    from modelops_calabaria.outcome.record import read_candidates

    points = [_inside(values, space) for values in read_candidates(path)]
    usable = tuple(point for point in points if point is not None)
    if not usable:
        raise InvalidInput(
            f"warm_start {path}: none of its candidates lies in the space of this calibration"
        )
    return usable


def _inside(values: Mapping[str, Any], space: SearchSpace) -> Mapping[str, Any] | None:
    point: dict[str, Any] = {}
    for axis in space.axes:
        value = values.get(axis.name)
        if value is None or not axis.spec.lower <= value <= axis.spec.upper:
            return None
        point[axis.name] = axis.spec.normalise(value)
    return point
