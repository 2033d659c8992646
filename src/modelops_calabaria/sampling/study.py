"""From a model's description and a design to a study file's content.

Everything works on descriptions: the model itself may live in an environment of its own.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

from modelops_calabaria.parameters.named import did_you_mean, refuse_unknown
from modelops_calabaria.parameters.scalars import Scalar
from modelops_calabaria.parameters.types import ParameterSet, ParameterSpace
from modelops_calabaria.sampling.base import SamplingStrategy, SamplingWarning, check_choice
from modelops_calabaria.sampling.file import FileSampler
from modelops_calabaria.sampling.grid import GridSampler
from modelops_calabaria.sampling.registry import make_sampler
from modelops_contracts.digests import canonical_json, digest_bytes, make_param_id
from modelops_contracts.entrypoint import is_scenario_slug, nearest_slug
from modelops_contracts.errors import InvalidInput, InvalidValue
from modelops_contracts.models import ModelDescription
from modelops_contracts.study import (
    CRN_MODES,
    DEFAULT_STUDY_SEED,
    ParameterSetEntry,
    SimulationStudy,
)

if TYPE_CHECKING:
    from modelops_calabaria.base_model import BaseModel

__all__ = ["build_study", "extend_study", "free_space", "space_from_description", "told_patches"]

Bounds = Mapping[str, tuple[Scalar, Scalar]]
Crn = Literal["none", "per-replicate-index"]
Row = tuple[dict[str, Scalar], int | None]


def space_from_description(description: ModelDescription) -> ParameterSpace:
    """The model's parameter space. Raises InvalidInput naming a parameter that cannot be read."""
    return ParameterSpace.from_dict({"parameters": description.parameters})


def free_space(
    description: ModelDescription,
    *,
    bounds: Bounds | None = None,
    fixed: Mapping[str, object] | None = None,
) -> ParameterSpace:
    """The parameters that are not fixed, with their bounds narrowed."""
    space = space_from_description(description)
    _refuse_bad_names(space, bounds or {}, fixed or {})
    specs = [spec for spec in space if spec.name not in (fixed or {})]
    narrow = dict(bounds or {})
    return ParameterSpace(
        spec.narrowed(*narrow[spec.name]) if spec.name in narrow else spec for spec in specs
    )


def _refuse_bad_names(
    space: ParameterSpace, bounds: Mapping[str, object], fixed: Mapping[str, object]
) -> None:
    refuse_unknown("bounds for unknown parameters", bounds, space.names())
    refuse_unknown("Unknown fixed parameters", fixed, space.names())
    both = [name for name in bounds if name in fixed]
    if both:
        raise InvalidInput(f"{', '.join(both)}: both fixed and given bounds", hint="choose one")


def build_study(
    description: ModelDescription,
    design: SamplingStrategy | Mapping[str, Any],
    *,
    n: int | None = None,
    scenario: str = "baseline",
    n_replicates: int = 1,
    bounds: Bounds | None = None,
    fixed: Mapping[str, object] | None = None,
    outputs: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    name: str | None = None,
    tags: Mapping[str, str] | None = None,
    crn: Crn = "none",
    base_seed: int = DEFAULT_STUDY_SEED,
    config: Mapping[str, Any] | None = None,
    warn: Callable[[str], None] | None = None,
) -> SimulationStudy:
    """A study of one design over the parameters that are not fixed.

    ``design`` is a sampler over any space of this model, or its data ({"kind": "sobol", ...}).
    ``n`` may be None for designs whose size follows from themselves. What deserves attention is
    told to ``warn``, else to Python's warnings. Raises InvalidInput for everything the model does
    not have: scenario, parameters, outputs, configuration.
    """
    _refuse_bad_request(description, scenario, outputs, config)
    check_choice("crn", crn, CRN_MODES)
    space = space_from_description(description)
    free = free_space(description, bounds=bounds, fixed=fixed)
    sampler = _bound_to(design, free)
    say = warn or _python_warning
    _warn_about_patches(description, scenario, _varied(sampler), say)
    held = {key: space.get_spec(key).checked(value) for key, value in (fixed or {}).items()}
    rows = _complete(space, _draw(sampler, n, 0, say), held)
    kept = _distinct(rows, say)
    return SimulationStudy(
        model=description.class_path.partition(":")[0],
        scenario=scenario,
        parameter_sets=tuple(ParameterSetEntry(params=row, seed=seed) for row, seed in kept),
        sampling_method=sampler.method_name(),
        n_replicates=n_replicates,
        outputs=None if outputs is None else tuple(outputs),
        targets=None if targets is None else tuple(targets),
        metadata={
            **_legacy_metadata(sampler, len(rows)),
            "model_class": description.class_path,
            "name": name or "study",
            "tags": dict(tags or {}),
            "design": _design_metadata(sampler, 0, len(rows), bounds),
            "fixed": held,
            "config": dict(config or {}),
            "crn": crn,
            **({} if crn == "none" else {"base_seed": base_seed}),
        },
    )


