"""One line for thousands of failures."""

from __future__ import annotations

import math

from modelops.jobs.causes import Cause, causes_of_scores, name_causes
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.evaluation import Evaluation, ReplicateFailure


def test_one_kind_is_told_with_what_the_first_said() -> None:
    causes = [Cause("ValueError", f"no good:\n  rate {i}") for i in range(3)]
    assert name_causes(causes) == "ValueError: no good: rate 0"


def test_several_kinds_are_counted_most_first() -> None:
    causes = [Cause("ProcessDied", "killed by SIGSEGV"), *[Cause("package.Odd", "")] * 2]
    assert name_causes(causes) == "2 Odd, 1 ProcessDied: killed by SIGSEGV"


def test_a_long_message_is_cut_and_no_cause_is_no_text() -> None:
    told = name_causes([Cause("E", "word " * 1000)])
    assert len(told) < 320
    assert told.endswith("word ...")
    assert name_causes([]) == ""


def test_rows_are_told_by_their_reason() -> None:
    failure = ReplicateFailure(0, 1, ErrorInfo("CoverageError", "day 50 is not in the output"))
    broken = Evaluation("p", (1,), math.inf, failures=(failure,), reason="COVERAGE")
    zero = Evaluation("q", (1,), math.inf, reason="ZERO_LIKELIHOOD")
    fine = Evaluation("r", (1,), 2.0)
    causes = causes_of_scores([broken, zero, fine])
    assert name_causes(causes) == ("1 COVERAGE: day 50 is not in the output, 1 ZERO_LIKELIHOOD")
