"""Which registered model and targets a specification means. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from modelops_contracts.errors import InvalidInput, NotFound, nearest
from modelops_contracts.registry import BundleRegistry
from modelops_contracts.study import CalibrationSpec, SimulationStudy

__all__ = ["TargetChoice", "choose_targets", "find_model", "find_target"]


@dataclass(frozen=True, slots=True)
class TargetChoice:
    """A chosen target; ``weight`` None means what the target itself says."""

    target_id: str
    entrypoint: str
    weight: float | None = None


def find_model(registry: BundleRegistry, spec: SimulationStudy | CalibrationSpec) -> str:
    """The id of the model that ``spec`` names: by id, module:Class, module.Class or module.

    Raises NotFound with the nearest names, InvalidInput when a module holds several models.
    """
    path = spec.import_path()
    for model_id in registry.models:
        if model_id in {spec.model, path}:
            return model_id
    entrypoints = {
        model_id: entry.entrypoint.replace(":", ".") for model_id, entry in registry.models.items()
    }
    exact = [model_id for model_id, name in entrypoints.items() if name == path]
    if exact:
        return exact[0]
    inside = [model_id for model_id, name in entrypoints.items() if name.rpartition(".")[0] == path]
    if len(inside) == 1:
        return inside[0]
    if inside:
        raise InvalidInput(
            f"{path} holds several models: {', '.join(inside)}",
            hint=f"write the class into metadata.model_class, such as {path}:Name",
            code="model.ambiguous",
        )
    raise _unknown("model", path, [*registry.models, *entrypoints.values()], registry.models)


def find_target(registry: BundleRegistry, reference: str) -> TargetChoice:
    """A target by id or by entry point. Raises NotFound with the nearest names."""
    entry = registry.targets.get(reference)
    if entry is not None:
        return TargetChoice(reference, entry.entrypoint)
    for target_id, candidate in registry.targets.items():
        if candidate.entrypoint == reference:
            return TargetChoice(target_id, candidate.entrypoint)
    known = [*registry.targets, *(entry.entrypoint for entry in registry.targets.values())]
    raise _unknown("target", reference, known, registry.targets)


def _unknown(
    kind: str, name: str, candidates: Iterable[str], registered: Iterable[str]
) -> NotFound:
    near = nearest(name, candidates)
    listed = sorted(registered)
    more = f"; nearest: {', '.join(near)}" if near else ""
    hint = (
        f"cb {kind}s lists what is registered"
        if listed
        else f"mops bundle register-{kind} PATH makes {kind}s known"
    )
    return NotFound(f"{kind} {name} is not registered{more}", hint=hint, code=f"{kind}.not_found")


def choose_targets(
    registry: BundleRegistry,
    spec: SimulationStudy | CalibrationSpec,
    *,
    asked: Sequence[str] = (),
    target_set: str | None = None,
) -> list[TargetChoice]:
    """The targets of a job with the weights that the specification or a set gives them.

    ``asked`` (ids or entry points) and ``target_set`` come from the command line and win over the
    specification. A specification that says nothing about targets gets all registered ones,
    sorted by id. Raises InvalidInput for both at once, NotFound for unknown names.
    """
    if asked and target_set:
        raise InvalidInput(
            "targets and a target set were both named; name one of them", code="target.both"
        )
    references, weights = _wanted(registry, spec, asked, target_set)
    chosen = [find_target(registry, reference) for reference in references]
    unique = list({choice.target_id: choice for choice in chosen}.values())
    return [_weighted(choice, weights) for choice in unique]


def _wanted(
    registry: BundleRegistry,
    spec: SimulationStudy | CalibrationSpec,
    asked: Sequence[str],
    target_set: str | None,
) -> tuple[Sequence[str], Mapping[str, float]]:
    if asked:
        return asked, _given_weights(spec)
    if target_set:
        return _members(registry, target_set, {})
    references, set_name = _of_spec(spec)
    if set_name and not references:
        return _members(registry, set_name, _given_weights(spec))
    if references is not None:
        weights = _members(registry, set_name, {})[1] if _is_known(registry, set_name) else {}
        return references, {**weights, **_given_weights(spec)}
    return sorted(registry.targets), _given_weights(spec)


def _is_known(registry: BundleRegistry, set_name: str | None) -> bool:
    return set_name is not None and set_name in registry.target_sets


def _of_spec(
    spec: SimulationStudy | CalibrationSpec,
) -> tuple[Sequence[str] | None, str | None]:
    """(references or None when nothing is said, name of the set)."""
    name = spec.metadata.get("target_set")
    if isinstance(spec, SimulationStudy):
        return spec.targets, name
    data = spec.target_data
    return (
        data.get("target_entrypoints") or data.get("target_ids"),
        data.get("target_set") or name,
    )


def _given_weights(spec: SimulationStudy | CalibrationSpec) -> Mapping[str, float]:
    if isinstance(spec, SimulationStudy):
        return spec.metadata.get("target_weights") or {}
    return spec.target_data.get("weights") or {}


def _members(
    registry: BundleRegistry, name: str | None, over: Mapping[str, float]
) -> tuple[Sequence[str], Mapping[str, float]]:
    assert name is not None
    found = registry.target_sets.get(name)
    if found is None:
        near = nearest(name, registry.target_sets)
        more = f"; nearest: {', '.join(near)}" if near else ""
        raise NotFound(
            f"target set {name} is not registered{more}",
            hint="mops bundle target-set list",
            code="target_set.not_found",
        )
    return found.targets, {**found.weights, **over}


def _weighted(choice: TargetChoice, weights: Mapping[str, float]) -> TargetChoice:
    for key in (choice.target_id, choice.entrypoint):
        if key in weights:
            return TargetChoice(choice.target_id, choice.entrypoint, float(weights[key]))
    return choice
