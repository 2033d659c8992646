"""Door: pointwise losses."""

from __future__ import annotations

from modelops_calabaria.evaluation.losses import (
    AbsoluteErrorLoss,
    LogSquaredErrorLoss,
    LossFunction,
    NormalizedAbsoluteErrorLoss,
    ScaledSquaredErrorLoss,
    SquaredErrorLoss,
)

__all__ = [
    "AbsoluteErrorLoss",
    "LogSquaredErrorLoss",
    "LossFunction",
    "NormalizedAbsoluteErrorLoss",
    "ScaledSquaredErrorLoss",
    "SquaredErrorLoss",
]
