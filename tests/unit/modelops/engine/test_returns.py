"""Outcomes as the values of the port."""

from __future__ import annotations

import pytest

from modelops.engine.requests import EvaluationOutcome
from modelops.engine.returns import as_aggregation
from modelops_contracts.errors import SimulationFailed
from modelops_contracts.evaluation import Evaluation, TargetScore


def test_what_a_target_said_is_where_its_author_put_it() -> None:
    score = TargetScore("t", "loss", 2.0, diagnostics={"mean": 1.5})
    evaluation = Evaluation("p", (1, 2), 2.0, scores=(score,))
    given = as_aggregation(EvaluationOutcome(evaluation, ()), "t:f")
    assert (given.loss, given.n_replicates, given.diagnostics["mean"]) == (2.0, 2, 1.5)
    assert given.diagnostics["evaluation"] == evaluation.to_json()


def test_without_a_finite_score_there_is_no_return() -> None:
    evaluation = Evaluation("p", (1,), float("inf"), reason="INFEASIBLE")
    with pytest.raises(SimulationFailed, match="INFEASIBLE"):
        as_aggregation(EvaluationOutcome(evaluation, ()), "t:f")
