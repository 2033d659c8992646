# ruff: noqa  (written as it was)
"""Targets as projects wrote them before."""

import polars as pl
from modelops_calabaria import calibration_target
from modelops_calabaria.core.alignment import ExactJoin, JoinAlignment
from modelops_calabaria.core.evaluation.aggregate import IdentityAggregator
from modelops_calabaria.core.evaluation.composable import LossEvaluator
from modelops_calabaria.core.evaluation.likelihood import LikelihoodEvaluator
from modelops_calabaria.core.evaluation.loglik_fns import beta_binomial_loglik_per_rep
from modelops_calabaria.core.evaluation.loss.base import SquaredErrorLoss
from modelops_calabaria.core.evaluation.reduce import MeanGroupedByReplicate
from modelops_calabaria.core.target import LikelihoodTarget, LossTarget


@calibration_target(model_output="incidence", data={"observed": "data/obs.csv"})
def inc_target(data_paths):
    return LossTarget(
        name="inc",
        model_output="incidence",
        data=pl.read_csv(data_paths["observed"]),
        alignment=JoinAlignment(on_cols=["day"], mode="exact"),
        evaluator=LossEvaluator(
            aggregator=IdentityAggregator(),
            loss_fn=SquaredErrorLoss(col="cases"),
            reducer=MeanGroupedByReplicate(),
            weight=1.0,
            name="mse",
        ),
    )


@calibration_target(model_output="incidence", data={"observed": "data/obs.csv"})
def late_target(data_paths):
    observed = pl.read_csv(data_paths["observed"]).filter(pl.col("day") > 9)
    from modelops_calabaria.core.evaluation.factories import mean_signal_mse

    return LossTarget(
        "late", "incidence", observed, ExactJoin(["day"]), mean_signal_mse("cases", weight=2.0)
    )


@calibration_target(model_output="tests", data={"observed": "data/tests.csv"})
def positivity_target(data_paths):
    return LikelihoodTarget(
        name="positivity",
        model_output="tests",
        data=pl.read_csv(data_paths["observed"]),
        alignment=ExactJoin(on_cols=["day"]),
        evaluator=LikelihoodEvaluator(
            loglik_fn=beta_binomial_loglik_per_rep(x_col="x", n_col="n", alpha=1.0, beta=1.0),
            name="beta_binomial",
        ),
    )
