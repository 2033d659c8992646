"""The specification of a calibration, as it stands in its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from modelops_contracts.errors import InvalidValue, nearest
from modelops_contracts.frozen import FrozenValue, as_names, read_only
from modelops_contracts.jobs import CalibrationJob, TargetSpec
from modelops_contracts.spec_names import import_path_of, valid_bundle_ref
from modelops_contracts.spec_rules import (
    COUNT,
    MAPPING,
    NAMES,
    NOT_NEGATIVE,
    NUMBER,
    OBJECT_ENTRYPOINT,
    POSITIVE_NUMBER,
    SCENARIO,
    SEED,
    TEXT,
    Choice,
    Each,
    Keys,
    Leaf,
    ListOf,
    Mistakes,
    Nullable,
    Refused,
    keys_of,
    ruled,
)

__all__ = ["DEFAULT_MAX_ITERATIONS", "CalibrationSpec"]

#: Batches that may be asked for when the file sets no limit: the number of trials decides.
DEFAULT_MAX_ITERATIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class _TransformRule:
    """A transform by name; upper and lower case count alike."""

    names: tuple[str, ...] = ("identity", "log", "logit")

    def check(self, value: object, path: str, mistakes: Mistakes) -> None:
        known = value.lower() if isinstance(value, str) else value
        Choice(self.names).check(known, path, mistakes)

    def schema(self) -> dict[str, Any]:
        # JSON Schema knows no flag for either case.
        either_case = ("".join(f"[{c}{c.upper()}]" for c in name) for name in self.names)
        return {"type": "string", "pattern": f"^({'|'.join(either_case)})$"}


def _is_prior(value: object) -> bool:
    return isinstance(value, str | Mapping | list | tuple) and bool(value)


_PRIOR = Leaf(
    "a prior: its name, or an object or list with name and parameters",
    _is_prior,
    {"type": ["string", "object", "array"]},
)
_PARAMETER = Keys(
    {
        "lower": NUMBER,
        "upper": NUMBER,
        "kind": Choice(("float", "int")),
        "transform": Nullable(_TransformRule()),
        "prior": Nullable(_PRIOR),
    },
    required=("lower", "upper"),
)
# The keys of a sampler belong to its engine; here only its type is known to be one.
_SAMPLER = Leaf(
    'an object with a "type"',
    lambda value: isinstance(value, Mapping) and isinstance(value.get("type"), str),
    {"type": "object", "properties": {"type": {"type": "string"}}, "required": ["type"]},
)
_RESCORE = Keys({"top_k": COUNT, "n_replicates": COUNT, "confirm": COUNT})
_ALGORITHM_CONFIG = Keys(
    {
        "parameter_specs": Each(_PARAMETER, at_least=1),
        "fixed": Each(NUMBER),
        "max_trials": COUNT,
        "batch_size": COUNT,
        "n_replicates": COUNT,
        "seed": SEED,
        "sampler": _SAMPLER,
        "replicates": TEXT,
        "failed_replicates": TEXT,
        "crn": Choice(("none", "per-replicate-index")),
        "schedule": Choice(("ordered", "async")),
        "config": Nullable(MAPPING),
        "warm_start": Nullable(TEXT),
        "rescore": _RESCORE,
        "early_stopping_patience": Nullable(COUNT),
        "simulation_entrypoint": TEXT,
        "pruner": Refused("not supported; remove it"),
    },
    required=("parameter_specs",),
)
_CONVERGENCE = Keys(
    {
        "max_loss": NUMBER,
        "patience": COUNT,
        "min_delta": NOT_NEGATIVE,
        "max_seconds": POSITIVE_NUMBER,
    }
)
_TARGET_DATA = Keys(
    {
        "observed_file": Nullable(TEXT),
        "target_entrypoints": Nullable(ListOf(OBJECT_ENTRYPOINT)),
        "target_ids": Nullable(NAMES),
        "target_set": Nullable(TEXT),
        "weights": Nullable(Each(NOT_NEGATIVE)),
    }
)


class NamedBounds(Protocol):
    """What is read of a model's parameter."""

    @property
    def name(self) -> str: ...
    @property
    def lower(self) -> float: ...
    @property
    def upper(self) -> float: ...


