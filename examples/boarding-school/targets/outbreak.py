"""Three numbers that sum the outbreak up: day and height of the peak, and the attack rate."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="outbreak", data={"summary": "data/outbreak.csv"})
def outbreak(data_paths: Mapping[str, Path]) -> cb.LossTarget:
    return cb.LossTarget(
        name="outbreak",
        model_output="outbreak",
        data=pl.read_csv(data_paths["summary"]),
        alignment=cb.MetricAlignment(scale="observed"),
        evaluator=cb.metric_mse(),
    )
