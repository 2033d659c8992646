"""Making calibration files: one function for the console, and the builders of existing scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from modelops_calabaria.calibration.plan import plan_calibration
from modelops_calabaria.calibration.settings import SAMPLERS
from modelops_contracts.errors import InvalidInput, InvalidValue, nearest
from modelops_contracts.models import ModelDescription, TargetDescription
from modelops_contracts.study import CalibrationSpec, write_spec

__all__ = [
    "CalibrationSpecBuilder",
    "OptunaCalibrationBuilder",
    "build_calibration",
    "default_sampler",
]

DEFAULT_MAX_ITERATIONS = 1_000_000
Bounds = tuple[float, float] | tuple[float, float, str | None]


def default_sampler(description: ModelDescription, free: Sequence[str]) -> str:
    """The engine used when nobody names one: cmaes where the objective is exact and has at least
    two continuous parameters, else tpe, which bears noise."""
    floats = [
        name for name in free if (description.parameter(name) or {}).get("kind", "float") == "float"
    ]
    return "cmaes" if description.deterministic and len(floats) >= 2 else "tpe"


def build_calibration(
    description: ModelDescription,
    targets: Sequence[tuple[str, TargetDescription]],
    *,
    parameters: Mapping[str, Bounds],
    fixed: Mapping[str, float] | None = None,
    scenario: str = "baseline",
    observed_file: str | None = None,
    max_trials: int = 100,
    batch_size: int = 4,
    n_replicates: int = 3,
    sampler: str | None = None,
    n_startup_trials: int | None = None,
    seed: int = 0,
    target_set: str | None = None,
    weights: Mapping[str, float] | None = None,
    name: str | None = None,
    max_iterations: int = DEFAULT_MAX_ITERATIONS,
    config: Mapping[str, Any] | None = None,
    convergence_criteria: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
    created_by: str = "cb calibration optuna",
) -> CalibrationSpec:
    """A calibration file's content, checked against the model and its targets.

    ``targets`` are (id, description); ``parameters`` maps a name to (lower, upper) or (lower,
    upper, transform). ``sampler`` None takes :func:`default_sampler`, and the choice is written
    down. ``extra`` holds further keys of ``algorithm_config``. Raises InvalidInput for whatever
    :func:`~modelops_calabaria.calibration.plan.plan_calibration` refuses.
    """
    chosen = sampler or default_sampler(description, list(parameters))
    spec = CalibrationSpec(
        model=description.class_path.partition(":")[0],
        scenario=scenario,
        algorithm="optuna",
        target_data=_target_data(observed_file, targets, weights),
        max_iterations=max_iterations,
        convergence_criteria=dict(convergence_criteria or {}),
        algorithm_config={
            "max_trials": max_trials,
            "batch_size": batch_size,
            "n_replicates": n_replicates,
            "seed": seed,
            "parameter_specs": {
                key: _parameter_spec(description, key, bounds) for key, bounds in parameters.items()
            },
            "fixed": dict(fixed or {}),
            "sampler": _sampler_data(chosen, n_startup_trials),
            "config": dict(config or {}),
            "simulation_entrypoint": description.class_path,
            **(extra or {}),
        },
        metadata=_metadata(description, targets, len(parameters), created_by, name, target_set),
    )
    plan_calibration(spec, description, [target for _, target in targets])
    return spec


def _metadata(
    description: ModelDescription,
    targets: Sequence[tuple[str, TargetDescription]],
    n_parameters: int,
    created_by: str,
    name: str | None,
    target_set: str | None,
) -> dict[str, Any]:
    return {
        "model_class": description.class_path,
        "n_parameters": n_parameters,
        "created_by": created_by,
        "name": name or "calibration",
        "target_set": target_set,
        "target_ids": [target_id for target_id, _ in targets],
    }


def _target_data(
    observed_file: str | None,
    targets: Sequence[tuple[str, TargetDescription]],
    weights: Mapping[str, float] | None,
) -> dict[str, Any]:
    return {
        "observed_file": observed_file,
        "target_entrypoints": [target.entrypoint for _, target in targets],
        "target_ids": [target_id for target_id, _ in targets],
        "weights": dict(weights or {}),
    }


def _parameter_spec(description: ModelDescription, name: str, bounds: Bounds) -> dict[str, Any]:
    given: object = bounds
    if not isinstance(given, tuple | list) or len(given) not in {2, 3}:
        raise InvalidInput(
            f"{name}: bounds are (lower, upper) or (lower, upper, transform), not {given!r}"
        )
    lower, upper, *rest = bounds
    data: dict[str, Any] = {"lower": lower, "upper": upper}
    declared = description.parameter(name) or {}
    if declared.get("kind") == "int":
        data = {key: _as_whole(value) for key, value in data.items()}
        data["kind"] = "int"
    if rest and rest[0]:
        data["transform"] = rest[0]
    return data


def _as_whole(value: float) -> float:
    return int(value) if value == int(value) else value


def _sampler_data(name: str, n_startup_trials: int | None) -> dict[str, Any]:
    data: dict[str, Any] = {"type": name}
    if n_startup_trials is not None:
        if "n_startup_trials" not in SAMPLERS.get(name, ()):
            raise InvalidInput(
                f"n_startup_trials means nothing to sampler {name}",
                hint="leave it out, or use sampler tpe",
            )
        data["n_startup_trials"] = n_startup_trials
    return data


# ---------------------------------------------------------------- builders of existing scripts


class CalibrationSpecBuilder:
    """Collects the parts of a calibration file; every setter returns the builder.

    ``model`` is a class or a reference ``module:Class``.
    """

    def __init__(
        self, model: type | str, scenario: str = "baseline", algorithm: str = "optuna"
    ) -> None:
        self._reference = _reference_of(model)
        self._scenario, self._algorithm = scenario, algorithm
        self._target_data: dict[str, Any] = {}
        self._max_iterations = 100
        self._outputs: list[str] | None = None
        self._metadata: dict[str, Any] = {}
        self._config: dict[str, Any] = {}
        self._criteria: dict[str, Any] = {}

    def set_targets(
        self,
        targets: Sequence[str],
        target_ids: Sequence[str] | None = None,
        target_set: str | None = None,
        *,
        weights: Mapping[str, float] | None = None,
    ) -> Self:
        """Entrypoints of the targets, optionally with their registered ids and weights."""
        if isinstance(targets, str):
            raise InvalidValue(f"targets must be a list of entrypoints, not {targets!r}")
        self._target_data["target_entrypoints"] = list(targets)
        if target_ids is not None:
            self._target_data["target_ids"] = list(target_ids)
        if weights is not None:
            self._target_data["weights"] = dict(weights)
        self._metadata.update(target_set=target_set, target_ids=list(target_ids or ()))
        return self

    def set_observed_data(self, path: str | Path) -> Self:
        self._target_data["observed_file"] = str(path)
        return self

    def set_max_iterations(self, max_iterations: int) -> Self:
        self._max_iterations = max_iterations
        return self

    def set_outputs(self, outputs: Sequence[str]) -> Self:
        self._outputs = list(outputs)
        return self

    def add_metadata(self, key: str, value: Any) -> Self:
        self._metadata[key] = value
        return self

    def build(self) -> CalibrationSpec:
        """The specification. Raises ValueError when targets or observed data are missing."""
        if not self._target_data.get("target_entrypoints"):
            raise InvalidValue("no targets: call set_targets first")
        if not self._target_data.get("observed_file"):
            raise InvalidValue("no observed data: call set_observed_data first")
        return CalibrationSpec(
            model=self._reference.partition(":")[0],
            scenario=self._scenario,
            algorithm=self._algorithm,
            target_data=self._target_data,
            max_iterations=self._max_iterations,
            convergence_criteria=self._criteria,
            algorithm_config=self._config,
            outputs=None if self._outputs is None else tuple(self._outputs),
            metadata={"model_class": self._reference, **self._metadata},
        )

    def save(self, path: str | Path) -> Path:
        """Build, check and write the file, whole or not at all."""
        spec = self.build()
        spec.validate()
        target = Path(path)
        write_spec(spec, target)
        return target


class OptunaCalibrationBuilder(CalibrationSpecBuilder):
    """A builder that knows the settings of our engines."""

    def __init__(self, model: type | str, scenario: str = "baseline") -> None:
        super().__init__(model, scenario, "optuna")
        self._config = {
            "max_trials": 100,
            "batch_size": 4,
            "n_replicates": 3,
            "sampler": {"type": "tpe"},
            "parameter_specs": {},
            "simulation_entrypoint": self._reference,
        }

    def add_parameter(
        self, name: str, lower: float, upper: float, transform: str | None = None
    ) -> Self:
        """A parameter to search between two bounds, in the coordinates of a transform."""
        spec: dict[str, Any] = {"lower": lower, "upper": upper}
        if transform is not None:
            spec["transform"] = transform
        self._config["parameter_specs"][name] = spec
        return self

    def fix(self, **values: float) -> Self:
        """Values of parameters that are not searched."""
        self._config.setdefault("fixed", {}).update(values)
        return self

    def set_max_trials(self, max_trials: int) -> Self:
        self._config["max_trials"] = max_trials
        return self

    def set_batch_size(self, batch_size: int) -> Self:
        self._config["batch_size"] = batch_size
        return self

    def set_n_replicates(self, n_replicates: int) -> Self:
        self._config["n_replicates"] = n_replicates
        return self

    def set_seed(self, seed: int) -> Self:
        self._config["seed"] = seed
        return self

    def set_sampler(
        self,
        type: str,  # noqa: A002
        n_startup_trials: int | None = None,
        **options: Any,
    ) -> Self:
        """The engine and its settings. Raises ValueError for one there is not."""
        if type not in SAMPLERS:
            close = nearest(type, SAMPLERS, n=1)
            raise InvalidValue(
                f"unknown sampler {type!r}; known: {', '.join(SAMPLERS)}",
                hint=f"did you mean {close[0]}?" if close else None,
            )
        self._config["sampler"] = {**_sampler_data(type, n_startup_trials), **options}
        return self

    def set_pruner(self, *_args: Any, **_options: Any) -> Self:
        """Refused: an evaluation has no intermediate values by which to prune it."""
        raise InvalidValue("pruner: not supported; remove it")

    def set_convergence(self, **criteria: float) -> Self:
        """max_loss, patience, min_delta, max_seconds."""
        self._criteria.update(criteria)
        return self

    def set_rescore(self, **settings: int) -> Self:
        """top_k, n_replicates, confirm."""
        self._config.setdefault("rescore", {}).update(settings)
        return self

    def build(self) -> CalibrationSpec:
        """The specification. Raises ValueError when parameters, targets or data are missing."""
        if not self._config["parameter_specs"]:
            raise InvalidValue("no parameters: call add_parameter first")
        self._metadata["n_parameters"] = len(self._config["parameter_specs"])
        return super().build()


def _reference_of(model: type | str) -> str:
    if isinstance(model, str):
        return model
    return f"{model.__module__}:{model.__qualname__}"