def extend_study(
    study: SimulationStudy,
    n: int | None,
    model: ModelDescription | type[BaseModel],
    *,
    warn: Callable[[str], None] | None = None,
) -> SimulationStudy:
    """The next ``n`` rows of a study's design, alone; ``study.joined(new)`` is the whole.

    A grid is refined: ``n`` is then the number of points per parameter, and only those that the
    study does not have are new. A file gives the rows that were appended, all of them with n None.
    ``model`` is the study's class or its description. Raises InvalidInput when the design cannot
    grow, has nothing new, or the model's space is no longer the same.
    """
    description = _described(model)
    design = study.metadata.get("design")
    if not isinstance(design, Mapping) or "kind" not in design:
        raise InvalidInput(
            "this study does not say which design it comes from", hint="make a new study"
        )
    fixed, bounds = dict(study.metadata.get("fixed") or {}), design.get("bounds") or {}
    narrowed = {key: (pair[0], pair[1]) for key, pair in bounds.items()}
    space = space_from_description(description)
    sampler = _sampler_of(design, free_space(description, bounds=narrowed, fixed=fixed))
    _refuse_changed(description, study, design, sampler)
    start = int(design.get("start", 0)) + int(design["n"])
    say = warn or _python_warning
    if isinstance(sampler, GridSampler):
        sampler = GridSampler(sampler.parameter_space, n)
        rows = _unknown(study, _complete(space, _draw(sampler, None, 0, say), fixed))
    else:
        drawn = _draw(sampler, n, start, say)
        rows = _complete(space, drawn, fixed) if drawn else []
    _refuse_nothing_new(sampler, rows, start)
    metadata = {
        **study.metadata,
        **_legacy_metadata(sampler, len(rows)),
        "design": _design_metadata(sampler, start, len(rows), narrowed),
    }
    entries = tuple(ParameterSetEntry(params=row, seed=seed) for row, seed in _distinct(rows, say))
    return replace(study, parameter_sets=entries, metadata=metadata)


def _unknown(study: SimulationStudy, rows: list[Row]) -> list[Row]:
    known = {make_param_id(entry.params) for entry in study.parameter_sets}
    return [row for row in rows if make_param_id(row[0]) not in known]


def _refuse_nothing_new(sampler: SamplingStrategy, rows: list[Row], start: int) -> None:
    if rows:
        return
    if isinstance(sampler, FileSampler):
        raise InvalidInput(
            f"{sampler.path} has no rows beyond the {start} that the study has",
            hint="append rows to the file first",
        )
    raise InvalidInput(
        "this grid has no point that the study does not have", hint="give more points per parameter"
    )


def _described(model: ModelDescription | type[BaseModel]) -> ModelDescription:
    if isinstance(model, ModelDescription):
        return model
    from modelops_calabaria.describe import describe_model

    return describe_model(model)


# ---------------------------------------------------------------- checks


def _refuse_bad_request(
    description: ModelDescription,
    scenario: str,
    outputs: Sequence[str] | None,
    config: Mapping[str, Any] | None,
) -> None:
    if scenario not in description.scenarios:
        hint = did_you_mean(scenario, description.scenarios)
        raise InvalidValue(f"Unknown scenario: {scenario}", hint=hint)
    if not is_scenario_slug(scenario):
        raise InvalidInput(
            f"scenario {scenario!r} has a name that no entry point can carry",
            hint=f"rename it, for example to {nearest_slug(scenario)!r}",
        )
    refuse_unknown("Unknown outputs", outputs or (), description.outputs)
    refuse_unknown("Unknown configurations", config or {}, description.config)


def _warn_about_patches(
    description: ModelDescription,
    scenario: str,
    varied: Sequence[str],
    say: Callable[[str], None],
) -> None:
    patched = description.scenarios[scenario].get("param_patches", {})
    for text in told_patches(scenario, patched, varied):
        say(text)


def told_patches(scenario: str, patched: Mapping[str, Any], varied: Sequence[str]) -> list[str]:
    """A sentence for every varied parameter that the scenario sets."""
    return [
        f"scenario {scenario} sets {name} = {patched[name]}: sampling {name} has no effect"
        for name in varied
        if name in patched
    ]


