"""The attack rate of children and of adults: one metric with an index column."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="by_age", data={"rates": "data/by_age.csv"})
def by_age(data_paths: Mapping[str, Path]) -> cb.LikelihoodTarget:
    return cb.LikelihoodTarget(
        name="by_age",
        model_output="by_age",
        data=pl.read_csv(data_paths["rates"]),
        alignment=cb.MetricAlignment("attack_rate", index_cols=("age",)),
        evaluator=cb.normal_loglik_per_rep("value", sd="sd"),
    )
