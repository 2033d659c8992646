"""Named situations of a model: some parameters fixed, some configuration changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from modelops_calabaria.parameters.config import ConfigurationSet
from modelops_calabaria.parameters.named import did_you_mean
from modelops_calabaria.parameters.types import ParameterSet
from modelops_contracts.digests import scenario_digest
from modelops_contracts.errors import InvalidValue

__all__ = ["ConfigLike", "ScenarioSpec", "compose_scenarios", "scenario_hash"]

#: Configuration as a model sees it; a model without CONFIG has a plain mapping.
ConfigLike = ConfigurationSet | Mapping[str, Any]
ConflictPolicy = Literal["lww", "strict"]
_C = TypeVar("_C", bound=ConfigLike)

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ScenarioSpec:
    """A scenario as data.

    ``param_patches`` replace parameter values, ``config_patches`` configuration. Where several
    scenarios are composed, ``conflict_policy`` says what an overlap means: "lww" lets the last one
    win, "strict" refuses it, except for the names in ``allow_overlap``.
    """

    name: str
    doc: str = ""
    param_patches: Mapping[str, Any] = field(default_factory=dict)
    config_patches: Mapping[str, Any] = field(default_factory=dict)
    conflict_policy: ConflictPolicy = "lww"
    allow_overlap: tuple[str, ...] | None = None

    if TYPE_CHECKING:

        def __init__(
            self,
            name: str,
            doc: str = "",
            param_patches: Mapping[str, Any] = _EMPTY,
            config_patches: Mapping[str, Any] = _EMPTY,
            conflict_policy: str = "lww",
            allow_overlap: Iterable[str] | None = None,
        ) -> None: ...

    def __post_init__(self) -> None:
        _refuse_empty(self.name)
        if self.conflict_policy not in {"lww", "strict"}:
            raise InvalidValue(
                f"scenario '{self.name}': conflict_policy must be 'lww' or 'strict', "
                f"got {self.conflict_policy!r}"
            )
        overlap: Iterable[str] | None = self.allow_overlap
        if isinstance(overlap, str):
            raise InvalidValue(f"scenario '{self.name}': allow_overlap takes names, not one text")
        object.__setattr__(self, "allow_overlap", None if overlap is None else tuple(overlap))
        object.__setattr__(self, "param_patches", MappingProxyType(dict(self.param_patches)))
        object.__setattr__(self, "config_patches", MappingProxyType(dict(self.config_patches)))

    def apply(self, params: ParameterSet, config: _C) -> tuple[ParameterSet, _C]:
        """New parameters and configuration with the patches in; what has no patch passes through.

        Raises ValueError naming the scenario and the name that is unknown or does not fit.
        """
        return self._patch_params(params), self._patch_config(config)

    def _patch_params(self, params: ParameterSet) -> ParameterSet:
        if not self.param_patches:
            return params
        for name, value in self.param_patches.items():
            if name not in params.space:
                hint = did_you_mean(name, params.space.names())
                raise InvalidValue(
                    f"scenario '{self.name}' patches unknown parameter: {name}", hint=hint
                )
            try:
                params.space.get_spec(name).checked(value)
            except (ValueError, TypeError) as error:
                raise InvalidValue(
                    f"scenario '{self.name}' has an invalid value for {name}: {error}"
                ) from error
        return params.with_updates(**self.param_patches)

    def _patch_config(self, config: _C) -> _C:
        if not self.config_patches:
            return config
        if isinstance(config, ConfigurationSet):
            return self._patch_set(config)  # type: ignore[return-value]  # a set gives a set
        return {**config, **self.config_patches}  # type: ignore[return-value]  # a mapping likewise

    def _patch_set(self, config: ConfigurationSet) -> ConfigurationSet:
        for name in self.config_patches:
            if name not in config.space:
                hint = did_you_mean(name, config.space.names())
                raise InvalidValue(
                    f"scenario '{self.name}' patches unknown configuration: {name}", hint=hint
                )
        return config.with_updates(**self.config_patches)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (
            self.name,
            self.doc,
            dict(self.param_patches),
            dict(self.config_patches),
            self.conflict_policy,
            self.allow_overlap,
        )


def _refuse_empty(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidValue("scenario name cannot be empty")


def compose_scenarios(
    scenarios: Sequence[ScenarioSpec], params: ParameterSet, config: _C
) -> tuple[ParameterSet, _C, dict[str, ScenarioSpec]]:
    """Apply scenarios from left to right: (params, config, {name: scenario} as applied).

    Raises ValueError when two scenarios set one name and either of them forbids it.
    """
    if len(scenarios) > 1:
        _refuse_conflicts(scenarios, "Parameter", lambda scenario: scenario.param_patches)
        _refuse_conflicts(scenarios, "Configuration", lambda scenario: scenario.config_patches)
    applied: dict[str, ScenarioSpec] = {}
    for scenario in scenarios:
        params, config = scenario.apply(params, config)
        applied[scenario.name] = scenario
    return params, config, applied


def _refuse_conflicts(
    scenarios: Sequence[ScenarioSpec],
    noun: str,
    patches_of: Callable[[ScenarioSpec], Mapping[str, Any]],
) -> None:
    setters: dict[str, list[ScenarioSpec]] = {}
    for scenario in scenarios:
        for name in patches_of(scenario):
            setters.setdefault(name, []).append(scenario)
    for name, who in setters.items():
        if len(who) > 1 and any(_forbids(scenario, name) for scenario in who):
            names = " and ".join(scenario.name for scenario in who)
            raise InvalidValue(
                f"{noun} '{name}' set by multiple scenarios: {names}",
                hint=f"remove one, or add {name!r} to allow_overlap",
            )


def _forbids(scenario: ScenarioSpec, name: str) -> bool:
    return scenario.conflict_policy == "strict" and name not in (scenario.allow_overlap or ())


def scenario_hash(spec: ScenarioSpec) -> str:
    """16 hex digits of what a scenario does; its documentation does not count."""
    return scenario_digest(
        name=spec.name,
        param_patches=spec.param_patches,
        config_patches=spec.config_patches,
        conflict_policy=spec.conflict_policy,
        allow_overlap=spec.allow_overlap,
    )
