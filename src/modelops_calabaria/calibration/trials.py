"""The table of trials: every proposal with its answer, failed ones included."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from modelops_calabaria.calibration.desk import Trial
from modelops_calabaria.calibration.plan import CalibrationPlan
from modelops_calabaria.calibration.search import failure_message

if TYPE_CHECKING:
    import polars as pl

__all__ = ["trials_frame"]


def trials_frame(plan: CalibrationPlan, trials: Sequence[Trial]) -> pl.DataFrame:
    """One row per trial in ask order; ``loss`` is the objective, infinite when the trial failed."""
    import polars as pl

    schema: dict[str, Any] = {
        "trial": pl.Int64,
        "param_id": pl.String,
        "status": pl.String,
        "reason": pl.String,
        "message": pl.String,
        "loss": pl.Float64,
        "loss_se": pl.Float64,
        "ess": pl.Float64,
        "n_replicates": pl.Int64,
        **{f"param_{name}": _dtype(plan, name) for name in plan.description.parameter_names},
        **{f"target_{target.name}": pl.Float64 for target in plan.target_descriptions},
        "seed0": pl.UInt64,
        "seconds": pl.Float64,
        "reused": pl.Boolean,
        "traceback": pl.String,
    }
    names = {t.entrypoint: t.name for t in plan.target_descriptions}
    return pl.DataFrame([_row(trial, names) for trial in trials], schema=schema)


def _dtype(plan: CalibrationPlan, name: str) -> Any:
    import polars as pl

    declared = plan.description.parameter(name) or {}
    return pl.Int64 if declared.get("kind") == "int" else pl.Float64


def _row(trial: Trial, names: dict[str, str]) -> dict[str, Any]:
    evaluation = trial.evaluation
    return {
        "trial": trial.number,
        "param_id": trial.params.param_id,
        "status": _status(trial),
        "reason": None if trial.is_finite else evaluation.reason or "INFEASIBLE",
        "message": None if trial.is_finite else failure_message(evaluation) or None,
        "loss": trial.objective,
        "loss_se": _known(evaluation.objective_se),
        "ess": _known(evaluation.ess),
        "n_replicates": len(evaluation.seeds),
        **{f"param_{name}": value for name, value in trial.params.params.items()},
        **{f"target_{names.get(s.target, s.target)}": s.value for s in evaluation.scores},
        "seed0": evaluation.seeds[0] if evaluation.seeds else None,
        "seconds": trial.seconds,
        "reused": trial.reused,
        "traceback": evaluation.failures[0].traceback or None if evaluation.failures else None,
    }


def _status(trial: Trial) -> str:
    if trial.is_finite:
        return "completed"
    return "timeout" if trial.evaluation.reason == "TIMEOUT" else "failed"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value
