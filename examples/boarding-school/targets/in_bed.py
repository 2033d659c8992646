"""The daily counts of boys in bed, with negative-binomial observation noise."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="in_bed", data={"counts": "data/in_bed.csv"})
def in_bed(data_paths: Mapping[str, Path]) -> cb.LikelihoodTarget:
    return cb.LikelihoodTarget(
        name="in_bed",
        model_output="in_bed",
        data=pl.read_csv(data_paths["counts"]),
        alignment=cb.ExactJoin(["day"]),
        evaluator=cb.neg_binomial_loglik_per_rep("in_bed", k=cb.Param("k")),
    )
