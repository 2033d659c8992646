"""Door: alignment."""

from __future__ import annotations

from modelops_calabaria.alignment.aligned import AlignedData
from modelops_calabaria.alignment.errors import AlignmentError
from modelops_calabaria.alignment.join import AsofJoin, ExactJoin, JoinMode
from modelops_calabaria.alignment.metric import MetricAlignment
from modelops_calabaria.alignment.registry import JoinAlignment, make_alignment
from modelops_calabaria.alignment.strategy import AlignmentStrategy

__all__ = [
    "AlignedData",
    "AlignmentError",
    "AlignmentStrategy",
    "AsofJoin",
    "ExactJoin",
    "JoinAlignment",
    "JoinMode",
    "MetricAlignment",
    "make_alignment",
]
