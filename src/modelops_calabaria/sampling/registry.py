"""Designs by the names that files and commands use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from modelops_calabaria.parameters.named import did_you_mean
from modelops_calabaria.parameters.types import ParameterSpace
from modelops_calabaria.sampling.base import SamplingStrategy
from modelops_contracts.errors import InvalidInput

__all__ = ["DESIGNS", "make_sampler"]

#: kind -> (module, class)
DESIGNS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "sobol": ("modelops_calabaria.sampling.sobol", "SobolSampler"),
        "halton": ("modelops_calabaria.sampling.halton", "HaltonSampler"),
        "random": ("modelops_calabaria.sampling.random", "RandomSampler"),
        "lhs": ("modelops_calabaria.sampling.lhs", "LatinHypercubeSampler"),
        "grid": ("modelops_calabaria.sampling.grid", "GridSampler"),
        "file": ("modelops_calabaria.sampling.file", "FileSampler"),
    }
)


def make_sampler(kind: str, space: ParameterSpace, **options: Any) -> SamplingStrategy:
    """The design of that kind. Raises InvalidInput for an unknown kind or option."""
    if kind not in DESIGNS:
        raise InvalidInput(f"unknown design {kind!r}", hint=did_you_mean(kind, DESIGNS))
    module, name = DESIGNS[kind]
    design: type[SamplingStrategy] = getattr(import_module(module), name)
    try:
        return design(space, **options)
    except TypeError as error:
        raise InvalidInput(f"design {kind}: {error}") from error