@dataclass(frozen=True, slots=True)
class CalibrationSpec(FrozenValue):
    """Which parameters of a model to search, against which targets, and how.

    The constructor takes anything; :meth:`validate` and :meth:`from_dict` say what cannot be run.
    """

    model: str = field(metadata=ruled(TEXT, "module of the model, or its id", required=True))
    scenario: str = field(metadata=ruled(SCENARIO, "scenario to calibrate", required=True))
    algorithm: str = field(metadata=ruled(TEXT, "name of the algorithm", required=True))
    target_data: Mapping[str, Any] = field(
        hash=False, metadata=ruled(_TARGET_DATA, "targets and observations", required=True)
    )
    max_iterations: int = field(
        default=DEFAULT_MAX_ITERATIONS, metadata=ruled(COUNT, "batches that may be asked for")
    )
    convergence_criteria: Mapping[str, Any] = field(
        default_factory=dict, hash=False, metadata=ruled(_CONVERGENCE, "when to stop early")
    )
    algorithm_config: Mapping[str, Any] = field(
        default_factory=dict,
        hash=False,
        metadata=ruled(_ALGORITHM_CONFIG, "search space and settings", required=True),
    )
    outputs: tuple[str, ...] | None = field(
        default=None, metadata=ruled(Nullable(NAMES), "outputs to keep; null: what targets need")
    )
    metadata: Mapping[str, Any] = field(
        default_factory=dict, hash=False, metadata=ruled(MAPPING, "anything else worth keeping")
    )

    def __post_init__(self) -> None:
        for name in ("target_data", "convergence_criteria", "algorithm_config", "metadata"):
            object.__setattr__(self, name, read_only(getattr(self, name) or {}))
        if self.outputs is not None:
            object.__setattr__(self, "outputs", as_names(self.outputs, "outputs"))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> CalibrationSpec:
        """From the content of a file. Raises InvalidInput with every mistake and its path."""
        mistakes = Mistakes()
        _check_content(data, mistakes)
        mistakes.raise_if_any("calibration", kind=InvalidValue)
        return cls(**{name: data[name] for name in _CALIBRATION.rules if name in data})

    def to_dict(self) -> dict[str, Any]:
        """The content of the file, in the order people read it."""
        return {
            "model": self.model,
            "scenario": self.scenario,
            "algorithm": self.algorithm,
            "target_data": dict(self.target_data),
            "max_iterations": self.max_iterations,
            "convergence_criteria": dict(self.convergence_criteria),
            "algorithm_config": dict(self.algorithm_config),
            "outputs": None if self.outputs is None else list(self.outputs),
            "metadata": dict(self.metadata),
        }

    def import_path(self) -> str:
        """``module.Class`` when the metadata or the configuration names the class, else the model.

        A ``simulation_entrypoint`` may also be written ``module.Class/scenario``.
        """
        named = self.metadata.get("model_class")
        entrypoint = str(self.algorithm_config.get("simulation_entrypoint") or "")
        return import_path_of(str(named or _without_scenario(entrypoint)[0] or self.model))

    def validate(self, space: Iterable[NamedBounds] | None = None) -> None:
        """Raise InvalidInput (a ValueError) with every mistake; with ``space`` also against the
        model's parameters, whose bounds may be narrowed and never widened."""
        mistakes = Mistakes()
        _check_content(self.to_dict(), mistakes)
        if space is not None and not mistakes:
            _check_space(self.algorithm_config, {spec.name: spec for spec in space}, mistakes)
        mistakes.raise_if_any("calibration", kind=InvalidValue)

    def to_job(self, bundle_ref: str, job_id: str | None = None) -> CalibrationJob:
        """The calibration bound to a bundle. Raises ValueError for a malformed ``bundle_ref``."""
        return CalibrationJob(
            job_id=job_id or f"calib-{os.urandom(4).hex()}",
            bundle_ref=valid_bundle_ref(bundle_ref),
            algorithm=self.algorithm,
            target_spec=TargetSpec(
                data=self.target_data,
                loss_function="default",
                weights=self.target_data.get("weights"),
                metadata=self.metadata,
            ),
            max_iterations=self.max_iterations,
            convergence_criteria=self.convergence_criteria,
            algorithm_config={
                **self.algorithm_config,
                "model": self.model,
                "scenario": self.scenario,
            },
        )


