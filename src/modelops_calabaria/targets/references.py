"""Targets from what names or makes them: references, functions, objects, sets."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from modelops_calabaria.decorators import is_plain_function, locate_data
from modelops_calabaria.evaluation.plain_function import FunctionTarget
from modelops_calabaria.targets.sets import LikelihoodTargetSet, LossTargetSet
from modelops_contracts.errors import InvalidType, NotFound

__all__ = ["is_target", "load_target", "make_target", "resolve_targets"]


def load_target(reference: str) -> Any:
    """The target object that ``module:function`` or ``path/file.py:function`` makes.

    Name and weight given to the decorator win over those of the object. Raises NotFound or
    ImportError for the reference, InvalidType when what it makes is no target.
    """
    from modelops_calabaria.wire_loader import load_symbol

    return make_target(load_symbol(reference), reference)


def make_target(
    source: object, reference: str | None = None, *, model_output: str | None = None
) -> Any:
    """A target from a target object, a decorated function, or a function without arguments.

    A function of two arguments is of the older form (``evaluation/plain_function.py``);
    ``model_output`` is what a registry says it reads, used where its decorator says nothing.
    """
    if is_target(source):
        return source
    label = str(reference or getattr(source, "__name__", repr(source)))
    if is_plain_function(source):
        return _plain_target(source, model_output)
    if not callable(source):
        raise InvalidType(
            f"{label} is a {type(source).__name__}, not a target",
            hint="decorate a function with @calibration_target that returns a target",
        )
    made = _call(source, label)
    if not is_target(made):
        raise InvalidType(
            f"{label} returned a {type(made).__name__}, not a target",
            hint="return a LossTarget or LikelihoodTarget (model_output and evaluate)",
        )
    metadata = getattr(source, "_target_metadata", None) or {}
    return _decorated(made, metadata)


def _plain_target(source: Any, model_output: str | None) -> FunctionTarget:
    metadata = getattr(source, "_target_metadata", None) or {}
    output = metadata.get("model_output") or model_output
    return FunctionTarget(
        name=str(metadata.get("name") or source.__name__),
        function=getattr(source, "_original_func", source),
        outputs=() if not output else (output,) if isinstance(output, str) else tuple(output),
        target_data=locate_data(source) if metadata.get("data") else None,
        weight=float(metadata.get("weight", 1.0)),
    )


def is_target(value: object) -> bool:
    """Whether a value can be evaluated as a target."""
    return hasattr(value, "model_output") and callable(getattr(value, "evaluate", None))


def _call(source: Callable[..., object], label: str) -> object:
    try:
        needed = [
            name
            for name, parameter in inspect.signature(source).parameters.items()
            if parameter.default is parameter.empty
            and parameter.kind not in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}
        ]
    except ValueError:
        needed = []
    if needed and not hasattr(source, "_original_func"):
        raise NotFound(
            f"{label} needs arguments ({', '.join(needed)}), so it is no target by itself",
            hint="decorate it with @calibration_target(model_output=..., data={...})",
        )
    return source()


def _decorated(target: Any, metadata: Mapping[str, Any]) -> Any:
    name, weight = metadata.get("name"), metadata.get("weight")
    if name and name != getattr(target, "name", None) and hasattr(target, "renamed"):
        target = target.renamed(str(name))
    if weight is not None and hasattr(target, "reweighted"):
        target = target.reweighted(float(weight))
    return target


def resolve_targets(items: Iterable[object]) -> list[Any]:
    """Targets from references, objects, decorated functions and sets, in order, names distinct."""
    found: list[Any] = []
    for item in items:
        if isinstance(item, LossTargetSet | LikelihoodTargetSet):
            found += item.targets
        else:
            found.append(load_target(item) if isinstance(item, str) else make_target(item))
    return found
