"""Bringing observed and simulated rows together, with an account of every row."""

from modelops_calabaria.alignment.aligned import AlignedData, Coverage
from modelops_calabaria.alignment.errors import (
    AlignmentError,
    BadOutputError,
    EvaluationError,
    MetricAlignmentError,
    ObservedDataError,
    ScoringError,
)
from modelops_calabaria.alignment.join import AsofJoin, ExactJoin, JoinMode
from modelops_calabaria.alignment.metric import MetricAlignment
from modelops_calabaria.alignment.registry import (
    ALIGNMENT_STRATEGIES,
    JoinAlignment,
    make_alignment,
    register_alignment,
)
from modelops_calabaria.alignment.strategy import AlignmentStrategy

__all__ = [
    "ALIGNMENT_STRATEGIES",
    "AlignedData",
    "AlignmentError",
    "AlignmentStrategy",
    "AsofJoin",
    "BadOutputError",
    "Coverage",
    "EvaluationError",
    "ExactJoin",
    "JoinAlignment",
    "JoinMode",
    "MetricAlignment",
    "MetricAlignmentError",
    "ObservedDataError",
    "ScoringError",
    "make_alignment",
    "register_alignment",
]
