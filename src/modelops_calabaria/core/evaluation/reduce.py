"""Door: reducers."""

from __future__ import annotations

from modelops_calabaria.evaluation.reduce import MeanGroupedByReplicate, MeanReducer, Reducer

__all__ = ["MeanGroupedByReplicate", "MeanReducer", "Reducer"]
