"""Three numbers of the whole town, each with its own standard error."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="summary", data={"numbers": "data/summary.csv"})
def summary(data_paths: Mapping[str, Path]) -> cb.LikelihoodTarget:
    return cb.LikelihoodTarget(
        name="summary",
        model_output="summary",
        data=pl.read_csv(data_paths["numbers"]),
        alignment=cb.MetricAlignment(),
        evaluator=cb.normal_loglik_per_rep("value", sd="sd"),
    )


@cb.calibration_target(model_output="summary", data={"numbers": "data/summary.csv"})
def summary_distance(data_paths: Mapping[str, Path]) -> cb.LossTarget:
    """The same numbers without standard errors: relative squared errors, the attack rate twice."""
    return cb.LossTarget(
        name="summary_distance",
        model_output="summary",
        data=pl.read_csv(data_paths["numbers"], columns=["metric", "value"]),
        alignment=cb.MetricAlignment(scale="observed"),
        evaluator=cb.metric_mse(weights={"attack_rate": 2.0, "peak_day": 1.0, "peak_share": 1.0}),
    )
