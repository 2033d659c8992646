"""Designs by the names that files and commands use."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from types import MappingProxyType
from typing import Any, Final

from modelops_calabaria.parameters.named import did_you_mean, refuse_unknown
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
    _refuse_other_options(kind, design, options)
    return design(space, **options)


def _refuse_other_options(
    kind: str, design: type[SamplingStrategy], options: Mapping[str, Any]
) -> None:
    known = {
        name: parameter.default is parameter.empty
        for name, parameter in list(signature(design).parameters.items())[1:]
    }
    refuse_unknown(f"design {kind}: unknown options", options, known)
    absent = [name for name, needed in known.items() if needed and name not in options]
    if absent:
        raise InvalidInput(f"design {kind}: {', '.join(absent)} is missing")
