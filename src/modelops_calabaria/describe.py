"""What a model and a target say about themselves, as values other processes can read."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.parameters.named import did_you_mean
from modelops_calabaria.scenarios import ScenarioSpec
from modelops_contracts.digests import file_sha256
from modelops_contracts.errors import InvalidInput, InvalidType, InvalidValue
from modelops_contracts.models import ModelDescription, TargetDescription

__all__ = ["describe_model", "describe_target", "is_inside_a_function", "model_digest"]


def describe_model(
    model: type[BaseModel] | BaseModel, *, address: str | None = None
) -> ModelDescription:
    """The description of a model class (or instance).

    ``address`` is what it is called instead of ``module:Class``: nobody is going to import it.

    Making one instance is part of it, so a scenario with a typo, an abstract class, or a
    constructor that needs arguments is an error here and not on a worker.
    """
    cls = model if isinstance(model, type) else type(model)
    if not issubclass(cls, BaseModel):
        raise InvalidType(
            f"{cls.__module__}.{cls.__name__} is not a model",
            hint="a model derives from modelops_calabaria.BaseModel",
        )
    instance = make_instance(cls) if isinstance(model, type) else model
    scenarios = {name: instance.get_scenario(name) for name in instance.list_scenarios()}
    for scenario in scenarios.values():
        _check_scenario(instance, scenario)
    config = () if instance.config_space is None else instance.config_space
    return ModelDescription(
        class_path=address or class_path(cls),
        model_digest=model_digest(cls),
        parameters=tuple(instance.space.to_dict()["parameters"]),
        scenarios={name: _patches(scenario) for name, scenario in scenarios.items()},
        outputs=tuple(instance.list_outputs()),
        config={spec.name: repr(spec.default) for spec in config},
        deterministic=bool(cls.DETERMINISTIC),
        doc=_own_doc(cls),
    )


def make_instance(cls: type[BaseModel]) -> BaseModel:
    """An instance, made without arguments. Raises TypeError naming what is missing."""
    if inspect.isabstract(cls):
        missing = ", ".join(sorted(cls.__abstractmethods__))
        raise InvalidType(
            f"Can't instantiate abstract class {cls.__name__}: {missing} not implemented",
            hint="name a class that implements them",
        )
    try:
        return cls()
    except TypeError as error:
        needed = _needed_arguments(cls)
        if not needed:
            raise
        raise InvalidType(
            f"{cls.__name__} cannot be made without arguments: {', '.join(needed)}",
            hint="give them defaults, or move them to PARAMS or CONFIG",
        ) from error


def _needed_arguments(cls: type[BaseModel]) -> list[str]:
    _self, *parameters = inspect.signature(cls.__init__).parameters.values()
    several = {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}
    return [p.name for p in parameters if p.default is p.empty and p.kind not in several]


def class_path(cls: type) -> str:
    """``module:Class``; classes inside functions cannot be found again."""
    if is_inside_a_function(cls):
        raise InvalidInput(
            f"{cls.__qualname__} is defined inside a function and cannot be imported",
            hint="move it to the top of a module",
        )
    return f"{cls.__module__}:{cls.__qualname__}"


def is_inside_a_function(cls: type) -> bool:
    """Such a class can be used where it is, and found by nobody else."""
    return "<locals>" in cls.__qualname__


def model_digest(cls: type) -> str:
    """``sha256:<hex>`` of the file the class is written in; "" for one typed at a prompt."""
    source = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return file_sha256(source) if source and Path(source).is_file() else ""


def _own_doc(cls: type) -> str:
    doc = cls.__dict__.get("__doc__")
    return inspect.cleandoc(doc) if doc else ""


def _check_scenario(model: BaseModel, scenario: ScenarioSpec) -> None:
    for name, value in scenario.param_patches.items():
        if name not in model.space:
            hint = did_you_mean(name, model.space.names())
            raise InvalidValue(
                f"scenario '{scenario.name}' patches unknown parameter: {name}", hint=hint
            )
        try:
            model.space.get_spec(name).checked(value)
        except (ValueError, TypeError) as error:
            raise InvalidValue(
                f"scenario '{scenario.name}' has an invalid value for {name}: {error}"
            ) from error
    known = [] if model.config_space is None else model.config_space.names()
    for name in scenario.config_patches:
        if name not in known:
            raise InvalidValue(
                f"scenario '{scenario.name}' patches unknown configuration: {name}",
                hint=did_you_mean(name, known),
            )


def _patches(scenario: ScenarioSpec) -> dict[str, Any]:
    return {
        "doc": scenario.doc,
        "param_patches": dict(scenario.param_patches),
        "config_patches": {name: str(value) for name, value in scenario.config_patches.items()},
    }


# ---------------------------------------------------------------- targets


def describe_target(
    source: object, entrypoint: str | None = None, *, model_output: str | None = None
) -> TargetDescription:
    """The description of a target: a target object, or the function that makes it.

    ``model_output`` is what a registry says of a function of the older form. The observed data are
    read, so a missing file or column is an error here.
    """
    from modelops_calabaria.targets import make_target

    target = make_target(source, entrypoint, model_output=model_output)
    evaluator = getattr(target, "evaluator", None)
    outputs = _as_names(getattr(target, "model_output", ()))
    return TargetDescription(
        entrypoint=entrypoint or _function_path(source, target),
        name=str(getattr(target, "name", None) or getattr(source, "__name__", "target")),
        model_outputs=outputs,
        kind=_kind(target),
        weight=float(getattr(target, "weight", 1.0)),
        columns=_as_names(getattr(evaluator, "columns", None) or ()),
        n_observed=int(getattr(target, "n_observed", 0)),
        coverage=str(getattr(target, "coverage", "")),
        data=_data_files(source),
        family=str(getattr(evaluator, "label", None) or ""),
    )


def _as_names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _kind(target: object) -> str:
    kind = getattr(target, "kind", None)
    return kind if kind in {"loss", "loglik"} else "loss"


def _data_files(source: object) -> tuple[str, ...]:
    metadata = getattr(source, "_target_metadata", None) or {}
    data: Mapping[str, object] = metadata.get("data") or {}
    return tuple(str(path) for path in data.values())


def _function_path(source: object, target: object) -> str:
    function = source if callable(source) else target
    module = getattr(function, "__module__", "target")
    return f"{module}:{getattr(function, '__qualname__', type(function).__name__)}"