def _python_warning(text: str) -> None:
    warnings.warn(text, SamplingWarning, stacklevel=3)


def _refuse_changed(
    description: ModelDescription,
    study: SimulationStudy,
    design: Mapping[str, Any],
    sampler: SamplingStrategy,
) -> None:
    if study.metadata.get("model_class") != description.class_path:
        raise InvalidInput(
            f"the study is of {study.metadata.get('model_class')}, not of {description.class_path}"
        )
    if not sampler.extendable and not isinstance(sampler, GridSampler):
        raise InvalidInput(
            f"a {sampler.kind} design cannot be extended", hint="use sobol for a design that grows"
        )
    now = _design_metadata(sampler, 0, 0, None)
    differing = [
        key for key in ("space", "measure") if key in design and design[key] != now.get(key)
    ]
    if differing:
        raise InvalidInput(
            f"the model's parameters have changed since the study was made: {', '.join(differing)}",
            hint="make a new study",
        )


# ---------------------------------------------------------------- rows


def _bound_to(
    design: SamplingStrategy | Mapping[str, Any], free: ParameterSpace
) -> SamplingStrategy:
    if isinstance(design, Mapping):
        return _sampler_of(design, free)
    return design.over(free)


_NOT_OPTIONS = frozenset({"kind", "start", "n", "bounds", "space"})


def _sampler_of(design: Mapping[str, Any], free: ParameterSpace) -> SamplingStrategy:
    options = {key: value for key, value in design.items() if key not in _NOT_OPTIONS}
    if "points" in options:
        options["n_points_per_param"] = options.pop("points")
    return make_sampler(str(design.get("kind")), free, **options)


def _varied(sampler: SamplingStrategy) -> Sequence[str]:
    if isinstance(sampler, FileSampler):
        return sampler.names
    return sampler.parameter_space.names()


def _draw(
    sampler: SamplingStrategy, n: int | None, start: int, say: Callable[[str], None]
) -> list[Row]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SamplingWarning)
        values = sampler.sample(n, start) if start else sampler.sample(n)
    for item in caught:
        say(str(item.message))
    seeds = sampler.seeds(n, start) if isinstance(sampler, FileSampler) else [None] * len(values)
    return list(zip(values, seeds, strict=True))


def _complete(space: ParameterSpace, rows: list[Row], fixed: Mapping[str, Scalar]) -> list[Row]:
    """Rows with every parameter of the model, in its order: varied, fixed, or default."""
    base = {**space.default_values(), **fixed}
    have = {*base, *(rows[0][0] if rows else ())}
    missing = [name for name in space.names() if name not in have]
    if missing:
        raise InvalidInput(
            f"{', '.join(missing)}: neither free nor fixed, and no default", hint="add fixed={...}"
        )
    return [(ParameterSet(space, {**base, **row}).to_dict(), seed) for row, seed in rows]


def _distinct(rows: list[Row], say: Callable[[str], None]) -> list[Row]:
    seen: dict[tuple[object, ...], Row] = {}
    for row in rows:
        seen.setdefault((*row[0].values(), row[1]), row)
    dropped = len(rows) - len(seen)
    if dropped:
        say(f"{dropped} of {len(rows)} rows are duplicates and were dropped")
    return list(seen.values())


# ---------------------------------------------------------------- metadata


def _legacy_metadata(sampler: SamplingStrategy, count: int) -> dict[str, Any]:
    """Keys that readers of older study files look for."""
    settings = sampler.settings()
    if sampler.kind == "grid":
        return {"grid_points": settings["points"], "total_samples": count}
    kept: dict[str, Any] = {key: settings[key] for key in ("scramble", "seed") if key in settings}
    return {"n_samples": count, **kept}


def _design_metadata(
    sampler: SamplingStrategy, start: int, count: int, bounds: Bounds | None
) -> dict[str, Any]:
    narrowed = {name: list(pair) for name, pair in (bounds or {}).items()}
    return {
        "kind": sampler.kind,
        **sampler.settings(),
        "start": start,
        "n": count,
        "space": _space_digest(sampler.parameter_space),
        **({"bounds": narrowed} if narrowed else {}),
    }


def _space_digest(space: ParameterSpace) -> str:
    """Identity of everything about the free parameters that moves a row."""
    moving = ("name", "lower", "upper", "kind", "prior", "transform")
    specs = [{key: data.get(key) for key in moving} for data in space.to_dict()["parameters"]]
    return digest_bytes(canonical_json(specs))[:16]
