"""From a model to a simulator, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from modelops_calabaria.parameters.coordinates import CoordinateSystem
from modelops_calabaria.parameters.named import refuse_unknown
from modelops_calabaria.parameters.transforms import Transform, TransformLike, resolve_transform
from modelops_calabaria.parameters.types import Scalar
from modelops_calabaria.parameters.view import ParameterView
from modelops_calabaria.simulator import ModelSimulator, ScenarioModel
from modelops_contracts.errors import InvalidType

__all__ = ["SimulatorBuilder"]


@dataclass(frozen=True, slots=True)
class SimulatorBuilder:
    """Collects fixed parameters and transforms; every step returns a new builder.

    Unknown names of parameters and transforms are refused at once, the rest at :meth:`build`.
    """

    model: ScenarioModel
    scenario: str = "baseline"
    fixed: Mapping[str, Scalar] = field(default_factory=dict)
    transforms: Mapping[str, Transform] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "fixed", MappingProxyType(dict(self.fixed)))
        object.__setattr__(self, "transforms", MappingProxyType(dict(self.transforms)))

    def fix(self, /, **fixed: object) -> SimulatorBuilder:
        """Hold parameters at these values."""
        refuse_unknown("Unknown parameters", fixed, self.model.space.names())
        view = ParameterView(self.model.space, {**self.fixed, **fixed})
        return replace(self, fixed=view.fixed)

    def with_transforms(self, /, **transforms: TransformLike) -> SimulatorBuilder:
        """Search parameters in other coordinates: "identity", "log", "logit", or a Transform."""
        refuse_unknown("Unknown parameters", transforms, self.model.space.names())
        resolved = {name: _checked(name, given) for name, given in transforms.items()}
        return replace(self, transforms={**self.transforms, **resolved})

    def with_scenario(self, scenario: str) -> SimulatorBuilder:
        return replace(self, scenario=scenario)

    def build(self) -> ModelSimulator:
        """The simulator. Raises ValueError for an unknown scenario or a transformed fixed one."""
        view = ParameterView(self.model.space, self.fixed)
        return ModelSimulator(self.model, self.scenario, CoordinateSystem(view, self.transforms))


def _checked(name: str, given: TransformLike) -> Transform:
    transform = resolve_transform(given)
    if not isinstance(transform, Transform):
        raise InvalidType(f"{name}: {given!r} does not follow the Transform protocol")
    return transform
