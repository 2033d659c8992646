"""Door: aggregators."""

from __future__ import annotations

from modelops_calabaria.evaluation.aggregate import (
    Aggregator,
    IdentityAggregator,
    MeanAcrossReplicates,
)

__all__ = ["Aggregator", "IdentityAggregator", "MeanAcrossReplicates"]
