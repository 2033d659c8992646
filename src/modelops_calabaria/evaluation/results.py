"""What evaluating one target, or a set of targets, gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from modelops_calabaria.alignment.aligned import AlignedData, Coverage, Floats

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True, slots=True, eq=False)
class TargetLossResult:
    """A loss. ``per_replicate`` holds the jackknife pseudo-values: for a mean of replicate losses
    these are the losses themselves; in general their mean estimates the loss and their spread over
    √R is its standard error.
    """

    name: str
    loss: float
    weight: float
    weighted_loss: float
    aligned_data: AlignedData | None = None
    per_replicate: Floats | None = field(default=None, kw_only=True)
    target_name: str = field(default="", kw_only=True)

    @property
    def coverage(self) -> Coverage | None:
        return None if self.aligned_data is None else self.aligned_data.coverage


@dataclass(frozen=True, slots=True, eq=False)
class TargetLikelihoodResult:
    """Log-likelihoods, one per replicate, shape (R,)."""

    name: str
    loglik_per_rep: Floats
    aligned_data: AlignedData | None = None
    target_name: str = field(default="", kw_only=True)

    @property
    def coverage(self) -> Coverage | None:
        return None if self.aligned_data is None else self.aligned_data.coverage


def _keys(results: Sequence[TargetLossResult | TargetLikelihoodResult]) -> list[str]:
    """Evaluator names where they are distinct, ``<target>/<evaluator>`` where they collide."""
    names = [result.name for result in results]
    return [
        name if names.count(name) == 1 else f"{result.target_name}/{name}"
        for name, result in zip(names, results, strict=True)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class LossEvaluationResult:
    """The weighted sum of the losses of a set of targets."""

    total_loss: float
    target_results: tuple[TargetLossResult, ...]
    seeds: tuple[int, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def per_target_loss(self) -> dict[str, float]:
        results = self.target_results
        return {key: r.loss for key, r in zip(_keys(results), results, strict=True)}

    def per_target_weighted_loss(self) -> dict[str, float]:
        results = self.target_results
        return {key: r.weighted_loss for key, r in zip(_keys(results), results, strict=True)}

    def as_dict(self) -> dict[str, Any]:
        return {
            "total_loss": self.total_loss,
            "per_target_loss": self.per_target_loss(),
            "per_target_weighted_loss": self.per_target_weighted_loss(),
            "seeds": list(self.seeds),
            "metadata": dict(self.metadata),
        }

    def to_dataframe(self) -> pl.DataFrame:
        """One row per target: target, evaluator, loss, weight, weighted_loss."""
        import polars as pl

        return pl.DataFrame(
            {
                "target": [r.target_name or r.name for r in self.target_results],
                "evaluator": [r.name for r in self.target_results],
                "loss": [r.loss for r in self.target_results],
                "weight": [r.weight for r in self.target_results],
                "weighted_loss": [r.weighted_loss for r in self.target_results],
            },
            schema_overrides={
                "loss": pl.Float64,
                "weight": pl.Float64,
                "weighted_loss": pl.Float64,
            },
        )


@dataclass(frozen=True, slots=True, eq=False)
class LikelihoodEvaluationResult:
    """The joint log-likelihood of a set of targets, marginalised over replicates once."""

    log_marginal: float
    per_target: tuple[TargetLikelihoodResult, ...]
    seeds: tuple[int, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "log_marginal": self.log_marginal,
            "per_target": {
                key: [float(value) for value in result.loglik_per_rep]
                for key, result in zip(_keys(self.per_target), self.per_target, strict=True)
            },
            "seeds": list(self.seeds),
            "metadata": dict(self.metadata),
        }
