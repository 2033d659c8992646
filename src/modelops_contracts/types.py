"""Door: the values of this package under one name."""

from __future__ import annotations

from modelops_contracts.adaptive import TrialResult, TrialStatus
from modelops_contracts.artifacts import INLINE_CAP, ErrorInfo, TableArtifact
from modelops_contracts.evaluation import (
    Evaluation,
    EvaluationRequest,
    ReplicateFailure,
    TargetScore,
)
from modelops_contracts.models import ModelDescription, TargetDescription
from modelops_contracts.parameter_set import Scalar, SeedInfo, TableIPC, UniqueParameterSet
from modelops_contracts.simulation import (
    AggregationReturn,
    AggregationTask,
    ReplicateSet,
    SimReturn,
    SimTask,
)

__all__ = [
    "INLINE_CAP",
    "AggregationReturn",
    "AggregationTask",
    "ErrorInfo",
    "Evaluation",
    "EvaluationRequest",
    "ModelDescription",
    "ReplicateFailure",
    "ReplicateSet",
    "Scalar",
    "SeedInfo",
    "SimReturn",
    "SimTask",
    "TableArtifact",
    "TableIPC",
    "TargetDescription",
    "TargetScore",
    "TrialResult",
    "TrialStatus",
    "UniqueParameterSet",
]
