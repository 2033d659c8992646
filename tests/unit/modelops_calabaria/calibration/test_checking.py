"""Where a check is made, what two equal evaluations say, and which trials a journal holds."""

from __future__ import annotations

import math
from typing import Any

import pytest

from modelops_calabaria.calibration.checking import Span, check_point, judge_check
from modelops_calabaria.calibration.replay import ReplayEngine, recorded_trials
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.evaluation import Evaluation, ReplicateFailure, TargetScore


@pytest.mark.parametrize(
    ("span", "centre"),
    [
        (Span("x", 0.0, 4.0), 2.0),
        (Span("x", 0.0, 4.0, default=1.0), 1.0),
        (Span("x", 2.0, 4.0, default=1.0), 3.0),
        (Span("n", 1, 4, "int"), 2),
        (Span("n", 3, 3, "int"), 3),
    ],
)
def test_the_centre_of_a_span(span: Span, centre: float) -> None:
    assert span.centre() == centre
    assert type(span.centre()) is type(centre)


def test_fixed_values_win() -> None:
    assert check_point([Span("x", 0.0, 4.0), Span("y", 0.0, 2.0)], {"y": 7}) == {"x": 2.0, "y": 7}


def evaluation(objective: float = 1.0, *values: float, **more: Any) -> Evaluation:
    score = TargetScore("t", "loss", objective, 1.0, per_replicate=values or (1.0, 1.0))
    return Evaluation("p", (1, 2), objective, scores=(score,), **more)


def codes(*arguments: Any, deterministic: bool = False) -> list[tuple[str, str]]:
    found = judge_check(*arguments, deterministic=deterministic)
    return [(one.code, one.severity) for one in found]


def test_what_two_evaluations_say() -> None:
    assert codes(evaluation(), evaluation()) == []
    assert codes(evaluation(), None) == []
    assert codes(evaluation(), evaluation(2.0)) == [("NOT_REPRODUCIBLE", "FAIL")]
    assert codes(evaluation(1.0, 1.0, 2.0), None) == []
    apart = evaluation(1.0, 1.0, 2.0)
    assert codes(apart, apart, deterministic=True) == [("NOT_REPRODUCIBLE", "FAIL")]


@pytest.mark.parametrize(
    ("reason", "severity"),
    [
        ("ZERO_LIKELIHOOD", "WARN"),
        ("INFEASIBLE", "WARN"),
        ("COVERAGE", "FAIL"),
        ("TIMEOUT", "FAIL"),
    ],
)
def test_an_answer_is_no_fault(reason: str, severity: str) -> None:
    failure = ReplicateFailure(1, 77, ErrorInfo("AlignmentError", "no partner"))
    given = evaluation(math.inf, reason=reason, failures=(failure,))
    (found,) = judge_check(given, None, deterministic=False)
    assert (found.code, found.severity) == (reason, severity)
    assert "no partner" in found.message
    assert "77" in found.action


def asked(trial: int, x: float) -> dict[str, Any]:
    return {"event": "ask", "trial": trial, "param_id": f"p{x}", "params": {"x": x}}


def answered(x: float, purpose: str = "search", reason: str | None = None) -> dict[str, Any]:
    told = {"param_id": f"p{x}", "reason": reason}
    return {"event": "outcome", "purpose": purpose, "evaluation": told}


def test_trials_that_were_answered_are_replayed_in_ask_order() -> None:
    records = [
        {"event": "begin"},
        asked(1, 2.0),
        asked(0, 1.0),
        asked(2, 3.0),
        asked(3, 1.0),
        asked(4, 4.0),
        answered(2.0),
        answered(1.0),
        answered(3.0, reason="CANCELLED"),
        answered(4.0, purpose="select"),
    ]
    trials = recorded_trials(records)
    assert trials == [{"x": 1.0}, {"x": 2.0}, {"x": 1.0}]
    engine = ReplayEngine(trials)
    assert [one.params["x"] for one in engine.ask(2)] == [1.0, 2.0]
    assert not engine.finished()
    assert [one.params["x"] for one in engine.ask(2)] == [1.0]
    assert engine.finished()
    assert engine.ask(1) == []
