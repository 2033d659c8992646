"""Sampling designs: which parameter sets a study simulates."""

from __future__ import annotations

from modelops_calabaria.sampling.base import SamplingStrategy, SamplingWarning
from modelops_calabaria.sampling.file import FileSampler
from modelops_calabaria.sampling.grid import GridSampler
from modelops_calabaria.sampling.halton import HaltonSampler
from modelops_calabaria.sampling.lhs import LatinHypercubeSampler
from modelops_calabaria.sampling.random import RandomSampler
from modelops_calabaria.sampling.registry import DESIGNS, make_sampler
from modelops_calabaria.sampling.sobol import SobolSampler

__all__ = [
    "DESIGNS",
    "FileSampler",
    "GridSampler",
    "HaltonSampler",
    "LatinHypercubeSampler",
    "RandomSampler",
    "SamplingStrategy",
    "SamplingWarning",
    "SobolSampler",
    "make_sampler",
]
