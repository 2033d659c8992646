"""Weekly surveys: how many of 1,000 people were infected that day."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import modelops_calabaria as cb


@cb.calibration_target(model_output="prevalence", data={"survey": "data/survey.csv"})
def survey(data_paths: Mapping[str, Path]) -> cb.LikelihoodTarget:
    return cb.LikelihoodTarget(
        name="survey",
        model_output="prevalence",
        data=pl.read_csv(data_paths["survey"]),
        alignment=cb.ExactJoin(["day"]),
        evaluator=cb.neg_binomial_loglik_per_rep("infected", k=10.0, floor=1.0),
    )
