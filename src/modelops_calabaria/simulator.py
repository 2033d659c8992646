"""A model with everything decided but the free parameters: a function of (z, seed)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modelops_calabaria.parameters.coordinates import CoordinateSystem
from modelops_calabaria.parameters.named import did_you_mean
from modelops_calabaria.parameters.types import ParameterSet, ParameterSpace
from modelops_contracts.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

__all__ = ["ModelSimulator", "ScenarioModel"]


class ScenarioModel(Protocol):
    """What simulators and builders need of a model."""

    @property
    def space(self) -> ParameterSpace: ...
    def list_scenarios(self) -> list[str]: ...
    def simulate_scenario(
        self, scenario: str, params: ParameterSet | Mapping[str, Any], seed: int
    ) -> dict[str, pl.DataFrame]: ...


@dataclass(frozen=True, slots=True)
class ModelSimulator:
    """One scenario of a model over the free parameters of ``coords``."""

    model: ScenarioModel
    scenario: str
    coords: CoordinateSystem

    def __post_init__(self) -> None:
        known = self.model.list_scenarios()
        if self.scenario not in known:
            raise InvalidValue(
                f"Unknown scenario '{self.scenario}'", hint=did_you_mean(self.scenario, known)
            )

    @property
    def dim(self) -> int:
        return self.coords.dim

    @property
    def free_param_names(self) -> tuple[str, ...]:
        """Names of the free parameters, in z order."""
        return self.coords.param_names

    def bounds(self) -> npt.NDArray[np.float64]:
        """Bounds of z, shape (dim, 2)."""
        return self.coords.bounds_transformed()

    def sim(self, z: npt.ArrayLike, seed: int) -> dict[str, pl.DataFrame]:
        """Simulate at z: one table per output."""
        return self.model.simulate_scenario(self.scenario, self.coords.to_M(z), seed)
