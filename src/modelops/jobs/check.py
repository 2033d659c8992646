"""Whether a study fits the model it names. Pure; every mistake is told at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from modelops_contracts.errors import Detail, InvalidInput, nearest
from modelops_contracts.models import ModelDescription, TargetDescription
from modelops_contracts.study import ParameterSetEntry, SimulationStudy

__all__ = ["complete_study", "find_study_warnings", "fits_outputs", "needed_outputs"]

_MOST = 20

#: The driver holds every wanted simulation in memory, about 1 kB each.
MOST_SIMULATIONS = 5_000_000


def complete_study(study: SimulationStudy, description: ModelDescription) -> SimulationStudy:
    """The study with every parameter of the model in every row, values of the declared kinds.

    A parameter that a row leaves out gets the scenario's value or its default. Raises InvalidInput
    with all of: unknown scenario, outputs, configuration and parameters, parameters that are
    missing and have no default, values of a wrong kind or outside their bounds.
    """
    mistakes = [
        *_unknown([study.scenario], description.scenarios, "$.scenario", "scenario", description),
        *_unknown(study.outputs or (), description.outputs, "$.outputs", "output", description),
        *_unknown(
            study.metadata.get("config") or {},
            description.config,
            "$.metadata.config",
            "configuration",
            description,
        ),
    ]
    if not study.parameter_sets:
        mistakes.append(Detail("$.parameter_sets", "holds no parameter set"))
    wanted = len(study.parameter_sets) * study.n_replicates
    if wanted > MOST_SIMULATIONS:
        told = f"asks for {wanted:,} simulations; one study may hold {MOST_SIMULATIONS:,}"
        mistakes.append(Detail("$.n_replicates", told))
    specs = {spec["name"]: spec for spec in description.parameters}
    patches = description.scenarios.get(study.scenario, {}).get("param_patches", {})
    rows = [
        _complete(entry, f"$.parameter_sets[{i}]", specs, patches, description, mistakes)
        for i, entry in enumerate(study.parameter_sets)
    ]
    _raise_if_any(mistakes)
    kinds = {name: spec.get("kind", "float") for name, spec in specs.items()}
    return replace(study, parameter_sets=tuple(rows)).normalised(kinds)


def _raise_if_any(mistakes: Sequence[Detail]) -> None:
    if not mistakes:
        return
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    raise InvalidInput(
        f"the study does not fit its model: {mistakes[0]}{more}",
        hint="cb models lists scenarios, parameters and outputs",
        code="study.mismatch",
        details=mistakes[:_MOST],
    )


def _unknown(
    names: Iterable[str],
    known: Iterable[str],
    path: str,
    word: str,
    description: ModelDescription,
) -> list[Detail]:
    listed = list(known)
    return [
        Detail(path, f"{description.class_path} has no {word} {name!r}{_meant(name, listed)}")
        for name in names
        if name not in listed
    ]


def _meant(name: str, known: Sequence[str]) -> str:
    near = nearest(name, known)
    if near:
        return f"; did you mean {' or '.join(near)}?"
    return f"; it has {', '.join(known)}" if known else "; it has none"


def _complete(
    entry: ParameterSetEntry,
    path: str,
    specs: Mapping[str, Mapping[str, Any]],
    patches: Mapping[str, Any],
    description: ModelDescription,
    mistakes: list[Detail],
) -> ParameterSetEntry:
    mistakes += _unknown(entry.params, specs, f"{path}.params", "parameter", description)
    values = {}
    for name, spec in specs.items():
        if name in entry.params:
            values[name] = entry.params[name]
            mistakes += _outside(name, values[name], spec, f"{path}.params.{name}")
        elif name in patches:
            values[name] = patches[name]
        elif spec.get("default") is not None:
            values[name] = spec["default"]
        else:
            mistakes.append(Detail(f"{path}.params", f"{name} is missing and has no default"))
    return replace(entry, params=values)


def _outside(name: str, value: object, spec: Mapping[str, Any], path: str) -> list[Detail]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return [Detail(path, f"must be a number, not {value!r}")]
    lower, upper = spec["lower"], spec["upper"]
    if lower <= value <= upper:
        return []
    return [Detail(path, f"{name} = {value!r} is outside its bounds [{lower}, {upper}]")]


def needed_outputs(targets: Sequence[TargetDescription], made: Iterable[str]) -> list[str]:
    """All outputs that these targets read, sorted; all of ``made`` when one does not say which."""
    if not all(target.model_outputs for target in targets):
        return sorted(made)
    return sorted({output for target in targets for output in target.model_outputs})


def fits_outputs(target: TargetDescription, outputs: Sequence[str]) -> bool:
    """True when a target can be scored from these outputs."""
    return set(target.model_outputs) <= set(outputs)


def find_study_warnings(study: SimulationStudy, description: ModelDescription) -> list[str]:
    """What is allowed and yet probably not meant."""
    patches = description.scenarios[study.scenario].get("param_patches", {})
    warnings = [
        f"scenario {study.scenario} sets {name}, so the values sampled for it have no effect"
        for name in patches
        if len({entry.params[name] for entry in study.parameter_sets}) > 1
    ]
    if description.deterministic and study.n_replicates > 1:
        warnings.append(
            f"{description.class_path} is deterministic: its {study.n_replicates} replicates "
            "will be equal"
        )
    return warnings
