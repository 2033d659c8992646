"""Door: the protocol of pointwise losses, and the squared error."""

from __future__ import annotations

from modelops_calabaria.evaluation.losses import LossFunction, SquaredErrorLoss

__all__ = ["LossFunction", "SquaredErrorLoss"]
