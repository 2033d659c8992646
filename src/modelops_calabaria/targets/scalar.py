"""A target of one number."""

from __future__ import annotations

from collections.abc import Sequence

from modelops_calabaria.alignment.metric import MetricAlignment
from modelops_calabaria.evaluation.evaluator import annealed_mse
from modelops_calabaria.evaluation.likelihoods import normal_loglik_per_rep
from modelops_calabaria.evaluation.quantities import Quantity
from modelops_calabaria.targets.likelihood import LikelihoodTarget
from modelops_calabaria.targets.loss import LossTarget

__all__ = ["Target", "scalar_target"]

Target = LossTarget | LikelihoodTarget


def scalar_target(
    name: str,
    model_output: str | Sequence[str],
    metric: str,
    observed: float,
    *,
    sd: Quantity | None = None,
    weight: float = 1.0,
) -> Target:
    """A target of one number: normal likelihood with ``sd``, else squared error of each replicate.

    The output is a table with a column named ``metric``, or with columns metric and value.
    """
    alignment = MetricAlignment(metric)
    if sd is None:
        evaluator = annealed_mse("value", weight)
        return LossTarget(name, model_output, observed, alignment, evaluator)
    family = normal_loglik_per_rep("value", sd)
    return LikelihoodTarget(name, model_output, observed, alignment, family, weight=weight)
