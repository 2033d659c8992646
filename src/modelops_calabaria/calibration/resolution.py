"""Every parameter of a model, resolved once: free, fixed, or at its default."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from modelops_calabaria.calibration.settings import Settings
from modelops_calabaria.parameters.priors import Prior
from modelops_calabaria.parameters.transforms import resolve_transform
from modelops_calabaria.parameters.types import ParameterSpace, ParameterSpec
from modelops_calabaria.sampling.study import space_from_description
from modelops_contracts.errors import Detail, InvalidInput, nearest
from modelops_contracts.models import ModelDescription

__all__ = ["resolve_parameters", "scenario_patches"]


def scenario_patches(description: ModelDescription, scenario: str) -> Mapping[str, Any]:
    known = description.scenarios
    if scenario not in known:
        close = nearest(scenario, known)
        raise InvalidInput(
            f"{description.class_path} has no scenario {scenario!r}",
            hint=f"did you mean {close[0]}?" if close else f"scenarios: {', '.join(sorted(known))}",
        )
    patches = known[scenario].get("param_patches", {})
    assert isinstance(patches, Mapping)
    return patches


def resolve_parameters(
    settings: Settings, description: ModelDescription, patches: Mapping[str, Any]
) -> tuple[list[ParameterSpec], dict[str, Any]]:
    space = space_from_description(description)
    mistakes = [
        *_unknown_names(settings.parameter_specs, space, "parameter_specs"),
        *_unknown_names(settings.fixed, space, "fixed"),
        *_clashes(settings, patches),
    ]
    free: list[ParameterSpec] = []
    fixed: dict[str, Any] = {}
    missing: list[str] = []
    for declared in space:
        try:
            _place(declared, settings, patches, free, fixed, missing)
        except (InvalidInput, ValueError, TypeError) as error:
            told = _with_hint(declared.name, error)
            mistakes.append(Detail(f"$.algorithm_config.*.{declared.name}", told))
    if missing:
        mistakes.append(Detail("$.algorithm_config.fixed", _missing_text(missing)))
    if not mistakes and not free:
        mistakes.append(Detail("$.algorithm_config.parameter_specs", "no free parameter"))
    if mistakes:
        raise InvalidInput("; ".join(m.message for m in mistakes), details=mistakes)
    return free, fixed


def _with_hint(name: str, error: Exception) -> str:
    text = str(error) if name in str(error) else f"parameter {name}: {error}"
    hint = getattr(error, "hint", None)
    return f"{text}; {hint}" if hint else text


def _missing_text(names: Sequence[str]) -> str:
    verb = "is" if len(names) == 1 else "are"
    example = ", ".join(f'"{name}": ...' for name in names)
    return (
        f"{', '.join(names)} {verb} neither free nor fixed and "
        f"{'has' if len(names) == 1 else 'have'} no default; add fixed={{{example}}}"
    )


def _place(
    declared: ParameterSpec,
    settings: Settings,
    patches: Mapping[str, Any],
    free: list[ParameterSpec],
    fixed: dict[str, Any],
    missing: list[str],
) -> None:
    name = declared.name
    if name in settings.parameter_specs:
        spec = _narrowed(declared, settings.parameter_specs[name])
        if spec.is_constant:
            fixed[name] = spec.normalise(spec.lower)
        else:
            free.append(spec)
        return
    given = [declared.checked(source[name]) for source in (settings.fixed, patches)
             if name in source]  # fmt: skip
    if given:
        if given[0] != given[-1]:
            raise InvalidInput(
                f"{name} is fixed at {given[0]}, but the scenario sets it to {given[-1]}; "
                "leave it out of fixed"
            )
        fixed[name] = given[0]
        return
    if declared.default is None:
        missing.append(name)
    else:
        fixed[name] = declared.normalise(declared.default)


def _narrowed(declared: ParameterSpec, wish: Mapping[str, Any]) -> ParameterSpec:
    _check_wish(declared, wish)
    spec = declared.narrowed(wish["lower"], wish["upper"])
    if wish.get("transform") is not None:
        spec = replace(spec, transform=resolve_transform(wish["transform"]))
    if wish.get("prior") is not None:
        spec = replace(spec, prior=Prior.from_data(wish["prior"]))
    return spec


def _check_wish(declared: ParameterSpec, wish: Mapping[str, Any]) -> None:
    known = ("lower", "upper", "kind", "transform", "prior")
    if not isinstance(wish, Mapping):
        raise InvalidInput(f"{declared.name}: must be an object with lower and upper")
    for key in wish:
        if key not in known:
            close = nearest(key, known, n=1)
            raise InvalidInput(
                f"{declared.name}: unknown key {key!r}"
                + (f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}")
            )
    for key in ("lower", "upper"):
        value = wish.get(key)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            raise InvalidInput(f"{declared.name}: {key} must be a finite number, not {value!r}")
    if wish.get("kind", declared.kind) != declared.kind:
        raise InvalidInput(
            f"{declared.name}: kind {wish['kind']!r}, but the model declares {declared.kind!r}"
        )


def _unknown_names(names: Iterable[str], space: ParameterSpace, where: str) -> list[Detail]:
    known = list(space.names())
    return [
        Detail(
            f"$.algorithm_config.{where}.{name}",
            f"the model has no parameter {name!r}; "
            f"did you mean {', '.join(nearest(name, known) or known)}?",
        )
        for name in names
        if name not in known
    ]


def _clashes(settings: Settings, patches: Mapping[str, Any]) -> list[Detail]:
    path = "$.algorithm_config.parameter_specs"
    both = [name for name in settings.parameter_specs if name in settings.fixed]
    patched = [name for name in settings.parameter_specs if name in patches]
    return [
        *(Detail(f"{path}.{name}", f"{name} is both free and fixed") for name in both),
        *(
            Detail(
                f"{path}.{name}",
                f"{name} is set by the scenario, to {patches[name]}, so it cannot be calibrated; "
                "name the parameters to calibrate without it",
            )
            for name in patched
        ),
    ]
