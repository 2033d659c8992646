"""What the notebook's functions take, turned into what the calibration works with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.calibration.builders import Bounds
from modelops_calabaria.calibration.identity import class_digest
from modelops_calabaria.describe import describe_model, describe_target, is_inside_a_function
from modelops_calabaria.targets import resolve_targets
from modelops_contracts.errors import InvalidInput, InvalidType
from modelops_contracts.models import ModelDescription, TargetDescription
from modelops_contracts.ports import NullReporter, Reporter, SimulationService

__all__ = [
    "Described",
    "ModelLike",
    "check_service",
    "code_digest",
    "describe_object",
    "describe_targets",
    "given_settings",
    "instance_of",
    "reporter_of",
    "search_bounds",
]

ModelLike = type[BaseModel] | BaseModel | str
Described = tuple[Any, TargetDescription]
_REPORTS = ("start", "advance", "note", "warn", "finish")


def reporter_of(progress: object) -> Reporter:
    """Where progress is told. Raises InvalidType for what cannot be told anything."""
    if progress is None:
        return NullReporter()
    missing = [name for name in _REPORTS if not callable(getattr(progress, name, None))]
    if missing:
        raise InvalidType(
            f"progress must be a Reporter, with {', '.join(_REPORTS)}; "
            f"{progress!r} lacks {', '.join(missing)}",
            hint="leave it out, or derive from modelops_contracts.ports.NullReporter",
        )
    return progress  # type: ignore[return-value]


def check_service(service: object) -> None:
    if service is not None and not isinstance(service, SimulationService):
        raise InvalidType(
            f"service must be a SimulationService, not {type(service).__name__}",
            hint="leave it out to run in this process",
        )


def instance_of(model: ModelLike) -> BaseModel:
    if isinstance(model, str):
        from modelops_calabaria.wire_loader import load_symbol

        return instance_of(load_symbol(model))
    if isinstance(model, BaseModel):
        return model
    if not isinstance(model, type):
        raise InvalidType(f"a model is a class, an instance or 'module:Class', not {model!r}")
    describe_object(model)  # says what is missing in words
    return model()


def describe_object(model: type[BaseModel] | BaseModel) -> ModelDescription:
    """A class given as an object is used as it is, whether or not anybody could import it."""
    cls = model if isinstance(model, type) else type(model)
    hidden = is_inside_a_function(cls)
    return describe_model(model, address=f"in_memory:{cls.__name__}" if hidden else None)


def code_digest(model: BaseModel, description: ModelDescription) -> str:
    """Of the file; of the class itself where no file tells one version from the next."""
    cls = type(model)
    if is_inside_a_function(cls) or not description.model_digest:
        return class_digest(cls)
    return description.model_digest


def describe_targets(targets: object) -> list[Described]:
    """(target, description) pairs; objects without an address get one that nothing imports."""
    items = _as_items(targets)
    if not items:
        raise InvalidInput("at least one target is needed")
    described: list[Described] = []
    for item in items:
        for target in resolve_targets([item]):
            reference = item if isinstance(item, str) else f"in_memory:{_identifier(target)}"
            described.append((target, describe_target(target, reference)))
    return described


def _as_items(targets: object) -> list[object]:
    if isinstance(targets, list | tuple):
        return list(targets)
    return [targets]


def _identifier(target: Any) -> str:
    text = re.sub(r"\W", "_", str(getattr(target, "name", "target")))
    return text if text.isidentifier() else f"t_{text}"


def search_bounds(
    description: ModelDescription,
    parameters: Mapping[str, Bounds] | Sequence[str] | None,
    fixed: Mapping[str, float],
) -> dict[str, Bounds]:
    if isinstance(parameters, Mapping):
        return dict(parameters)
    if isinstance(parameters, str):
        raise InvalidInput(f"parameters must be a mapping or a list of names, not {parameters!r}")
    names = parameters
    if names is None:
        names = [n for n in description.parameter_names if n not in fixed]
    declared = {name: description.parameter(name) for name in names}
    unknown = [name for name, spec in declared.items() if spec is None]
    if unknown:
        raise InvalidInput(
            f"the model has no parameter {', '.join(unknown)}",
            hint=f"parameters: {', '.join(description.parameter_names)}",
        )
    return {n: (spec["lower"], spec["upper"]) for n, spec in declared.items() if spec is not None}


def given_settings(
    *, crn: str, replicates: str | None, rescore: Mapping[str, int] | None
) -> dict[str, Any]:
    """Those settings of ``algorithm_config`` that have no argument of their own."""
    said = {"crn": crn, "replicates": replicates, "rescore": dict(rescore) if rescore else None}
    return {key: value for key, value in said.items() if value is not None}
