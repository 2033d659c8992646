"""Parameters, configuration, transforms and priors."""

from __future__ import annotations

from modelops_calabaria.parameters.config import ConfigSpec, ConfigurationSet, ConfigurationSpace
from modelops_calabaria.parameters.coordinates import CoordinateSystem
from modelops_calabaria.parameters.priors import Prior
from modelops_calabaria.parameters.transforms import (
    AffineSqueezedLogit,
    Identity,
    LogitTransform,
    LogTransform,
    Transform,
)
from modelops_calabaria.parameters.types import (
    ParameterSet,
    ParameterSpace,
    ParameterSpec,
    Scalar,
    SimOutput,
    TableIPC,
)
from modelops_calabaria.parameters.view import ParameterView

__all__ = [
    "AffineSqueezedLogit",
    "ConfigSpec",
    "ConfigurationSet",
    "ConfigurationSpace",
    "CoordinateSystem",
    "Identity",
    "LogTransform",
    "LogitTransform",
    "ParameterSet",
    "ParameterSpace",
    "ParameterSpec",
    "ParameterView",
    "Prior",
    "Scalar",
    "SimOutput",
    "TableIPC",
    "Transform",
]