_CALIBRATION = keys_of(CalibrationSpec)


def _check_content(data: Mapping[str, Any], mistakes: Mistakes) -> None:
    _CALIBRATION.check(data, "$", mistakes)
    if mistakes:
        return
    targets = data["target_data"]
    if not targets.get("target_entrypoints") and not targets.get("target_ids"):
        mistakes.add("$.target_data", "needs target_entrypoints or target_ids")
    config = data["algorithm_config"]
    _check_bounds(config["parameter_specs"], mistakes)
    for name in config.get("fixed", {}):
        if name in config["parameter_specs"]:
            mistakes.add(f"{_CONFIG}.fixed.{name}", "is also a parameter to calibrate")
    _check_scenarios(data["scenario"], config.get("simulation_entrypoint", ""), mistakes)


_CONFIG = "$.algorithm_config"


def _check_bounds(specs: Mapping[str, Mapping[str, Any]], mistakes: Mistakes) -> None:
    for name, spec in specs.items():
        path = f"{_CONFIG}.parameter_specs.{name}"
        lower, upper = spec["lower"], spec["upper"]
        if lower > upper:
            mistakes.add(path, f"lower {lower} > upper {upper}")
        if spec.get("kind") == "int" and (lower != int(lower) or upper != int(upper)):
            mistakes.add(path, f"kind int needs whole bounds, not {lower} and {upper}")


def _check_scenarios(scenario: str, entrypoint: str, mistakes: Mistakes) -> None:
    named = _without_scenario(entrypoint)[1]
    if named and named != scenario:
        mistakes.add(
            f"{_CONFIG}.simulation_entrypoint",
            f"names scenario {named!r}, but the calibration is of scenario {scenario!r}",
        )


def _without_scenario(entrypoint: str) -> tuple[str, str]:
    """(reference, scenario or ""): a slash before a colon belongs to a file path."""
    if ":" in entrypoint or entrypoint.endswith(".py"):
        return entrypoint, ""
    reference, _, scenario = entrypoint.partition("/")
    return reference, scenario


def _check_space(
    config: Mapping[str, Any], space: Mapping[str, NamedBounds], mistakes: Mistakes
) -> None:
    for name, spec in config["parameter_specs"].items():
        path = f"{_CONFIG}.parameter_specs.{name}"
        _check_within(name, (spec["lower"], spec["upper"]), path, space, mistakes)
    for name, value in config.get("fixed", {}).items():
        _check_within(name, (value, value), f"{_CONFIG}.fixed.{name}", space, mistakes)


def _check_within(
    name: str,
    wanted: tuple[float, float],
    path: str,
    space: Mapping[str, NamedBounds],
    mistakes: Mistakes,
) -> None:
    if name not in space:
        close = nearest(name, space, n=1)
        meant = f"; did you mean {close[0]!r}?" if close else ""
        mistakes.add(path, f"the model has no parameter {name!r}{meant}")
        return
    lower, upper = space[name].lower, space[name].upper
    if wanted[0] < lower or wanted[1] > upper:
        given = wanted[0] if wanted[0] == wanted[1] else list(wanted)
        mistakes.add(path, f"{given} is outside bounds of the model, [{lower}, {upper}]")
